"""``pgvec demo``: a model upgrade on real text, from the first index to the retirement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgvec_versions.cli.demo_steps import COLLECTION, DATABASE, NEW, Demo
from pgvec_versions.cli.printing import console, print_lines
from pgvec_versions.errors import ConfigError

if TYPE_CHECKING:
    from pgvec_versions.postgres.embedded import EmbeddedServer


def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Folder for the data of the demo's server.")
    ] = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="Only stop the server that an earlier demo left running.")
    ] = False,
) -> None:
    """Walk through a model upgrade on real text, in two minutes.

    There is nothing to prepare: it starts its own server, and leaves it running for you to look at.
    """
    from pgvec_versions.postgres.embedded import default_path, embedded_server

    home = folder or default_path(18).with_name("demo")
    if stop:
        embedded_server(home).stop()
        console.print("the demo's server is stopped.")
        return
    try:
        import semantic_text_splitter  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ConfigError(
            "the demo needs its extra.", hint="Run: pip install 'pgvec-versions[demo]'"
        ) from None
    console.print(
        "A team's documents are indexed with one embedding model. "
        "Tomorrow it moves to another, under live traffic."
    )
    story = Demo()
    story.start_a_server(home)
    story.index_the_corpus()
    story.begin_the_upgrade()
    story.backfill_while_the_app_works()
    story.make_ready()
    story.cut_over()
    story.try_an_old_vector()
    story.compare_answers()
    story.roll_back_and_forward()
    story.retire()
    story.engine.dispose()
    _say_how_to_look(story.server)


def _say_how_to_look(server: EmbeddedServer) -> None:
    console.print()
    console.print("The database goes on running. Look for yourself:")
    print_lines(f"  {server.psql_command(DATABASE)}")
    console.print(
        "  then: SELECT * FROM pgvec.version_status;   SELECT * FROM pgvec.version_event;",
    )
    console.print(
        f"        SET pgvec.query_version.{COLLECTION} = '{NEW}'; "
        f"SELECT document_id, content FROM active_{COLLECTION} LIMIT 3;",
    )
    console.print("  and stop it with: pgvec demo --stop")
