"""The statements on one chunk table, and the delete that goes through every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import errors as pg_errors
from psycopg import sql

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.errors import LockTimeout, StaleSnapshot
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import Caller, PgConnection, reading

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: How often the same writes are made when other sessions write the same chunks.
TRIES = 5
#: After a deadlock, the session that waited for us takes its rows first; otherwise both could meet
#: again at once. Units: seconds.
_AFTER_DEADLOCK = 0.05


class ChunkTable:
    """The statements on the chunk table of one collection."""

    def __init__(self, known: Collection) -> None:
        self._known = known

    def statement(self, name: str, target: Version | None = None) -> sql.Composed:
        """A statement of ``sql/queries/store.sql`` for this table, and for a version's rows."""
        schema = self._known.host_schema
        if name != "copy_chunks":
            # In a statement with parameters, psycopg reads a % even inside a quoted name.
            schema = schema.replace("%", "%%")
        return sqlfiles.query(name).format(
            chunk_table=sql.Identifier(schema, self._known.collection),
            model_version=sql.Literal(target.model_version if target else ""),
            id_type=self._known.id_type_name,
        )

    def delete(self, raw: PgConnection, which: str, **parameters: Any) -> int:
        """Deletes the chunks that the query ``which`` finds, through every version at once."""
        known = {"collection": self._known.collection, **parameters}
        rows = raw.execute(self.statement(which), known).fetchall()
        if not rows:
            return 0
        found = {chunk_id for chunk_id, _ in rows}
        free: dict[str, bool] = dict(
            raw.execute(
                sqlfiles.query("free_versions"), {"collection": self._known.collection}
            ).fetchall()
        )
        # A delete through a version that carries reaches all others. A chunk that no such version
        # holds is deleted where it is, even if that waits for the build of an index.
        carried = {chunk_id for chunk_id, label in rows if free.get(label)}
        through = set(free) if carried == found else set(free) | {label for _, label in rows}
        # Not prepared: a generic plan locks every leaf, even one whose index is being built.
        raw.execute(
            self.statement("delete_rows"),
            {"versions": sorted(through), "ids": list(found)},
            prepare=False,
        )
        return len(found)


def go_again(exc: LockTimeout | StaleSnapshot, engine: Engine, caller: Caller | None) -> None:
    """Returns when to make the same writes again, now that they were rolled back, or raises.

    After a deadlock, again: the rollback released their locks, even in a caller's transaction.
    After a serialization failure only with a new snapshot, so not in a caller's transaction.
    """
    if exc.sqlstate == pg_errors.DeadlockDetected.sqlstate:
        with reading(engine, caller) as raw:
            # On the server, so that an event loop goes on.
            raw.execute(sqlfiles.query("let_others_go"), {"seconds": _AFTER_DEADLOCK})
    elif exc.sqlstate != pg_errors.SerializationFailure.sqlstate or caller is not None:
        raise exc
