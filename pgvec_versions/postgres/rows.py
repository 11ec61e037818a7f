"""Reading what a statement returns: one value, one row, or all rows, with named columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from psycopg import Connection, sql
from psycopg.rows import namedtuple_row, scalar_row

if TYPE_CHECKING:
    from psycopg.abc import Params

Statement: TypeAlias = sql.SQL | sql.Composed


def read_value(raw: Connection[Any], statement: Statement, parameters: Params | None = None) -> Any:
    """The first column of the first row; None when there is no row."""
    with raw.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def read_row(raw: Connection[Any], statement: Statement, parameters: Params | None = None) -> Any:
    """The first row, a named tuple of its columns; None when there is no row."""
    with raw.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def read_rows(
    raw: Connection[Any], statement: Statement, parameters: Params | None = None
) -> list[Any]:
    """All rows, named tuples of their columns."""
    with raw.cursor(row_factory=namedtuple_row) as cursor:
        return list(cursor.execute(statement, parameters).fetchall())
