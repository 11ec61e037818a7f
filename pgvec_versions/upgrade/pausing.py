"""Pausing the transition of a version: no worker claims for it until it goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction

log = logging.getLogger("pgvec_versions.control")


def pause(
    target: str | URL | Engine, collection: str, model_version: str, reason: str | None = None
) -> bool:
    """Holds the transition of a version: no worker claims for it. False when it was paused.

    Effects: every worker, in every process, from its next claim on; what is claimed is finished.
    Raises: UnknownVersion, WrongState (retired or abandoned).
    """
    parameters = {"collection": collection, "model_version": model_version, "reason": reason}
    with transaction(engine_for(target)) as raw:
        row = raw.execute(sqlfiles.query("pause"), parameters).fetchone()
    return bool(row and row[0])


def resume(target: str | URL | Engine, collection: str, model_version: str) -> bool:
    """Lets a paused transition go on. False when it was not paused."""
    with transaction(engine_for(target)) as raw:
        row = raw.execute(
            sqlfiles.query("resume"), {"collection": collection, "model_version": model_version}
        ).fetchone()
    return bool(row and row[0])


def paused(
    target: str | URL | Engine, collection: str, versions: Collection[str]
) -> dict[str, datetime]:
    """Those of the versions that are paused, and since when."""
    with autocommitted(engine_for(target)) as raw:
        rows = raw.execute(
            sqlfiles.query("paused"), {"collection": collection, "versions": list(versions)}
        ).fetchall()
    return {row[0]: row[1] for row in rows}


def wait_while_paused(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    stop: threading.Event,
    poll: timedelta = timedelta(seconds=0.5),
) -> None:
    """Returns when the version is not paused, or when it is stopped."""
    told = False
    while not stop.is_set() and paused(target, collection, [model_version]):
        if not told:
            log.warning("%s of %s is paused: waiting.", model_version, collection)
            told = True
        stop.wait(poll.total_seconds())
