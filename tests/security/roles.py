"""Roles that come and go with a test, and what it is to be one of them."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]
PRIVILEGES = ("read", "write", "worker")


@contextlib.contextmanager
def acting(connection: Connection, role: str) -> Iterator[None]:
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    yield
    connection.execute("RESET ROLE")


@contextlib.contextmanager
def a_role(connection: Connection) -> Iterator[str]:
    """A role that goes again, with what it was given in this database."""
    name = f"g_{uuid.uuid4().hex[:8]}"
    connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield name
    connection.execute("RESET ROLE")
    with contextlib.suppress(psycopg.errors.UndefinedObject):
        drop(connection, name)


def drop(connection: Connection, role: str) -> None:
    for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))
