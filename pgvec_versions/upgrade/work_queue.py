"""Work queue: the work items of a collection as a worker sees them, and all its statements.

Nothing is written without a valid lease; see ``sql/functions/work_items/complete_work.sql``.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.types.json import Jsonb

from pgvec_versions.catalog import Collection
from pgvec_versions.errors import EmbedderUnavailable, LeaseLost
from pgvec_versions.postgres import copying, sqlfiles
from pgvec_versions.postgres.database import (
    PgConnection,
    autocommitted,
    client_encoding,
    transaction,
)
from pgvec_versions.postgres.locks import unlimited
from pgvec_versions.postgres.rows import read_row, read_rows, read_value
from pgvec_versions.upgrade.claims import Claim, ClaimedChunk, Mark
from pgvec_versions.upgrade.presence import Presence

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: How long a write waits for a lock: less than ``deadlock_timeout`` (1 s), so that in a deadlock
#: the worker gives way and no session of the host is ended.
_WRITE_LOCK_TIMEOUT = timedelta(milliseconds=800)
#: When a lease is renewed, as a part of it: a call of the embedder that begins just before, a sixth
#: of the lease long, still ends well inside it.
_RENEW_AFTER = 1 / 3
#: Columns of ``copy_made``.
_MADE_COLUMNS = 4


class Completed(NamedTuple):
    """What a write did. Units: work items for completed and fenced, rows for written and deleted.

    Fenced items had changed, or belonged to another worker by then: nothing was written for them.
    """

    completed: int
    fenced: int
    written: int
    deleted: int


class Failed(NamedTuple):
    """What became of items that failed. Units: work items; ``set_aside`` are among ``failed``."""

    failed: int
    set_aside: int


class OpenWork(NamedTuple):
    """The work that is open for some versions.

    Units: work items; ``next_in`` is the seconds until the next open one can be claimed.
    """

    open: int
    set_aside: int
    next_in: float | None


def open_work(engine: Engine, collection: str, versions: list[str]) -> OpenWork:
    """The work that is open for the versions; claimed items count too."""
    parameters = {"collection": collection, "versions": versions}
    with autocommitted(engine) as raw:
        row = read_row(raw, sqlfiles.query("open_work"), parameters)
    return OpenWork(row.open, row.set_aside, row.next_in)


class WorkQueue:
    """Claims, reads, completes and gives back the work items of one collection.

    ``lease`` is how long a claim lasts without a renewal.
    """

    def __init__(self, engine: Engine, known: Collection, lease: timedelta) -> None:
        self.engine = engine
        self.collection = known.collection
        self.lease = lease
        self._storage = known.storage
        self._id_type = known.id_type
        self._id_type_name = known.id_type_name
        #: Enter it to show for the length of a block that this worker lives.
        self.presence = Presence(engine)
        self._owed: deque[uuid.UUID] = deque()

    def renewal(self, now: float) -> float:
        """When a lease that begins now must be renewed. Units: seconds of the caller's clock."""
        return now + self.lease.total_seconds() * _RENEW_AFTER

    def claim(self, versions: list[str], max_items: int) -> Claim | None:
        """Claims items of one source and one target, and reads their chunks.

        Returns None when there is nothing to claim.
        """
        holder = self.presence.holder()
        with transaction(self.engine) as raw:
            items = read_rows(
                raw,
                sqlfiles.query("claim_work"),
                {
                    "collection": self.collection,
                    "versions": versions,
                    "max_items": max_items,
                    "lease": self.lease,
                    "holder": Jsonb(holder) if holder is not None else None,
                },
            )
        if not items:
            return None
        now = time.monotonic()
        claim = Claim(
            source=items[0].source_version,
            target=items[0].model_version,
            lease=items[0].lease_id,
            items=[item.item_id for item in items],
            revisions=[item.revision for item in items],
            attempts=max(item.attempts for item in items),
            began=now,
            renew_at=self.renewal(now),
        )
        try:
            with autocommitted(self.engine) as raw, suppress(pg_errors.UndefinedTable):
                # A leaf that was dropped meanwhile took its items with it.
                claim.chunks = self._read(raw, claim)
        except BaseException:
            self.give_back(claim)
            raise
        return claim

    def _read(self, raw: PgConnection, claim: Claim) -> list[ClaimedChunk]:
        with raw.cursor(binary=True) as cursor:
            rows = cursor.execute(
                sqlfiles.query("read_work"),
                {
                    "collection": self.collection,
                    "source": claim.source,
                    "target": claim.target,
                    "items": claim.items,
                    "lease": claim.lease,
                },
            ).fetchall()
        return [ClaimedChunk(*row) for row in rows]

    def complete(self, claim: Claim) -> Completed:
        """Writes the claim's vectors and deletes its items, in one transaction.

        Raises: LockTimeout, StaleSnapshot, Busy (the index is being built), VersionNotWritable.
        """
        with unlimited(self.engine, _WRITE_LOCK_TIMEOUT) as raw:
            made_table = sqlfiles.query("made_table").format(
                id_type=self._id_type_name, vector_type=self._vector_type(raw)
            )
            with raw.cursor() as cursor:
                cursor.execute(made_table)
                if claim.chunks:
                    with cursor.copy(sqlfiles.query("copy_made")) as copy:
                        for piece in copying.binary_copy(self._made(raw, claim), _MADE_COLUMNS):
                            copy.write(piece)
            row = read_row(
                raw,
                sqlfiles.query("complete_work"),
                {
                    "collection": self.collection,
                    "source": claim.source,
                    "target": claim.target,
                    "items": claim.items,
                    "revisions": claim.revisions,
                    "lease": claim.lease,
                },
            )
        return Completed(row.completed, row.fenced, row.written, row.deleted)

    def _made(self, raw: PgConnection, claim: Claim) -> Iterator[tuple[bytes, ...]]:
        as_id = copying.id_dumper(self._id_type, copying.text_dumper(client_encoding(raw)))
        read = {"uuid": uuid.UUID, "bigint": int}.get(self._id_type, str)
        for item_ids, chunk_id, content, content_hash in claim.chunks:
            yield (
                copying.int8_array(item_ids),
                as_id(read(chunk_id)),
                copying.bytea(content_hash),
                copying.vector(claim.vectors[content]),
            )

    def _vector_type(self, raw: PgConnection) -> sql.Composable:
        schema = read_value(raw, sqlfiles.query("vector_schema"))
        return sql.Identifier(schema, self._storage)

    def renew(self, claim: Claim) -> None:
        """Extends the lease. Raises: LeaseLost."""
        parameters = {"lease": claim.lease, "prolong": self.lease}
        with transaction(self.engine) as raw:
            renewed = read_value(raw, sqlfiles.query("renew_work"), parameters)
        if not renewed:
            raise LeaseLost(
                f"the lease on {len(claim.items)} work items of {self.collection} has run out."
            )

    def give_back(self, claim: Claim) -> None:
        """Gives the items back untried. What the database does not take now, ``settle`` gives back.

        Raises nothing: the error that made the worker give back is the one to report.
        """
        self._owed.append(claim.lease)
        with suppress(Exception):
            self.settle()

    def settle(self) -> None:
        """Gives back what the database did not take before; nothing if the lease is over."""
        while self._owed:
            lease = self._owed.popleft()
            try:
                with transaction(self.engine) as raw:
                    raw.execute(sqlfiles.query("release_work"), {"lease": lease})
            except BaseException:
                self._owed.appendleft(lease)
                raise

    def fail(self, claim: Claim, max_attempts: int, retry_in: timedelta) -> Failed:
        """Records ``claim.error`` for every item that the lease still holds."""
        parameters: dict[str, Any] = {
            "lease": claim.lease,
            "error": f"{type(claim.error).__name__}: {claim.error}",
            "max_attempts": max_attempts,
            "retry_in": retry_in,
            "split": True,
        }
        with transaction(self.engine) as raw:
            if isinstance(claim.error, EmbedderUnavailable):
                # No text is the cause: no attempt is counted, and no item is set aside.
                return Failed(read_value(raw, sqlfiles.query("postpone_work"), parameters), 0)
            row = read_row(raw, sqlfiles.query("fail_work"), parameters)
        return Failed(row.retried + row.halves + row.set_aside, row.set_aside)

    def retry_set_aside(self, model_version: str | None) -> int:
        """Opens the items again that were set aside, of one version or all. Returns how many."""
        parameters = {"collection": self.collection, "model_version": model_version}
        with transaction(self.engine) as raw:
            return read_value(raw, sqlfiles.query("retry_set_aside"), parameters)

    def newest(self, versions: list[str]) -> int:
        """The number of the newest item, 0 without any."""
        parameters = {"collection": self.collection, "versions": versions}
        with autocommitted(self.engine) as raw:
            return read_value(raw, sqlfiles.query("newest_item"), parameters)

    def waiting(self, versions: list[str], mark: Mark | None) -> tuple[int, float]:
        """How many items to wait for, and the seconds until one of them can be claimed.

        All that are open; with a ``mark``, those up to it that other workers hold.
        """
        if mark is None:
            work = open_work(self.engine, self.collection, versions)
            return work.open, work.next_in or 0.0
        parameters = {
            "collection": self.collection,
            "versions": versions,
            "newest": mark.newest,
        }
        with autocommitted(self.engine) as raw:
            row = read_row(raw, sqlfiles.query("held_work"), parameters)
        return row.held, row.held_for or 0.0
