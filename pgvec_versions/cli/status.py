"""``pgvec status``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from pgvec_versions.catalog import status_rows
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.next_step import COLOURS, next_step
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import console, emit, print_line, print_lines, styled
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.retirement.watch import retirement_line
from pgvec_versions.retirement.watch import watch as watch_retirement

#: rich does not measure beyond the width that it is given. Units: columns.
_UNBOUNDED = 10_000


def _size(count: int | None) -> str:
    if count is None:
        return "–"
    amount = float(count)
    for unit in ("B", "kB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} MB" if amount < 1024 else f"{amount / 1024:.1f} GB"


Command = Callable[..., str]


def _plain_command(verb: str, *words: str, collection: str) -> str:
    """A command for a database with one collection."""
    return shlex.join(("pgvec", verb, *words))


def _meaning(row: dict[str, Any], command: Command, configured: str | None) -> str:
    step = next_step(row, configured)
    if not step.command:
        return step.meaning
    # At the end, so that nothing sticks to it when you copy it.
    return f"{step.meaning}; {step.leads}: {command(*step.command, collection=row['collection'])}"


def _figures(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Chunks, share complete, index and size of a version."""
    if row["chunks"] is None:
        return ("–", "–", "–", "–")
    return (
        f"{row['chunks']:,}",
        f"{float(row['share_complete']):.1%}",
        "valid" if row["index_valid"] else "none",
        _size((row["table_bytes"] or 0) + (row["index_bytes"] or 0)),
    )


def _table(rows: list[dict[str, Any]], meanings: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("collection", "version", "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("chunks", justify="right", no_wrap=True)
    table.add_column("complete", justify="right", no_wrap=True)
    table.add_column("index", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("what it means", no_wrap=True)
    for row, meaning in zip(rows, meanings, strict=True):
        state = styled((row["state"], COLOURS.get(row["state"], "dim")))
        table.add_row(row["collection"], row["model_version"], state, *_figures(row), meaning)
    return table


def print_status(
    rows: list[dict[str, Any]],
    command: Command = _plain_command,
    configured: Mapping[str, str] | None = None,
) -> None:
    """Prints what ``pgvec status`` prints: a table, or a few lines for each version.

    ``configured``: the label that pgvec.toml names, by collection. A table that is wider than the
    screen would cut labels and commands off; lines do not.
    """
    labels = configured or {}
    meanings = [_meaning(row, command, labels.get(row["collection"])) for row in rows]
    table = _table(rows, meanings)
    unbounded = console.options.update(width=_UNBOUNDED)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
        return
    for row, meaning in zip(rows, meanings, strict=True):
        chunks, complete, index, size = _figures(row)
        head = f"{row['collection']}  {row['model_version']}  "
        print_line(styled(head, (row["state"], COLOURS.get(row["state"], "dim"))))
        if row["chunks"] is not None:
            print_line(f"  {chunks} chunks, {complete} complete, index: {index}, {size}")
        print_line(f"  {meaning}")


def status(
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Look again and again: rate, time left, workers, and what blocks. Ctrl-C ends it, "
            "with exit code 0.",
        ),
    ] = False,
    interval: Annotated[
        float | None,
        typer.Option(help="Seconds between two looks of --watch.", show_default="2"),
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every version: its state, progress and retirement."""
    if interval is not None and not watch:
        raise InvalidArgument("--interval goes with --watch.")
    with workplace(database_url, config, collection, embedded=embedded) as here:
        if collection is not None:
            ChunkStore(here.engine, collection)
        if watch:
            from pgvec_versions.cli.watching import check_interval, watch_status

            seconds = check_interval(interval)
            _say_where(here, collection)
            watch_status(here, collection, seconds, as_json)
        else:
            _status_now(here, collection, as_json)


def _say_where(here: Workplace, collection: str | None) -> None:
    here.say_where(f"collection: {collection}" if collection else "all collections")


def _status_now(here: Workplace, collection: str | None, as_json: bool) -> None:
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        rows = status_rows(raw, collection)
        line = retirement_line(watch_retirement(raw, here.engine)) if rows and not as_json else ""
    _say_where(here, collection)
    if as_json:
        emit(rows, True)
    elif rows:
        print_status(rows, here.command, here.labels)
        print_lines(line)
    else:
        print_lines("no version is registered yet; next: pgvec init NAME, then: pgvec upgrade")
