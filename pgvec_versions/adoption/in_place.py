"""Makes an existing table the first version of a collection: no copy, no new vectors.

The database says which steps are left (``pgvec.adoption_steps``); this module runs them, one
statement at a time, and asks again. A process that is killed loses nothing: the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString, cast

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.embedders import Embedder
from pgvec_versions.errors import AlreadyExists, InvalidArgument
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.locks import patiently, set_lock_timeout
from pgvec_versions.postgres.rows import read_row, read_rows, read_value

#: The options of the collection and of its first version that you may give.
_DEFAULTS: dict[str, Any] = {
    "distance": "cosine",
    "m": 16,
    "ef_construction": 64,
    "retire_after": timedelta(days=7),
    "require_query_version": True,
    "follow_while_draining": True,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of an adoption.

    ``lock`` is the strongest lock that it takes on the table. ``held`` says for how long: ``a
    moment`` reads no row, tens of milliseconds at most; ``a scan`` and ``a build`` grow
    with it, and leave readers and writers alone.
    """

    name: str
    statement: str
    lock: str
    held: str


OnStep = Callable[[Step], None]


class Adoption:
    """The adoption of a table as ``collection``: begin, run, and undo until the first cut-over.

    Raises: CatalogNotInstalled.
    """

    def __init__(self, target: str | URL | Engine, collection: str) -> None:
        self.engine = engine_for(target)
        self.collection = collection
        with autocommitted(self.engine) as raw:
            require_catalog(raw)

    def begin(
        self,
        table: str,
        model_version: str,
        *,
        columns: Mapping[str, str] | None = None,
        embedder: Embedder | None = None,
        **options: Any,
    ) -> dict[str, str]:
        """Writes down what is to become of the table, and returns how its columns are mapped.

        ``table`` is the name, with its schema unless the search path finds it. ``columns`` maps
        the chunk table's columns to the table's own names (``{"content": "body"}``); what you
        leave out is guessed. ``options``: distance, m, ef_construction, retire_after,
        require_query_version, follow_while_draining.
        Effects: one row in the catalog; the table itself is unchanged. A second call with the same
        table and label does nothing.
        Raises: InvalidArgument (what does not fit, with what to do), AlreadyExists, NotPermitted.
        """
        with transaction(self.engine) as raw:
            return self._begin(raw, table, model_version, columns, embedder, options)

    def _begin(
        self,
        raw: PgConnection,
        table: str,
        model_version: str,
        columns: Mapping[str, str] | None,
        embedder: Embedder | None,
        options: Mapping[str, Any],
    ) -> dict[str, str]:
        found = read_row(raw, sqlfiles.query("adoption"), {"collection": self.collection})
        source = read_value(raw, sqlfiles.query("table_oid"), {"table": table})
        if found is not None:
            named = found.old_view if found.adopted_at else found.source
            if found.model_version != model_version or named != source:
                raise AlreadyExists(
                    f"{self.collection} is being adopted from {found.whole_name} as version "
                    f"{found.model_version}.",
                    hint="Finish that adoption, undo it, or choose another name.",
                    detail={"collection": self.collection},
                )
            return found.columns
        if source is None:
            raise InvalidArgument(
                f"there is no table {table!r}.", hint="Name it with its schema: public.documents."
            )
        chosen = {**_DEFAULTS, **options}
        if unknown := sorted(set(options) - set(_DEFAULTS)):
            raise InvalidArgument(f"unknown options: {', '.join(unknown)}.")
        identity = {} if embedder is None else embedder.identity.to_json()
        return read_value(
            raw,
            sqlfiles.query("begin_adoption"),
            {
                "source": source,
                "collection": self.collection,
                "model_version": model_version,
                "columns": Jsonb(dict(columns or {})),
                "embedder": Jsonb(identity),
                **chosen,
            },
        )

    def preview(
        self,
        table: str,
        model_version: str,
        *,
        columns: Mapping[str, str] | None = None,
        embedder: Embedder | None = None,
        **options: Any,
    ) -> tuple[dict[str, str], list[Step]]:
        """What ``begin`` and ``run`` would do: the mapping of the columns, and every statement.

        Changes nothing. Raises what ``begin`` raises.
        """
        with transaction(self.engine) as raw, raw.transaction(force_rollback=True):
            mapped = self._begin(raw, table, model_version, columns, embedder, options)
            return mapped, self._steps(raw, "adoption_steps")

    def steps(self) -> list[Step]:
        """The statements that are left until the table is adopted; none when it is."""
        with autocommitted(self.engine) as raw:
            return self._steps(raw, "adoption_steps")

    def undo_steps(self) -> list[Step]:
        """The statements that are left until the table is what it was. Raises: WrongState."""
        with autocommitted(self.engine) as raw:
            return self._steps(raw, "undo_steps")

    def finish_steps(self) -> list[Step]:
        """What ``finish`` would run. Raises: WrongState before ``run`` is through."""
        with autocommitted(self.engine) as raw:
            return self._steps(raw, "finish_steps")

    def finish(self, on_step: OnStep | None = None) -> None:
        """Drops the table's old vector indexes, which only the way back needs.

        Until then TRUNCATE is refused, and REINDEX and the restore of a dump fail on them.
        Effects: there is no way back any more. Raises: WrongState before ``run`` is through.
        """
        for step in self.finish_steps():
            self._do(step, on_step)

    def _steps(self, raw: PgConnection, query: str) -> list[Step]:
        found = read_rows(raw, sqlfiles.query(query), {"collection": self.collection})
        return [Step(row.step, row.statement, row.lock, row.held) for row in found]

    def run(self, on_step: OnStep | None = None) -> None:
        """Runs the steps that are left. ``on_step`` is told each one before it begins.

        Effects: the table is the active version of the collection; a view has its name.
        Readers and writers of the table go on. No step makes them wait for longer than 200 ms in
        one try, and a step that does not get its lock is tried again.
        Raises: LockTimeout after the last try; what was done stays done, and ``run`` goes on.
        """
        last = None
        while left := self.steps():
            if last is not None and last == left[0] and last.name != "metadata":
                raise AssertionError(f"this step does not end: {left[0].statement}")
            last = left[0]
            self._do(last, on_step)

    def undo(self, on_step: OnStep | None = None) -> None:
        """Makes the table what it was before, with what was written since.

        Raises: WrongState after the first cut-over, or while another version is live; LockTimeout.
        """
        while True:
            step = self.undo_steps()[0]
            self._do(step, on_step)
            if step.name == "swap back":
                return

    def _do(self, step: Step, on_step: OnStep | None) -> None:
        if on_step is not None:
            on_step(step)
        # Our own functions wrote it; its names are quoted there.
        statement = sql.SQL(cast("LiteralString", step.statement))

        def once(wait: timedelta) -> None:
            with transaction(self.engine) as raw:
                set_lock_timeout(raw, wait)
                raw.execute(statement)

        if step.held != "a build":
            patiently(once)
            return
        with autocommitted(self.engine) as raw:
            # A build waits for old transactions, and nobody waits behind it.
            raw.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            try:
                raw.execute(statement)
            finally:
                raw.execute("RESET lock_timeout; RESET statement_timeout")
