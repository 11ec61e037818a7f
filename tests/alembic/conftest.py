"""More than one database a test, and psql on them."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.alembic.tools import NewDatabase, Psql, run_psql
from tests.conftest import TEMPLATE


@pytest.fixture(autouse=True)
def no_database_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGVEC_DATABASE_URL", raising=False)


@pytest.fixture
def new_database(server: EmbeddedServer) -> Iterator[NewDatabase]:
    """Makes databases: with the catalog, or ``new_database(empty=True)``. They go with the test."""
    names: list[str] = []

    def make(empty: bool = False) -> str:
        names.append(f"a_{uuid.uuid4().hex[:12]}")
        template = "template0" if empty else TEMPLATE
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                *map(sql.Identifier, (names[-1], template))
            )
        )
        return server.url(names[-1])

    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        yield make
        for name in names:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def psql(server: EmbeddedServer) -> Psql:
    """Runs a script with the wheel's psql on the database of a URL."""

    def run(url: str, text: str) -> None:
        run_psql(server.psql_command(str(conninfo_to_dict(url)["dbname"])), text)

    return run


@pytest.fixture
def role(server: EmbeddedServer) -> Iterator[str]:
    """A role whose name must be quoted; what it was given goes with the test."""
    name = f'App "{uuid.uuid4().hex[:8]}"'
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        yield name
        for (database,) in admin.execute(
            "SELECT datname FROM pg_database WHERE datname ~ '^(a|t)_'"
        ).fetchall():
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(server.url(database)) as there,
            ):
                there.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
