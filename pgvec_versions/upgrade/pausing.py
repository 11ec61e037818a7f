"""Pausing the transition of a version: no worker claims items for it until you resume it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.rows import read_rows, read_value

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

log = logging.getLogger("pgvec_versions.control")


def pause(
    target: str | URL | Engine, collection: str, model_version: str, reason: str | None = None
) -> bool:
    """Pauses the transition of a version. Returns False when it was paused already.

    Effects: no worker of any process claims items for it; workers finish what they have claimed.
    Raises: UnknownVersion, WrongState (retired or abandoned).
    """
    parameters = {"collection": collection, "model_version": model_version, "reason": reason}
    with transaction(engine_for(target)) as raw:
        return bool(read_value(raw, sqlfiles.query("pause"), parameters))


def resume(target: str | URL | Engine, collection: str, model_version: str) -> bool:
    """Resumes a paused transition. Returns False when it was not paused."""
    parameters = {"collection": collection, "model_version": model_version}
    with transaction(engine_for(target)) as raw:
        return bool(read_value(raw, sqlfiles.query("resume"), parameters))


def paused(
    target: str | URL | Engine, collection: str, versions: Collection[str]
) -> dict[str, datetime]:
    """Which of the versions are paused, and since when."""
    parameters = {"collection": collection, "versions": list(versions)}
    with autocommitted(engine_for(target)) as raw:
        rows = read_rows(raw, sqlfiles.query("paused"), parameters)
    return {row.model_version: row.paused_at for row in rows}


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that holds: since when, who paused, and the reason they gave."""

    since: datetime
    who: str | None
    reason: str | None


def pause_of(target: str | URL | Engine, collection: str, model_version: str) -> Pause | None:
    """The pause of a version, or None if it is not paused."""
    parameters = {"collection": collection, "model_version": model_version}
    with autocommitted(engine_for(target)) as raw:
        rows = read_rows(raw, sqlfiles.query("pause_of"), parameters)
    return Pause(rows[0].paused_at, rows[0].who, rows[0].reason) if rows else None


def wait_while_paused(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    stop: threading.Event,
    poll: timedelta = timedelta(seconds=0.5),
) -> None:
    """Returns when the version is not paused, or when ``stop`` is set."""
    logged = False
    while not stop.is_set() and paused(target, collection, [model_version]):
        if not logged:
            log.warning("%s of %s is paused: waiting.", model_version, collection)
            logged = True
        stop.wait(poll.total_seconds())
