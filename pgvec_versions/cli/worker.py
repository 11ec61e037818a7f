"""``pgvec worker``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from pgvec_versions.catalog import status_rows
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    MAX_ATTEMPTS,
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    LagOption,
    MaxAttemptsOption,
    RateOption,
    SessionsOption,
    need_positive,
    throttle_of,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.progress import Stopper, progress_bar
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.errors import NotReady
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.retirement.job import retiring_every
from pgvec_versions.upgrade.patience import when_possible
from pgvec_versions.upgrade.preview import preview
from pgvec_versions.upgrade.transition import Progress as Step
from pgvec_versions.upgrade.worker import Worker, WorkerReport


def worker(
    drain: Annotated[
        bool,
        typer.Option("--drain", help="Stop when no work is left, instead of waiting."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry the work items that were set aside.")
    ] = False,
    max_attempts: MaxAttemptsOption = MAX_ATTEMPTS,
    retire_every: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Also run the retirement job, with so many seconds between.",
        ),
    ] = None,
    rows_per_second: RateOption = None,
    max_lag_mb: LagOption = None,
    max_active_sessions: SessionsOption = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed new, changed and missing chunks for live versions.

    Uses the embedders in pgvec.toml. Runs until you stop it.
    """
    need_positive(max_attempts, "--max-attempts")
    with (
        workplace(database_url, config, collection, embedded=embedded, works_as="worker") as here,
        Stopper() as stopper,
        progress_bar(as_json) as show,
        retiring_every(here.engine, retire_every),
    ):
        throttle = throttle_of(rows_per_second, max_lag_mb, max_active_sessions)

        def start() -> Worker:
            return Worker(
                here.engine,
                here.collection,
                here.embedders(),
                max_attempts=max_attempts,
                throttle=throttle,
            )

        made = start() if drain or dry else when_possible(start, stopper.event)
        if made is None:
            raise KeyboardInterrupt
        if dry:
            _print_plan(here, made, retry_failed, as_json)
            return
        reopened = made.retry_failed() if retry_failed else 0
        began = time.monotonic()

        def on_progress(report: WorkerReport) -> None:
            show(Step("embedded", report.written, report.written, time.monotonic() - began))

        if drain:
            report = made.drain(stop=stopper.event, progress=on_progress)
            stopper.check(here.command("worker", "--drain"))
        else:
            report = made.run(stopper.event, progress=on_progress)
        again = here.command("worker", "--drain", "--retry-failed")
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
            hint=f"See pgvec status; remove the cause, then: {again}",
        )


def _print_plan(here: Workplace, worker: Worker, retry_failed: bool, as_json: bool) -> None:
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
    print_plan(does, blocks, as_json)
