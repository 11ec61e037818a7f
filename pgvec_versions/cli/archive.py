"""``pgvec export`` and ``pgvec restore``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
    VersionArgument,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.progress import progress_bar
from pgvec_versions.cli.workplace import workplace
from pgvec_versions.retirement.archive import export_version, restore_version
from pgvec_versions.upgrade.transition import Progress as Step


def _counting(show: Callable[[Step], None]) -> Callable[[int], None]:
    began = time.monotonic()
    return lambda done: show(Step("chunks", done, done, time.monotonic() - began))


def export(
    version: VersionArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="New file: Parquet if its name ends in .parquet, else binary COPY."
        ),
    ],
    file_format: Annotated[
        str | None, typer.Option("--format", help="Format, whatever the name: parquet or copy.")
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version's chunks and vectors to a file.

    The database records the file's checksum: pgvec restore accepts no other file.
    """
    with (
        workplace(database_url, config, collection, embedded=embedded) as here,
        progress_bar(as_json) as show,
    ):
        made = export_version(
            here.engine, here.collection, version, file, file_format, _counting(show)
        )
    emit(
        {
            "path": made.path,
            "format": made.format,
            "chunks": made.chunks,
            "bytes": made.bytes,
            "sha256": made.sha256,
        },
        as_json,
        f"{made.path}: {made.chunks} chunks, {made.bytes / 1024**2:.1f} MB, sha256 {made.sha256}.",
    )


def restore(
    version: VersionArgument,
    file: Annotated[
        Path | None,
        typer.Option("--from", help="Exported file; without it, the archived leaf is used."),
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring back a retired version that was archived or exported.

    It is draining afterwards, and retires again.
    """
    with (
        workplace(database_url, config, collection, embedded=embedded) as here,
        progress_bar(as_json) as show,
    ):
        name = here.collection
        until = restore_version(here.engine, name, version, file, _counting(show))
    emit(
        {"collection": name, "model_version": version, "retire_at": until},
        as_json,
        f"{version} of {name} is draining again, until {until.astimezone():%Y-%m-%d %H:%M}; "
        "it answers queries as it was. To go back to it, let it catch up first: "
        f"SELECT pgvec.plan_backfill('{name}', '{version}'); then pgvec worker --drain.",
    )
