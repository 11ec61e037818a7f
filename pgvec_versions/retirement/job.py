"""Running the retirement job from Python: once, or at intervals."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import PgvecError
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import (
    PgConnection,
    autocommitted,
    engine_for,
    with_settings,
)
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.locks import NO_LIMITS
from pgvec_versions.postgres.notices import OnWait, heard, log_wait
from pgvec_versions.postgres.rows import read_row, read_rows, read_value

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retirement:
    """What happened to a version that was due. ``outcome``: ``retired``, or why it stays."""

    collection: str
    model_version: str
    outcome: str
    bytes: int
    detail: str | None = None
    on_retire: str = "drop"


def retirement_plan(
    target: str | URL | Engine, *, ignore_readers: bool = False
) -> list[Retirement]:
    """What ``retire_due`` would do now, an entry for each version that is due. Changes nothing."""
    with autocommitted(engine_for(target)) as raw:
        require_catalog(raw)
        return list(_plan(raw, ignore_readers).values())


def _plan(raw: PgConnection, ignore_readers: bool) -> dict[tuple[str, str], Retirement]:
    """What is due, by collection and version."""
    planned = read_rows(
        raw, sqlfiles.query("retirement_plan"), {"within": "0", "ignore_readers": ignore_readers}
    )
    return {
        (row.collection, row.model_version): Retirement(
            row.collection, row.model_version, row.outcome, row.bytes, row.detail, row.on_retire
        )
        for row in planned
    }


def retire_due(
    target: str | URL | Engine, *, ignore_readers: bool = False, on_wait: OnWait = log_wait
) -> list[Retirement]:
    """Retires every version that is due, in all collections: ``CALL pgvec.retire_due()``.

    Returns an entry for each version that was due. Units: bytes freed or kept.
    ``ignore_readers``: also retires versions that are still read. ``on_wait`` gets a line about
    whom it waits for.
    """
    with autocommitted(engine_for(target)) as raw:
        require_catalog(raw)
        due = _plan(raw, ignore_readers)
        before = read_value(raw, sqlfiles.query("last_run_id"))
        with with_settings(raw, NO_LIMITS), heard(raw, on_wait):
            raw.execute(sqlfiles.query("retire_due"), {"ignore_readers": ignore_readers})
        run = read_row(raw, sqlfiles.query("own_run"), {"before": before})
    if run is None:  # A standby.
        return []
    found = [_reported(entry, due) for entry in run.did + run.refused]
    if run.outcome == "left to another run":
        reported = {(entry.collection, entry.model_version) for entry in found}
        found += [
            Retirement(*key, "another session is retiring", planned.bytes)
            for key, planned in due.items()
            if key not in reported
        ]
    return found


def _reported(entry: dict[str, Any], due: dict[tuple[str, str], Retirement]) -> Retirement:
    """An entry of the run's report. What the report leaves out is taken from the plan."""
    collection, model_version = entry["collection"], entry["model_version"]
    planned = due.get((collection, model_version))
    return Retirement(
        collection,
        model_version,
        entry["outcome"],
        int(entry.get("bytes") or (planned.bytes if planned else 0) or 0),
        entry.get("detail"),
        entry.get("on_retire") or (planned.on_retire if planned else None) or "drop",
    )


@contextmanager
def retiring_every(target: str | URL | Engine, seconds: float | None) -> Generator[None]:
    """Runs the job in a thread while the block runs: at once, then every ``seconds``.

    None runs nothing. A run that fails is logged, and the next one runs anyway.
    """
    if seconds is None:
        yield
        return
    engine = engine_for(target)
    ended = threading.Event()

    def run() -> None:
        while True:
            try:
                for met in retire_due(engine):
                    log.info("%s of %s: %s", met.model_version, met.collection, met.outcome)
            except PgvecError as exc:
                log.warning("retirement: %s", exc)
            if ended.wait(seconds):
                return

    thread = threading.Thread(target=run, name="pgvec-retire", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
