"""Real servers for every test: PostgreSQL 18 and 16 from the embedded wheel.

Each server is started once a session. A database with the catalog serves as a template; a test
that asks for ``database`` gets its own copy, so commits, DDL and concurrency are real.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from pgvec_versions.postgres.database import close_shared_engines, engine_for
from pgvec_versions.postgres.embedded import EmbeddedServer, embedded_server
from pgvec_versions.postgres.install import install
from tests.tools import Connect, TinyEmbedder

TEMPLATE = "pgvec_template"
SHARED = "pgvec_shared"


@pytest.fixture(scope="session", params=[18, 16], ids=["pg18", "pg16"])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A server of one major version, for the whole session."""
    folder = Path(tempfile.mkdtemp(prefix=f"pgvec-test-{request.param}-"))
    folder.chmod(0o755)
    with embedded_server(folder / "data", postgres_version=request.param) as running:
        with psycopg.connect(running.url("postgres"), autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            connection.execute("ALTER SYSTEM SET deadlock_timeout = '1s'")
            connection.execute("SELECT pg_reload_conf()")
        with psycopg.connect(running.url(TEMPLATE), autocommit=True) as connection:
            install(connection)
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def _database(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        yield server.url(name)
        close_shared_engines()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    """The URL of a database of its own, with the catalog."""
    yield from _database(server, TEMPLATE)


@pytest.fixture
def empty_database(server: EmbeddedServer) -> Iterator[str]:
    """The URL of a database of its own, without the catalog and without pgvector."""
    yield from _database(server, "template0")


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """A SQLAlchemy engine on ``database``."""
    made = engine_for(database)
    yield made
    made.dispose()


@pytest.fixture
def connect(database: str) -> Iterator[Connect]:
    """Opens psycopg connections to ``database``, autocommit by default; closes them all."""
    opened: list[psycopg.Connection[Any]] = []

    def open_one(**options: Any) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = psycopg.connect(
            database, **{"autocommit": True, **options}
        )
        opened.append(connection)
        return connection

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect: Connect) -> psycopg.Connection[Any]:
    """One autocommit connection to ``database``."""
    return connect()


@pytest.fixture
def tiny() -> Callable[..., TinyEmbedder]:
    """Makes small deterministic embedders; see ``TinyEmbedder``."""
    return TinyEmbedder


@pytest.fixture(scope="session")
def cron_url() -> str:
    """The URL of the server with pg_cron. Without one: skipped, or in CI failed."""
    url = os.environ.get("PGVEC_TEST_CRON_URL")
    if not url:
        reason = (
            "no server with pg_cron: "
            "start one with tools/cron_server.sh and set PGVEC_TEST_CRON_URL"
        )
        if os.environ.get("PGVEC_REQUIRE_CRON"):
            pytest.fail(reason)
        pytest.skip(reason)
    return url


@pytest.fixture(scope="session")
def shared_database(server: EmbeddedServer) -> str:
    """The URL of a database with the catalog that no test may commit to."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(SHARED), sql.Identifier(TEMPLATE)
            )
        )
    return server.url(SHARED)


@pytest.fixture
def tx(shared_database: str) -> Iterator[psycopg.Connection[Any]]:
    """One connection in one transaction, rolled back at the end: for whatever needs no commit."""
    connection: psycopg.Connection[Any] = psycopg.connect(shared_database)
    yield connection
    connection.rollback()
    connection.close()
