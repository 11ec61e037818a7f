"""Real servers for every test: PostgreSQL 18 and 16 from the embedded wheel.

A worker starts each server at most once. A database with the catalog serves as a template; a test
that asks for ``database`` gets its own copy, so commits, DDL and concurrency are real.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from filelock import FileLock
from psycopg import sql
from sqlalchemy import Engine

from pgvec_versions.postgres.database import close_shared_engines, engine_for
from pgvec_versions.postgres.embedded import EmbeddedServer, embedded_server
from pgvec_versions.postgres.install import install
from tests.effort import is_nightly
from tests.tools import Connect, TinyEmbedder

ROOT = Path(__file__).parents[1]
TEMPLATE = "pgvec_template"
SHARED = "pgvec_shared"

NEWEST, OLDEST = 18, 16
#: What runs on the oldest server too, in every run: SQL and plans, the move to a newer server, and
#: two files of faults that take every trigger and verb along. `make nightly` runs all on both.
ON_BOTH_SERVERS = (
    "tests/sql/",
    "tests/faults/test_interleavings.py",
    "tests/faults/test_moves.py",
    "tests/faults/test_state_machine.py",
)
#: For speed. What has to survive a crash is tested on clusters of its own: ``tests/clusters.py``.
SERVER_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "jit": "off",
    "deadlock_timeout": "1s",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that needs a server on the newest one, or on both. A mark of its own wins."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "server" not in metafunc.fixturenames or any("server" in mark.args[0] for mark in marks):
        return
    where = metafunc.definition.path.relative_to(ROOT).as_posix()
    both = is_nightly() or where.startswith(ON_BOTH_SERVERS)
    versions = [NEWEST, OLDEST] if both else [NEWEST]
    metafunc.parametrize(
        "server", versions, ids=[f"pg{v}" for v in versions], indirect=True, scope="session"
    )


@contextmanager
def _running_server(version: int) -> Iterator[EmbeddedServer]:
    folder = Path(tempfile.mkdtemp(prefix=f"pgvec-test-{version}-"))
    folder.chmod(0o755)
    with embedded_server(folder / "data", postgres_version=version) as running:
        with psycopg.connect(running.url("postgres"), autocommit=True) as admin:
            for setting, value in SERVER_SETTINGS.items():
                admin.execute(f"ALTER SYSTEM SET {setting} = '{value}'".encode())
            admin.execute("SELECT pg_reload_conf()")
            with psycopg.connect(running.url(TEMPLATE), autocommit=True) as connection:
                install(connection)
            _copy(admin, SHARED, TEMPLATE)
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[int], EmbeddedServer]]:
    """Gives the server of a major version, started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda version: stack.enter_context(_running_server(version)))


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, servers: Callable[[int], EmbeddedServer]
) -> EmbeddedServer:
    """A server of one major version, for the whole session: see ``pytest_generate_tests``."""
    return servers(request.param)


def _copy(admin: psycopg.Connection[Any], name: str, template: str) -> None:
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
    )


def _database(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        _copy(admin, name, template)
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
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder


@pytest.fixture
def cron_url(shared_folder: Path) -> Iterator[str]:
    """The URL of the server with pg_cron, for one test at a time, whichever worker runs it.

    Without that server: skipped, or in CI failed.
    """
    url = os.environ.get("PGVEC_TEST_CRON_URL")
    if not url:
        reason = (
            "no server with pg_cron: "
            "start one with tools/cron_server.sh and set PGVEC_TEST_CRON_URL"
        )
        if os.environ.get("PGVEC_REQUIRE_CRON"):
            pytest.fail(reason)
        pytest.skip(reason)
    with FileLock(shared_folder / "cron-server.lock"):
        yield url


@pytest.fixture(scope="session")
def shared_database(server: EmbeddedServer) -> str:
    """The URL of a database with the catalog that no test may commit to."""
    return server.url(SHARED)


@pytest.fixture
def tx(shared_database: str) -> Iterator[psycopg.Connection[Any]]:
    """One connection in one transaction, rolled back at the end: for whatever needs no commit."""
    connection: psycopg.Connection[Any] = psycopg.connect(shared_database)
    yield connection
    connection.rollback()
    connection.close()
