"""``pgvec status``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich import box
from rich.table import Table

from pgvec_versions.catalog import status_rows
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import console, emit, print_lines, styled
from pgvec_versions.cli.workplace import workplace
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.retirement.watch import retirement_line, watch

#: As much of an error as the table has room for. Units: characters.
_SHOWN = 120
_COLOURS = {"active": "bold green", "ready": "cyan", "building": "yellow", "draining": "magenta"}


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
    """What the state means, for someone who does not know the states yet."""
    state = row["state"]
    if row["fingerprint"] == "differs":
        return "an embedder of its name makes other vectors: nothing is written with it"
    if row["paused_at"]:
        return f"paused since {_when(row['paused_at'])}; next: pgvec resume"
    if row["items_set_aside"]:
        return f"{row['items_set_aside']} work items failed: {row['last_error'] or ''}"[:_SHOWN]
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
    """The table that ``pgvec status`` prints: a line for each version."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("collection", "version", "state"):
        table.add_column(column)
    table.add_column("chunks", justify="right")
    table.add_column("complete", justify="right")
    table.add_column("index")
    table.add_column("size", justify="right")
    table.add_column("what it means")
    for row in rows:
        gone = row["chunks"] is None
        table.add_row(
            row["collection"],
            row["model_version"],
            styled((row["state"], _COLOURS.get(row["state"], "dim"))),
            "–" if gone else f"{row['chunks']:,}",
            "–" if gone else f"{float(row['share_complete']):.1%}",
            "–" if gone else ("valid" if row["index_valid"] else "none"),
            "–" if gone else _size((row["table_bytes"] or 0) + (row["index_bytes"] or 0)),
            _meaning(row),
        )
    return table


def status(
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every version: its state, progress and retirement."""
    with (
        workplace(database_url, config, collection, embedded=embedded) as here,
        autocommitted(here.engine) as raw,
    ):
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
