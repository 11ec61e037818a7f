"""What an operation is, and where its statements go: online into the migration's own transaction,
offline into the script that ``--sql`` writes.
"""  # noqa: D205

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

__all__ = ["PgvecOp", "Target", "fields_of", "one_line_errors", "perform"]


@contextmanager
def one_line_errors() -> Generator[None]:
    """Raise ``CommandError`` for this package's errors: Alembic's command prints it as one line."""
    try:
        with translated():
            yield
    except PgvecError as exc:
        code = f" ({exc.sqlstate})" if exc.sqlstate else ""
        raise CommandError(" ".join(f"{exc}{code}".split())) from exc


class Target:
    """Where statements go: the migration's transaction, or the script that ``--sql`` writes."""

    def __init__(self, operations: Operations) -> None:
        self._context = operations.get_context()
        self.offline = self._context.as_sql

    def script(self, text: str) -> None:
        """Runs several statements; nothing in the text is a placeholder."""
        if self.offline:
            self._context.impl.static_output(text)
        else:
            self._execute(text, None)

    def one(self, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Runs a named statement of ``sql/queries``; online, returns its first value."""
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
                f"the operations of pgvec need the driver psycopg, this connection uses "
                f"{connection.dialect.driver}.",
                hint="Write the URL of the migrations as postgresql+psycopg://….",
                detail={"requirement": "psycopg"},
            )
        # The driver's own cursor: SQLAlchemy would take ":" and "%" in function bodies for its own.
        cursor = connection.connection.cursor()
        there = True
        try:
            # Asked first: after an error this transaction answers nothing more.
            cursor.execute(sqlfiles.query("catalog_exists"))
            there = bool((cursor.fetchone() or [False])[0])
            cursor.execute(text, parameters)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
        except psycopg.Error as exc:
            if names_nothing(exc) and not there:
                raise catalog_not_installed(exc.sqlstate) from exc
            raise
        finally:
            cursor.close()


def with_literals(text: str, parameters: Mapping[str, Any] | None) -> str:
    """The statement with its values written out, as psycopg would send them."""
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
    """What all operations share. ``verb`` is the name on ``op``; the fields are its arguments."""

    verb: ClassVar[str]

    @classmethod
    def invoked(cls, operations: Operations, *args: Any, **kwargs: Any) -> Any:
        """What ``op.<verb>(…)`` calls."""
        return operations.invoke(cls(*args, **kwargs))

    def run(self, target: Target) -> None:
        """Sends the operation's statements to ``target``."""
        raise NotImplementedError

    def arguments(self) -> dict[str, Any]:
        """The fields by name."""
        return {f.name: getattr(self, f.name) for f in fields_of(self)}

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """How ``alembic check`` lists the operation."""
        return (self.verb, *self.arguments().values())


def fields_of(operation: PgvecOp | type[PgvecOp]) -> list[dataclasses.Field[Any]]:
    """What an operation is made from."""
    return [f for f in dataclasses.fields(cast("Any", operation)) if f.init]


def perform(operations: Operations, operation: PgvecOp) -> None:
    """What Alembic calls for each of our operations. Raises: CommandError."""
    with one_line_errors():
        operation.run(Target(operations))
