"""What an operation is, and how it runs: in the migration's transaction, or into a script.

Alembic writes a script with ``--sql``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import psycopg
from alembic.operations import MigrateOperation, Operations
from alembic.util import CommandError
from psycopg import sql

from pgvec_versions.errors import PgvecError, RequirementMissing, translated
from pgvec_versions.errors.translation import catalog_not_installed, names_nothing
from pgvec_versions.postgres import sqlfiles

#: The isolation level is Alembic's: its transaction has begun before an operation runs.
_READ_COMMITTED = (
    "Let the migrations run in READ COMMITTED: in env.py, "
    'create_engine(…, isolation_level="READ COMMITTED").'
)


@contextmanager
def one_line_errors() -> Generator[None]:
    """Raises ``CommandError`` for this package's errors. Alembic prints it as one line."""
    try:
        with translated():
            yield
    except PgvecError as exc:
        if "isolation" in exc.detail:
            exc.hint = _READ_COMMITTED
        code = f" ({exc.sqlstate})" if exc.sqlstate else ""
        raise CommandError(" ".join(f"{exc}{code}".split())) from exc


class Target:
    """Where statements go: the migration's transaction, or the script that ``--sql`` writes."""

    def __init__(self, operations: Operations) -> None:
        self._context = operations.get_context()
        self.offline = self._context.as_sql

    def script(self, text: str) -> None:
        """Runs several statements. The text has no placeholders."""
        if self.offline:
            self._context.impl.static_output(text)
        else:
            self._execute(text, None)

    def one(self, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Runs a named statement of ``sql/queries``. Online, returns its first value."""
        text = sqlfiles.query(name).as_string(None)
        if self.offline:
            self._context.impl.static_output(with_literals(text, parameters) + ";")
            return None
        return self._execute(text, parameters)

    def _execute(self, text: str, parameters: Mapping[str, Any] | None) -> Any:
        connection = self._context.connection
        assert connection is not None
        if connection.dialect.driver not in ("psycopg", "psycopg_async"):
            raise RequirementMissing(
                f"pgvec's operations need the driver psycopg; this connection uses "
                f"{connection.dialect.driver}.",
                hint="Write the URL of the migrations as postgresql+psycopg://….",
                detail={"requirement": "psycopg"},
            )
        # The driver's own cursor: SQLAlchemy would take ":" and "%" in function bodies for its own.
        cursor = connection.connection.cursor()
        has_catalog = True
        try:
            # Asked first: after an error this transaction answers no more questions.
            cursor.execute(sqlfiles.query("catalog_exists"))
            has_catalog = _first_value(cursor)
            cursor.execute(text, parameters)
            return _first_value(cursor) if cursor.description else None
        except psycopg.Error as exc:
            if names_nothing(exc) and not has_catalog:
                raise catalog_not_installed(exc.sqlstate) from exc
            raise
        finally:
            cursor.close()


def _first_value(cursor: Any) -> Any:
    row = cursor.fetchone()
    if row is None:
        return None
    value, *_ = row
    return value


def with_literals(text: str, parameters: Mapping[str, Any] | None) -> str:
    """The statement with its values as literals, as psycopg would write them."""
    if parameters is None:
        return text
    parts = re.split(r"%\((\w+)\)s", text)
    for position, part in enumerate(parts):
        if position % 2:
            parts[position] = sql.Literal(parameters[part]).as_string(None).strip()
        else:
            parts[position] = part.replace("%%", "%")
    return "".join(parts)


class PgvecOp(MigrateOperation):
    """The base of all operations. ``verb``: the method of ``op``; the fields are its arguments."""

    verb: ClassVar[str]

    @classmethod
    def invoked(cls, operations: Operations, *args: Any, **kwargs: Any) -> Any:
        """Alembic calls this for ``op.<verb>(…)``."""
        return operations.invoke(cls(*args, **kwargs))

    def run(self, target: Target) -> None:
        """Sends the operation's statements to ``target``."""
        raise NotImplementedError

    def arguments(self) -> dict[str, Any]:
        """The fields by name."""
        return {f.name: getattr(self, f.name) for f in fields_of(self)}

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The form in which ``alembic check`` lists the operation."""
        return (self.verb, *self.arguments().values())


def fields_of(operation: PgvecOp | type[PgvecOp]) -> list[dataclasses.Field[Any]]:
    """The fields that are arguments of an operation."""
    return [f for f in dataclasses.fields(cast("Any", operation)) if f.init]


def perform(operations: Operations, operation: PgvecOp) -> None:
    """Alembic calls this to run an operation. Raises: CommandError."""
    with one_line_errors():
        operation.run(Target(operations))
