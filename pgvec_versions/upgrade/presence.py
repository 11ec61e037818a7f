"""The session that shows that a worker lives: when it has ended, others take over its claims."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import psycopg

from pgvec_versions.errors import PgvecError, translated
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.direct import has_ended
from pgvec_versions.postgres.rows import read_row

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Presence:
    """A session that stays open while a worker works, and ends with its process.

    The operating system closes a dead process's connections, and then the server ends the session.
    A worker that is stopped, or whose machine has lost its power, keeps it: then its lease counts.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PgConnection | None = None
        self._holder: dict[str, Any] | None = None
        self._open = False

    def __enter__(self) -> Presence:
        self._open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._close()

    def holder(self) -> dict[str, Any] | None:
        """What a claim says about this session; None while none stays open.

        Effects: opens the session, also again after it has ended. Behind a pooler there is none:
        there the session belongs to the pooler, which lives on when the worker is dead.
        """
        if not self._open or self._engine.dialect.is_async:
            return None
        if self._connection is not None and has_ended(self._connection):
            self._close()
        if self._connection is None and self._holder is None:
            with suppress(PgvecError):
                self._connect()
        return self._holder or None

    def _connect(self) -> None:
        with translated():
            borrowed = self._engine.raw_connection()
            raw = cast("PgConnection", borrowed.driver_connection)
            # A connection of our own: the pool may open another in its place.
            borrowed.detach()
            try:
                raw.rollback()
                raw.autocommit = True
                row = read_row(raw, sqlfiles.query("this_session"))
                if row.pid != raw.info.backend_pid:
                    raw.close()
                    self._holder = {}
                    return
                raw.execute(sqlfiles.query("stay"))
            except BaseException:
                raw.close()
                raise
        self._connection = raw
        self._holder = {"pid": row.pid, "since": row.since, "stays": True}

    def _close(self) -> None:
        connection, self._connection, self._holder = self._connection, None, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
