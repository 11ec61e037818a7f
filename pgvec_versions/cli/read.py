"""``pgvec search`` and ``pgvec status``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from pgvec_versions.catalog import status_rows
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    console,
    emit,
    workplace,
)
from pgvec_versions.cli.printing import print_lines, styled
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.retirement.watch import retirement_line, watch

__all__ = ["register", "status_table"]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 5,
    where: Annotated[
        str | None,
        typer.Option("--where", help='Metadata that a hit must contain, as JSON: {"lang": "en"}.'),
    ] = None,
    ef_search: Annotated[
        int | None, typer.Option(help="Candidates that the index looks at, 1 to 1000.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Without the index, for checks.")] = False,
    version: Annotated[
        str | None, typer.Option(help="Ask this live version, whatever is active.")
    ] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the chunks nearest to a text, in the active version."""
    contains: dict[str, Any] | None = None
    if where is not None:
        try:
            contains = json.loads(where)
        except ValueError as exc:
            raise InvalidArgument(
                f"--where is not JSON: {exc}.", hint='Write it as \'{"lang": "en"}\'.'
            ) from None
        if not isinstance(contains, dict):
            raise InvalidArgument(
                "--where must be a JSON object.", hint='Write it as \'{"lang": "en"}\'.'
            )
    with workplace(database_url, config, collection) as here:
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
    table = Table(title=f"{here.collection}, version {hits[0].model_version}", title_justify="left")
    table.add_column("distance", justify="right")
    table.add_column("document")
    table.add_column("text", overflow="fold")
    for hit in hits:
        text = " ".join(hit.content.split())
        table.add_row(
            f"{hit.distance:.4f}",
            hit.document_id or hit.chunk_id,
            text[:160] + ("…" if len(text) > 160 else ""),
        )
    console.print(table)


def _size(count: int | None) -> str:
    if count is None:
        return "–"
    amount = float(count)
    for unit in ("B", "kB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} MB" if amount < 1024 else f"{amount / 1024:.1f} GB"


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "–"


def _meaning(row: dict[str, Any]) -> str:
    """What the row says, for someone who never read the states."""
    state = row["state"]
    if row["fingerprint"] == "differs":
        return "an embedder of its name makes other vectors: nothing is written with it"
    if row["paused_at"]:
        return f"paused since {_when(row['paused_at'])}; next: pgvec resume"
    if row["items_set_aside"]:
        return f"{row['items_set_aside']} work items failed: {row['last_error'] or ''}"[:120]
    if state == "active":
        return "answers queries" + (
            f", {row['items_open']} chunks to follow" if row["items_open"] else ""
        )
    if state == "building":
        if row["missing"]:
            return f"being filled: {row['missing']} chunks missing"
        return "filled; " + ("next: make ready" if row["index_valid"] else "next: build the index")
    if state == "ready":
        return "complete; next: pgvec cut-over"
    if state == "draining":
        follows = "" if row["follows"] else ", no longer follows writes"
        return f"retires {_when(row['retire_at'])}; pgvec roll-back goes back to it{follows}"
    if state == "retired":
        return f"gone since {_when(row['retired_at'])}"
    return "given up" + (
        "; its leaf goes with the next pgvec retire" if row["chunks"] is not None else ""
    )


def status_table(rows: list[dict[str, Any]]) -> Table:
    """A line a version, as people read it."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("collection", "version", "state"):
        table.add_column(column)
    table.add_column("chunks", justify="right")
    table.add_column("complete", justify="right")
    table.add_column("index")
    table.add_column("size", justify="right")
    table.add_column("what it means")
    colours = {"active": "bold green", "ready": "cyan", "building": "yellow", "draining": "magenta"}
    for row in rows:
        gone = row["chunks"] is None
        table.add_row(
            row["collection"],
            row["model_version"],
            styled((row["state"], colours.get(row["state"], "dim"))),
            "–" if gone else f"{row['chunks']:,}",
            "–" if gone else f"{float(row['share_complete']):.1%}",
            "–" if gone else ("valid" if row["index_valid"] else "none"),
            "–" if gone else _size((row["table_bytes"] or 0) + (row["index_bytes"] or 0)),
            _meaning(row),
        )
    return table


def status(
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is active, what is being built and how far, and what retires when."""
    with workplace(database_url, config, collection) as here, autocommitted(here.engine) as raw:
        require_catalog(raw)
        if collection is not None:
            ChunkStore(here.engine, collection)
        rows = status_rows(raw, collection)
        line = retirement_line(watch(raw, here.engine)) if rows and not as_json else ""
    if as_json:
        emit(rows, True)
    elif rows:
        console.print(status_table(rows))
        print_lines(line)
    else:
        console.print("no version is registered yet; next: pgvec init NAME, then pgvec upgrade.")


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(search)
    app.command()(status)
