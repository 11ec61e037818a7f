"""Locks: each wait for one is bounded, and so is each wait that ours makes for others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
from sqlalchemy import Engine

from pgvec_versions.errors import LockTimeout
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, transaction

__all__ = ["LOCK_WAIT", "patiently", "set_lock_timeout", "writers_wait"]

#: How long a verb waits for the writers' lock in one try: new writers wait behind it.
LOCK_WAIT = timedelta(milliseconds=200)
#: The part of the longest pause in which the last items are drained; the rest is for the verb.
_DRAINING = 0.8


def _milliseconds(span: timedelta) -> str:
    return str(max(int(span.total_seconds() * 1000), 1))


def set_lock_timeout(raw: PgConnection, wait: timedelta) -> None:
    """How long statements of this transaction wait for a lock."""
    raw.execute(sqlfiles.query("lock_timeout"), {"value": _milliseconds(wait)})


def patiently(call: Callable[[timedelta], Any], attempts: int = 20) -> Any:
    """Repeats a call that did not get its lock, with growing pauses.

    The call is told how long it may wait: writers queue behind a lock that is waited for.
    Raises: LockTimeout at last.
    """
    for attempt in range(attempts - 1):
        try:
            return call(LOCK_WAIT)
        except LockTimeout:
            time.sleep(min(0.05 * 2**attempt, 1.0))
    return call(LOCK_WAIT)


@contextmanager
def writers_wait(
    engine: Engine, collection: str, lock_timeout: timedelta, longest_pause: timedelta
) -> Generator[tuple[PgConnection, threading.Event]]:
    """A transaction in which writers are kept out, for ``longest_pause`` at most.

    Gives its connection, and an event that says when what is done meanwhile must come to an end.
    Effects: the server itself ends the transaction when this process is away for too long, be it
    in a model, stopped, or gone: then nothing of it has happened.
    Raises: LockTimeout, also when the server ended it.
    """
    over = threading.Event()
    timer = threading.Timer(longest_pause.total_seconds() * _DRAINING, over.set)
    timer.daemon = True
    with transaction(engine) as raw:
        set_lock_timeout(raw, lock_timeout)
        try:
            raw.execute(sqlfiles.query("idle_timeout"), {"value": _milliseconds(longest_pause)})
            raw.execute(sqlfiles.query("lock_chunk_table"), {"collection": collection})
            timer.start()
            yield raw, over
        except psycopg.Error as exc:
            if not raw.closed:
                raise
            raise LockTimeout(
                f"the last work items of {collection} took longer than "
                f"{longest_pause.total_seconds():g} s, and writers waited.",
                hint="Nothing was changed. Let writers wait longer (longest_pause, "
                "--longest-pause-ms), or try when less is written.",
                detail={"collection": collection},
            ) from exc
        finally:
            timer.cancel()
