"""``pgvec search``."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

import typer
from rich.cells import cell_len
from rich.table import Table

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import console, emit
from pgvec_versions.cli.workplace import workplace
from pgvec_versions.errors import InvalidArgument

#: As much of a chunk as makes two or three lines of the table. Units: characters.
_SHOWN = 160
#: Of 80 columns, this leaves as much for the text. Units: columns.
_DOCUMENT_WIDTH = 32


def _file_name_kept(document_id: str) -> str:
    """The id if it fits, or else its end: as many folders as fit, and always the file name."""
    if cell_len(document_id) <= _DOCUMENT_WIDTH:
        return document_id
    *folders, kept = document_id.split("/")
    for folder in reversed(folders):
        longer = f"{folder}/{kept}"
        if cell_len(f"…/{longer}") > _DOCUMENT_WIDTH:
            break
        kept = longer
    return f"…/{kept}" if folders and cell_len(f"…/{kept}") <= _DOCUMENT_WIDTH else kept


def _metadata(where: str | None) -> dict[str, Any] | None:
    """What ``--where`` asks for. Raises: InvalidArgument."""
    if where is None:
        return None
    hint = 'Write it as \'{"lang": "en"}\'.'
    try:
        wanted = json.loads(where)
    except ValueError as exc:
        raise InvalidArgument(f"--where is not JSON: {exc}.", hint=hint) from None
    if not isinstance(wanted, dict):
        raise InvalidArgument("--where must be a JSON object.", hint=hint)
    return cast("dict[str, Any]", wanted)


def search(
    query: Annotated[str, typer.Argument(metavar="TEXT", help="Text to look for.")],
    k: Annotated[int, typer.Option("-k", help="Number of hits.")] = 5,
    where: Annotated[
        str | None,
        typer.Option("--where", help='Metadata that a hit must contain, as JSON: {"lang": "en"}.'),
    ] = None,
    ef_search: Annotated[
        int | None, typer.Option(help="HNSW ef_search: candidates of the index, 1 to 1000.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Search without the index.")] = False,
    version: Annotated[
        str | None, typer.Option(help="Live version to search instead of the active one.")
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the chunks nearest to a text, in the active version."""
    contains = _metadata(where)
    with workplace(database_url, config, collection, embedded=embedded, direct=True) as here:
        store = ChunkStore(here.engine, here.collection, here.embedders())
        hits = store.search(
            query, k, filter=contains, ef_search=ef_search, exact=exact, version=version
        )
    if as_json:
        emit(hits, True)
        return
    if not hits:
        console.print("nothing found.")
        return
    title = f"{here.collection}, version {hits[0].model_version}"
    # The text takes what the other columns leave, and no more.
    table = Table(title=title, title_justify="left", expand=True)
    table.add_column("distance", justify="right")
    table.add_column("document", overflow="fold", max_width=_DOCUMENT_WIDTH)
    table.add_column("text", overflow="fold", ratio=1)
    for hit in hits:
        text = " ".join(hit.content.split())
        table.add_row(
            f"{hit.distance:.4f}",
            _file_name_kept(hit.document_id or hit.chunk_id),
            text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""),
        )
    console.print(table)
