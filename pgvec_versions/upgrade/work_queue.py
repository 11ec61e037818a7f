"""Work queue: the work items of a collection as a worker sees them, and all its statements.

Promise: nothing is written without a lease that holds; see
``sql/functions/work_items/complete_work.sql``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from psycopg import errors as pg_errors
from psycopg import sql
from sqlalchemy import Engine

from pgvec_versions.catalog import Collection
from pgvec_versions.errors import EmbedderUnavailable, LeaseLost
from pgvec_versions.postgres import copying, sqlfiles
from pgvec_versions.postgres.database import (
    PgConnection,
    autocommitted,
    client_encoding,
    transaction,
)
from pgvec_versions.upgrade.claims import Claim, Mark

__all__ = ["WorkQueue"]

#: How long a write waits for a lock, below deadlock_timeout, so that the worker gives way. Units:
#: ms.
_WRITE_LOCK_TIMEOUT = "800"


class WorkQueue:
    """Claims, reads, completes and gives back the work items of one collection.

    ``lease`` is how long a claim lasts without a sign of life.
    """

    def __init__(self, engine: Engine, known: Collection, lease: timedelta) -> None:
        self.engine = engine
        self.collection = known.collection
        self.lease = lease
        self._storage = known.storage
        self._id_type = known.id_type
        self._id_type_name = known.id_type_name

    def claim(self, versions: list[str], max_items: int) -> Claim | None:
        """Up to so many items of one source and one target, with their chunks; None: nothing."""
        with autocommitted(self.engine) as raw:
            items = raw.execute(
                sqlfiles.query("claim_work"),
                {
                    "collection": self.collection,
                    "versions": versions,
                    "max_items": max_items,
                    "lease": self.lease,
                },
            ).fetchall()
            if not items:
                return None
            claim = Claim(
                source=items[0][1],
                target=items[0][2],
                lease=items[0][7],
                items=[i[0] for i in items],
                revisions=[i[5] for i in items],
                attempts=max(i[6] for i in items),
                began=time.monotonic(),
                rows=[],
                prolong_at=time.monotonic() + self.lease.total_seconds() / 3,
            )
            with suppress(pg_errors.UndefinedTable), raw.cursor(binary=True) as cursor:
                # A leaf that was dropped just now took its items with it.
                claim.rows = cursor.execute(
                    sqlfiles.query("read_work"),
                    {
                        "collection": self.collection,
                        "source": claim.source,
                        "target": claim.target,
                        "items": claim.items,
                        "lease": claim.lease,
                    },
                ).fetchall()
        return claim

    def complete(self, claim: Claim) -> tuple[int, int, int, int]:
        """Writes what was made and deletes the items. Returns completed, fenced, written, deleted.

        Units: work items, work items, rows, rows.
        Raises: LockTimeout, StaleSnapshot, Busy (the index is being built), VersionNotWritable.
        """
        with transaction(self.engine) as raw:
            raw.execute(sqlfiles.query("lock_timeout"), {"value": _WRITE_LOCK_TIMEOUT})
            with raw.cursor() as cursor:
                cursor.execute(
                    sqlfiles.query("made_table").format(
                        id_type=self._id_type_name,
                        vector_type=self._vector_type(raw),
                    )
                )
                if claim.rows:
                    with cursor.copy(sqlfiles.query("copy_made")) as copy:
                        for piece in copying.binary_copy(self._made(raw, claim), 4):
                            copy.write(piece)
                row = cursor.execute(
                    sqlfiles.query("complete_work"),
                    {
                        "collection": self.collection,
                        "source": claim.source,
                        "target": claim.target,
                        "items": claim.items,
                        "revisions": claim.revisions,
                        "lease": claim.lease,
                    },
                ).fetchone()
            assert row is not None
            return row[0], row[1], row[2], row[3]

    def _made(self, raw: PgConnection, claim: Claim) -> Iterator[tuple[bytes, ...]]:
        as_id = copying.id_dumper(self._id_type, copying.text_dumper(client_encoding(raw)))
        read = {"uuid": uuid.UUID, "bigint": int}.get(self._id_type, str)
        for item_ids, chunk_id, content, content_hash in claim.rows:
            yield (
                copying.int8_array(item_ids),
                as_id(read(chunk_id)),
                copying.bytea(content_hash),
                copying.vector(claim.vectors[content]),
            )

    def _vector_type(self, raw: PgConnection) -> sql.Composable:
        row = raw.execute(sqlfiles.query("vector_schema")).fetchone()
        assert row is not None
        return sql.Identifier(row[0], self._storage)

    def renew(self, claim: Claim) -> None:
        """Prolongs the lease. Raises: LeaseLost."""
        with autocommitted(self.engine) as raw:
            row = raw.execute(
                sqlfiles.query("renew_work"), {"lease": claim.lease, "prolong": self.lease}
            ).fetchone()
        if not row or not row[0]:
            raise LeaseLost(
                f"the lease on {len(claim.items)} work items of {self.collection} has run out."
            )

    def release(self, claim: Claim) -> None:
        """Gives the items back untried."""
        with transaction(self.engine) as raw:
            raw.execute(sqlfiles.query("release_work"), {"lease": claim.lease})

    def fail(self, claim: Claim, max_attempts: int, retry_in: timedelta) -> tuple[int, int]:
        """Records ``claim.error`` for every item that the lease still holds.

        Returns how many failed and how many of them are now set aside.
        """
        parameters: dict[str, Any] = {
            "lease": claim.lease,
            "error": f"{type(claim.error).__name__}: {claim.error}",
            "max_attempts": max_attempts,
            "retry_in": retry_in,
            "split": True,
        }
        with transaction(self.engine) as raw:
            if isinstance(claim.error, EmbedderUnavailable):
                # No text is to blame: nothing is counted against the items, or set aside.
                row = raw.execute(sqlfiles.query("postpone_work"), parameters).fetchone()
                return (int(row[0]), 0) if row else (0, 0)
            row = raw.execute(sqlfiles.query("fail_work"), parameters).fetchone()
        return (sum(row), int(row[2])) if row else (0, 0)

    def retry_set_aside(self, version: str | None) -> int:
        """Opens the items again that were set aside. Returns how many."""
        with transaction(self.engine) as raw:
            row = raw.execute(
                sqlfiles.query("retry_set_aside"),
                {"collection": self.collection, "model_version": version},
            ).fetchone()
        return int(row[0]) if row else 0

    def newest(self, versions: list[str]) -> int:
        """The number of the newest item, 0 without any."""
        with autocommitted(self.engine) as raw:
            row = raw.execute(
                sqlfiles.query("newest_item"),
                {"collection": self.collection, "versions": versions},
            ).fetchone()
        assert row is not None
        return int(row[0])

    def waiting(self, versions: list[str], mark: Mark | None) -> tuple[int, float]:
        """How many items are still to be waited for, and for how many seconds at least.

        All that are open; with a ``mark``, those among what was open then that others hold.
        """
        parameters: dict[str, Any] = {"collection": self.collection, "versions": versions}
        name = "open_work"
        if mark is not None:
            name = "held_work"
            parameters["newest"] = mark.newest
        with autocommitted(self.engine) as raw:
            row = raw.execute(sqlfiles.query(name), parameters).fetchone()
        assert row is not None
        return int(row[0]), float(row[2] or 0.0)
