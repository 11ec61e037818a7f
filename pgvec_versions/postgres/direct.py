"""Connections without SQLAlchemy, for a process that runs one verb and ends.

Importing SQLAlchemy takes a third as long as such a verb takes. A ``DirectEngine`` stands in for an
``Engine`` where the package uses one: in ``postgres.database``.
"""

from __future__ import annotations

import re
import select
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

#: A URL that libpq reads as SQLAlchemy does. Of any other, ``engine_for`` says what is wrong.
_WORD = r"[A-Za-z0-9_.~%-]*"
_SETTING = r"(?:host|port|sslmode|connect_timeout|application_name)=[A-Za-z0-9_.~%/-]*"
_PLAIN_URL = re.compile(
    rf"postgresql://(?:{_WORD}(?::{_WORD})?@)?{_WORD}(?::[0-9]+)?"
    rf"(?:/{_WORD}(?:\?{_SETTING}(?:&{_SETTING})*)?)?"
)


def direct_engine(url: str) -> Engine | None:
    """An engine without SQLAlchemy for a plain URL; None for any other."""
    return cast("Engine", DirectEngine(url)) if _PLAIN_URL.fullmatch(url) else None


class DirectEngine:
    """As much of ``Engine`` as this package uses. Keeps connections until ``dispose``."""

    driver = "psycopg"
    dialect = SimpleNamespace(is_async=False)

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[_Borrowed] = []

    @property
    def url(self) -> URL:
        """The URL, as SQLAlchemy has it."""
        from pgvec_versions.postgres.database import psycopg_url

        return psycopg_url(self._url)

    def raw_connection(self) -> _Borrowed:
        """A connection; its ``close`` gives it back."""
        while self._idle:
            found = self._idle.pop()
            if not has_ended(found.driver_connection):
                return found
            found.invalidate()
        # As with SQLAlchemy's: no server-side prepared statements, for PgBouncer.
        return _Borrowed(self, psycopg.connect(self._url, prepare_threshold=None))

    @contextmanager
    def connect(self) -> Generator[_Borrowed]:
        """A connection for a block."""
        borrowed = self.raw_connection()
        try:
            yield borrowed
        finally:
            borrowed.close()

    def give_back(self, borrowed: _Borrowed) -> None:
        """Keeps a connection for the next one who needs it."""
        self._idle.append(borrowed)

    def dispose(self) -> None:
        """Closes the connections that nobody uses."""
        while self._idle:
            self._idle.pop().driver_connection.close()


def has_ended(raw: psycopg.Connection[Any]) -> bool:
    """Whether the server has ended the idle session, without the round trip of a ping.

    When the server ends a session, its socket becomes readable. An idle session sends nothing else,
    except a rare notice: so only a readable one is pinged.
    """
    try:
        if _readable(raw.fileno()):
            raw.execute("")
            raw.rollback()
    except (psycopg.Error, OSError):
        return True
    return False


def _readable(socket: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([socket], [], [], 0)[0])
    # select() cannot take a socket above 1024; a selector object costs ten times as much.
    waiting = select.poll()
    waiting.register(socket, select.POLLIN)
    return bool(waiting.poll(0))


class _Borrowed:
    """A connection that was borrowed, as SQLAlchemy's pool and its ``Connection`` show it."""

    def __init__(self, engine: DirectEngine, raw: psycopg.Connection[Any]) -> None:
        self._engine = engine
        self.driver_connection = raw
        self.info: dict[str, Any] = {}

    @property
    def connection(self) -> _Borrowed:
        """The same: with SQLAlchemy, a ``Connection`` has one of the pool."""
        return self

    def invalidate(self) -> None:
        """Closes the connection, which is of no more use."""
        self.driver_connection.close()

    def close(self) -> None:
        """Gives the connection back, without a transaction."""
        raw = self.driver_connection
        if raw.closed:
            return
        if raw.pgconn.transaction_status != TransactionStatus.IDLE:
            raw.rollback()
        self._engine.give_back(self)
