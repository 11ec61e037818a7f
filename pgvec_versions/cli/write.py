"""``pgvec add`` and ``pgvec worker``: chunks in, and work items done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.catalog import read_collection, status_rows
from pgvec_versions.chunks.documents import Document, find_documents
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    Stopper,
    UrlOption,
    Workplace,
    emit,
    need_positive,
    progress_bar,
    workplace,
)
from pgvec_versions.cli.control import (
    DryRunOption,
    LagOption,
    RateOption,
    SessionsOption,
    plan,
    throttle_of,
)
from pgvec_versions.embedders.of_versions import BoundEmbedders, write_version
from pgvec_versions.errors import NotReady
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.retirement.job import retiring_every
from pgvec_versions.upgrade.preview import preview
from pgvec_versions.upgrade.transition import Progress as Step
from pgvec_versions.upgrade.worker import Worker, WorkerReport
from pgvec_versions.values import Chunk

__all__ = ["register"]


def add(
    paths: Annotated[
        list[Path], typer.Argument(help="Text and Markdown files, or folders of them.")
    ],
    chunk_chars: Annotated[int, typer.Option(help="Characters in a chunk, at most.")] = 800,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Split text and Markdown files into chunks and store them."""
    need_positive(chunk_chars, "--chunk-chars")
    documents = find_documents(paths)
    empty: list[str] = []
    with workplace(database_url, config, collection) as here, progress_bar(as_json) as show:
        if dry:
            _dry_add(here, documents, chunk_chars, as_json)
            return
        store = ChunkStore(here.engine, here.collection, here.embedders())
        began = time.monotonic()
        done = 0

        def chunks(documents: list[Document]) -> Iterator[Chunk]:
            for number, document in enumerate(documents):
                show(Step("documents", number, len(documents), time.monotonic() - began))
                first = True
                for chunk in document.chunks(chunk_chars):
                    first = False
                    yield chunk
                if first:
                    empty.append(document.document_id)

        def stored(count: int) -> None:
            nonlocal done
            done += count
            show(Step("chunks", done, done, time.monotonic() - began))

        result = store.add(chunks(documents), progress=stored)
        show(Step("documents", len(documents), len(documents), time.monotonic() - began))
        if empty:
            # An emptied file has no chunks left to put; what it had goes.
            result = result.plus(type(result)(deleted=store.delete(document_ids=empty)))
    text = (
        f"{len(documents)} documents, version {result.model_version or '–'}: "
        f"{result.added} chunks added, {result.replaced} replaced, {result.touched} moved, "
        f"{result.unchanged} unchanged, {result.deleted} deleted; "
        f"{result.embedded} texts embedded."
    )
    if empty:
        text += f" Without text: {', '.join(empty)}."
    emit({"documents": len(documents), "empty": empty, **asdict(result)}, as_json, text)


def worker(
    drain: Annotated[
        bool, typer.Option("--drain", help="End when nothing is open, instead of waiting for more.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="First open again what was set aside.")
    ] = False,
    max_attempts: Annotated[
        int, typer.Option(help="Failures of a work item before it is set aside.")
    ] = 3,
    retire_every: Annotated[
        float | None,
        typer.Option(min=1, help="Also run the retirement job, every so many seconds."),
    ] = None,
    rows_per_second: RateOption = None,
    max_lag_mb: LagOption = None,
    max_active_sessions: SessionsOption = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed what is open for every live version in pgvec.toml: new, changed and missing chunks."""
    need_positive(max_attempts, "--max-attempts")
    with (
        workplace(database_url, config, collection) as here,
        Stopper() as stopper,
        progress_bar(as_json) as show,
        retiring_every(here.engine, retire_every),
    ):
        made = Worker(
            here.engine,
            here.collection,
            here.embedders(),
            max_attempts=max_attempts,
            throttle=throttle_of(rows_per_second, max_lag_mb, max_active_sessions),
        )
        if dry:
            _dry_worker(here, made, retry_failed, as_json)
            return
        reopened = made.retry_failed() if retry_failed else 0
        began = time.monotonic()

        def on_progress(report: WorkerReport) -> None:
            show(Step("embedded", report.written, report.written, time.monotonic() - began))

        if drain:
            report = made.drain(stop=stopper.event, progress=on_progress)
            stopper.check("pgvec worker --drain")
        else:
            report = made.run(stopper.event, progress=on_progress)
    figures = {
        "versions": made.versions,
        "reopened": reopened,
        "written": report.written,
        "deleted": report.deleted,
        "embedded": report.embedded,
        "failed": report.failed,
        "set_aside": report.set_aside,
    }
    emit(
        figures,
        as_json,
        f"versions {', '.join(made.versions) or '–'}: "
        f"{report.written} chunks written, {report.deleted} deleted, "
        f"{report.embedded} texts embedded, {report.set_aside} work items set aside.",
    )
    if drain and report.set_aside:
        reason = f" The last error: {report.last_error.message}" if report.last_error else ""
        raise NotReady(
            f"{report.set_aside} work items were set aside.{reason}",
            hint="See pgvec status; then pgvec worker --drain --retry-failed.",
        )


def _dry_worker(here: Workplace, worker: Worker, retry_failed: bool, as_json: bool) -> None:
    with autocommitted(here.engine) as raw:
        rows = status_rows(raw, here.collection)
    does = (
        list(preview(here.engine, "retry_set_aside", here.collection).does) if retry_failed else []
    )
    blocks: list[str] = []
    for row in rows:
        label = row["model_version"]
        if label not in worker.versions:
            continue
        if row["paused_at"]:
            blocks.append(f"{label} is paused")
        elif row["items_open"]:
            does.append(f"works off {row['items_open']} open work items of {label}")
        if row["items_set_aside"] and not retry_failed:
            blocks.append(f"{row['items_set_aside']} work items of {label} are set aside")
    plan(does, blocks, as_json)


def _dry_add(here: Workplace, documents: list[Document], chunk_chars: int, as_json: bool) -> None:
    chunks = sum(1 for document in documents for _ in document.chunks(chunk_chars))
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        known = read_collection(raw, here.collection)
        bound = BoundEmbedders(known, here.embedders(), here.engine, raw)
    target = write_version(known, bound)
    others = [
        v.model_version for v in known.live if v.follows and v.model_version != target.model_version
    ]
    does = [
        f"compares {chunks} chunks of {len(documents)} documents with what is stored, "
        f"and embeds with {target.model_version} those that are new or changed"
    ]
    if others:
        does.append(f"leaves work items for {', '.join(others)}")
    plan(does, [], as_json)


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command(
        help="Split text and Markdown files into chunks "
        "and store them with the active version's vectors."
    )(add)
    app.command()(worker)
