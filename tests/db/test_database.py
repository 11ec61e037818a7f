"""Connections and their errors: what a caller meets is the tree of pgvec_versions.errors."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, create_engine

from pgvec_versions import errors
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import (
    CatalogMismatch,
    CatalogNotInstalled,
    ConfigError,
    DatabaseUnavailable,
    InvalidArgument,
    InvalidVector,
    LockTimeout,
    NotPermitted,
    PgvecError,
    UnknownCollection,
    VersionNotWritable,
    error_for,
)
from pgvec_versions.postgres import vectors
from pgvec_versions.postgres.database import autocommitted, engine_for, psycopg_url, transaction
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker
from tests.db.helpers import execute, open_store
from tests.tools import Connect, TinyEmbedder

CODES = {
    c.code: c for c in vars(errors).values() if isinstance(c, type) and getattr(c, "code", None)
}


def test_every_code_that_the_database_raises_becomes_its_class(engine: Engine) -> None:
    assert "PV011" in CODES
    for code, cls in CODES.items():
        with pytest.raises(PgvecError) as caught, transaction(engine) as raw:
            raw.execute(
                "SELECT pgvec.raise_error(%s, 'what happened', '{\"k\": 1}', 'what to do')", (code,)
            )
        found = caught.value
        assert type(found) is cls
        assert (found.message, found.hint, found.detail) == (
            "what happened",
            "what to do",
            {"k": 1},
        )
        assert (found.sqlstate, found.exit_code) == (code, cls.exit_code)


def test_an_error_of_the_hosts_own_passes_through(engine: Engine) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), transaction(engine) as raw:
        raw.execute("SELECT 1 / 0")
    with pytest.raises(psycopg.errors.UndefinedTable), transaction(engine) as raw:
        raw.execute("SELECT * FROM nowhere")


def test_a_row_of_an_unknown_version_has_nowhere_to_go(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    insert = "INSERT INTO docs (model_version, content, embedding) VALUES (%s, 'x', %s)"
    for version, vector, expected in [
        ("v9", "[1,2,3,4,5,6,7,8]", VersionNotWritable),
        ("v1", "[1,2,3]", InvalidVector),
        ("v1", "[0,0,0,0,0,0,0,0]", InvalidVector),
    ]:
        with pytest.raises(PgvecError) as caught:
            execute(engine, insert, version, vector)
        assert type(caught.value) is expected
        assert caught.value.sqlstate == "23514"


def test_text_that_cannot_be_stored_is_the_callers_error(engine: Engine) -> None:
    for statement, value in [("SELECT %s::text", "a\0b"), ("SELECT %s::jsonb", '"\\u0000"')]:
        with pytest.raises(InvalidArgument):
            execute(engine, statement, value)


def test_a_lock_that_is_not_to_be_had_and_a_missing_privilege_have_names(
    engine: Engine, connect: Connect
) -> None:
    open_store(engine, TinyEmbedder())
    holder = connect(autocommit=False)
    holder.execute("LOCK TABLE docs")
    at_most = "SET LOCAL lock_timeout = '1ms'; SELECT count(*) FROM docs"
    with pytest.raises(LockTimeout), transaction(engine) as raw:
        raw.execute(at_most)
    holder.rollback()
    role = "pgvec_nobody"
    found = execute(engine, "SELECT count(*) FROM pg_roles WHERE rolname = %s", role)
    if found == [(0,)]:
        execute(engine, f"CREATE ROLE {role}")
    with pytest.raises(NotPermitted, match="permission denied"), transaction(engine) as raw:
        raw.execute(f"SET LOCAL ROLE {role}; SELECT count(*) FROM docs".encode())


@pytest.mark.parametrize(
    "url", ["", "no url", "postgresql://host:port/db", "mysql://host/db", "sqlite://", "/tmp/x"]
)
def test_what_is_no_postgresql_url_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError):
        engine_for(url)


def test_an_engine_with_another_driver_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="pysqlite"):
        engine_for(create_engine("sqlite://"))


def test_an_engine_is_taken_as_it_is(engine: Engine) -> None:
    assert engine_for(engine) is engine


def test_without_a_server_one_line_says_so() -> None:
    url = "postgresql://nobody@127.0.0.1:1/nowhere"
    opened: list[Any] = [
        lambda: ChunkStore(url, "docs"),
        lambda: Worker(url, "docs", TinyEmbedder()),
        lambda: retire_due(url),
    ]
    for attempt in opened:
        with pytest.raises(DatabaseUnavailable) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert "--database-url" in str(caught.value)


def test_a_database_that_is_not_there_is_unavailable(database: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        ChunkStore(database.replace("/t_", "/gone_"), "docs")


def test_without_the_catalog_the_error_says_how_to_get_it(empty_database: str) -> None:
    for attempt in (
        lambda: ChunkStore(empty_database, "docs"),
        lambda: Transition(empty_database, "docs", "v1", TinyEmbedder()),
        lambda: Worker(empty_database, "docs", TinyEmbedder()),
        lambda: retire_due(empty_database),
    ):
        with pytest.raises(CatalogNotInstalled, match="pgvec init"):
            attempt()
    engine = engine_for(empty_database)
    with pytest.raises(CatalogNotInstalled):
        execute(engine, "SELECT pgvec.active_version('docs')")
    engine.dispose()


def test_a_catalog_of_another_version_is_refused(engine: Engine) -> None:
    execute(engine, "INSERT INTO pgvec.catalog_version (version) VALUES (99)")
    with pytest.raises(CatalogMismatch) as caught:
        ChunkStore(engine, "docs")
    assert caught.value.detail["installed"] == 99


def test_an_unknown_collection_is_named(engine: Engine) -> None:
    with pytest.raises(UnknownCollection, match="nowhere"):
        ChunkStore(engine, "nowhere")


def test_an_exception_that_is_none_of_the_databases_is_none_of_ours() -> None:
    assert error_for(ValueError("x")) is None
    assert error_for(psycopg.ProgrammingError("wrong number of parameters")) is None


def test_a_loan_that_fails_gives_the_connection_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: object) -> None:
        raise RuntimeError("not today")

    small = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=1)
    with monkeypatch.context() as patch:
        patch.setattr(vectors, "register", broken)
        # Kept, or the collector of garbage would give it back.
        loan = autocommitted(small)
        with pytest.raises(RuntimeError, match="not today"), loan:
            pass
    with autocommitted(small) as raw:
        assert raw.execute("SELECT 1").fetchone() == (1,)
    small.dispose()


def test_a_database_name_may_be_written_with_escapes() -> None:
    """SQLAlchemy before 2.1 would look for a database with %20 in its name."""
    assert psycopg_url("postgresql://h/my%20data%2525").database == "my data%25"
    assert psycopg_url(URL.create("postgresql", database="a%20b")).database == "a%20b"
