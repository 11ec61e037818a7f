"""Locks, with bounds on how long we wait for one and how long others wait for ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import psycopg

from pgvec_versions.errors import LockTimeout
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, transaction
from pgvec_versions.postgres.notices import OnWait, Wait, log_wait

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: How long a verb waits for a lock in one try: new writers queue behind it meanwhile.
LOCK_WAIT = timedelta(milliseconds=200)
#: How often a verb tries: with the pauses between, about 20 seconds.
LOCK_TRIES = 20
#: The pause after a try: doubled each time, up to the longest. Units: seconds.
_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
#: The part of the writers' longest pause in which the last items are drained; the rest is for the
#: verb.
_DRAINING = 0.8

#: How long a transaction of ours may be idle before the server ends it: a process that hangs must
#: not keep its locks.
_LONGEST_IDLE = timedelta(minutes=1)

#: What lets a statement outside a transaction block take its time.
NO_LIMITS = {"statement_timeout": "0", "lock_timeout": "0", "transaction_timeout": "0"}

T = TypeVar("T")


def _milliseconds(span: timedelta) -> str:
    return str(max(int(span.total_seconds() * 1000), 1))


def set_lock_timeout(raw: PgConnection, wait: timedelta) -> None:
    """Sets how long the statements of this transaction wait for a lock."""
    raw.execute(sqlfiles.query("lock_timeout"), {"value": _milliseconds(wait)})


def patiently(call: Callable[[timedelta], T], on_wait: OnWait = log_wait) -> T:
    """Repeats a call that did not get its lock, with growing pauses.

    The call gets the time that it may wait for the lock. ``on_wait`` hears who has the lock, after
    the first try and after every fifth.
    Raises: LockTimeout after the last try.
    """
    for attempt in range(LOCK_TRIES - 1):
        try:
            return call(LOCK_WAIT)
        except LockTimeout as exc:
            if attempt == 0 or (attempt + 1) % 5 == 0:
                on_wait(Wait(f"{exc.message} Try {attempt + 1} of {LOCK_TRIES}."))
            time.sleep(min(_PAUSE * 2**attempt, _LONGEST_PAUSE))
    return call(LOCK_WAIT)


@contextmanager
def unlimited(engine: Engine, lock_wait: timedelta | None = None) -> Generator[PgConnection]:
    """A transaction that no time limit of the role, the database or the session ends.

    Why: a verb that always runs into ``statement_timeout`` could never be done. ``lock_wait`` is
    how long it waits for a lock. When the transaction ends, the limits are what they were before.
    """
    with transaction(engine) as raw:
        raw.execute(sqlfiles.query("no_time_limits"), {"idle": _milliseconds(_LONGEST_IDLE)})
        if lock_wait is not None:
            set_lock_timeout(raw, lock_wait)
        yield raw


@contextmanager
def writers_wait(
    engine: Engine, collection: str, lock_timeout: timedelta, longest_pause: timedelta
) -> Generator[tuple[PgConnection, threading.Event]]:
    """A transaction that keeps writers waiting, for ``longest_pause`` at most.

    Gives its connection, and an event that tells the block when to come to an end.
    Effects: if this process sends no statement for that long (it runs a model, is stopped or
    gone), the server itself ends the transaction, and nothing of it has happened.
    Raises: LockTimeout, also when the server ended it.
    """
    over = threading.Event()
    timer = threading.Timer(longest_pause.total_seconds() * _DRAINING, over.set)
    timer.daemon = True
    with unlimited(engine, lock_timeout) as raw:
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
