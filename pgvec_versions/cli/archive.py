"""``pgvec export`` and ``pgvec restore``: a version in a file, a retired one back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    emit,
    progress_bar,
    workplace,
)
from pgvec_versions.cli.hold import VersionArgument
from pgvec_versions.retirement.archive import export_version, restore_version
from pgvec_versions.upgrade.transition import Progress as Step

__all__ = ["register"]


def _counting(show: Callable[[Step], None]) -> Callable[[int], None]:
    began = time.monotonic()
    return lambda done: show(Step("chunks", done, done, time.monotonic() - began))


def export(
    model_version: VersionArgument,
    file: Annotated[Path, typer.Argument(help="A new file; ….parquet is Parquet, else COPY.")],
    file_format: Annotated[
        str | None, typer.Option("--format", help="parquet or copy, whatever the name says.")
    ] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version's chunks and vectors to a file, and record its checksum."""
    with workplace(database_url, config, collection) as here, progress_bar(as_json) as show:
        made = export_version(
            here.engine, here.collection, model_version, file, file_format, _counting(show)
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
    model_version: VersionArgument,
    file: Annotated[
        Path | None,
        typer.Option("--from", help="The exported file; without it, the archived leaf."),
    ] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a retired version back as draining, from what was kept of it."""
    with workplace(database_url, config, collection) as here, progress_bar(as_json) as show:
        name = here.collection
        until = restore_version(here.engine, name, model_version, file, _counting(show))
    emit(
        {"collection": name, "model_version": model_version, "retire_at": until},
        as_json,
        f"{model_version} of {name} is draining again, until {until.astimezone():%Y-%m-%d %H:%M}; "
        "it answers queries as it was. To go back to it, let it catch up first: "
        f"SELECT pgvec.plan_backfill('{name}', '{model_version}'); then pgvec worker --drain.",
    )


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(export)
    app.command()(restore)
