"""The retirement job, run from here: what is due, once or every so often."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import (
    PgvecError,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.install import require_catalog

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retirement:
    """What became of a version that was due: ``retired``, or the reason why not. Units: bytes."""

    collection: str
    model_version: str
    outcome: str
    bytes: int
    detail: str | None = None
    on_retire: str = "drop"


def retirement_plan(
    target: str | URL | Engine, *, ignore_readers: bool = False
) -> list[Retirement]:
    """What ``retire_due`` would do now: one entry a version that is due. Changes nothing."""
    with autocommitted(engine_for(target)) as raw:
        require_catalog(raw)
        return [Retirement(**row) for row in _plan(raw, ignore_readers)]


def _plan(raw: Any, ignore_readers: bool) -> list[dict[str, Any]]:
    with raw.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            sqlfiles.query("retirement_plan"), {"within": "0", "ignore_readers": ignore_readers}
        ).fetchall()
    wanted = ("collection", "model_version", "outcome", "bytes", "detail", "on_retire")
    return [{name: row[name] for name in wanted} for row in rows]


def retire_due(target: str | URL | Engine, *, ignore_readers: bool = False) -> list[Retirement]:
    """Retires every version that is due, in all collections: ``CALL pgvec.retire_due()``.

    Returns one entry a version that was due. Units: bytes freed, or held.
    ``ignore_readers``: a version that is still read goes too.
    """
    with autocommitted(engine_for(target)) as raw:
        require_catalog(raw)
        due = {(r["collection"], r["model_version"]): r for r in _plan(raw, ignore_readers)}
        before: Any = raw.execute(sqlfiles.query("last_run_id")).fetchone()
        raw.execute(sqlfiles.query("retire_due"), {"ignore_readers": ignore_readers})
        with raw.cursor(row_factory=dict_row) as cursor:
            run = cursor.execute(sqlfiles.query("own_run"), {"before": before[0]}).fetchone()
    if run is None:  # A standby.
        return []
    found = [
        Retirement(
            said["collection"],
            said["model_version"],
            said["outcome"],
            int(said.get("bytes") or _planned(due, said).get("bytes") or 0),
            said.get("detail"),
            said.get("on_retire") or _planned(due, said).get("on_retire") or "drop",
        )
        for said in run["did"] + run["refused"]
    ]
    if run["outcome"] == "left to another run":
        met = {(r.collection, r.model_version) for r in found}
        found += [
            Retirement(*key, "another session is retiring", row["bytes"])
            for key, row in due.items()
            if key not in met
        ]
    return found


def _planned(due: dict[tuple[str, str], dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """What the plan had said of the version, if it was due then."""
    return due.get((said["collection"], said["model_version"]), {})


@contextmanager
def retiring_every(target: str | URL | Engine, seconds: float | None) -> Generator[None]:
    """Runs the job at once and then every ``seconds``, in a thread, while the block runs.

    None: does nothing. A run that fails is logged and does not end the next ones.
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
