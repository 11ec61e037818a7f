"""Connections without SQLAlchemy, as `pgvec add` and `pgvec search` use them."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest

from pgvec_versions import Chunk, ChunkStore
from pgvec_versions.errors import DatabaseUnavailable, InvalidArgument, UnknownCollection
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.direct import DirectEngine, direct_engine
from tests.tools import TinyEmbedder, live_collection


def direct(url: str) -> DirectEngine:
    made = direct_engine(url)
    assert isinstance(made, DirectEngine)
    return made


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://app@db.internal/app",
        "postgresql://a%40b:p%3Aw@db:5432/Docs",
        "postgresql://postgres@/app?host=/run/pg&port=5433",
        "postgresql://h/d?sslmode=require&connect_timeout=3",
    ],
)
def test_a_plain_url_means_the_same_to_both(url: str) -> None:
    made = direct(url)
    known = psycopg.conninfo.conninfo_to_dict(url)
    assert (known.get("user"), known.get("password")) == (made.url.username, made.url.password)
    assert known.get("dbname") == made.url.database
    assert engine_for(made) is made


@pytest.mark.parametrize(
    "url",
    [
        "mysql://h/d",
        "postgresql+psycopg://h/d",
        "postgresql://user:p@ss@h/d",
        "postgresql://h/d?hostname=x",
        "postgresql://h:port/d",
        "postgresql://h/d?host=a,b",
        "host=h dbname=d",
        "",
    ],
)
def test_any_other_url_is_left_to_the_engine_that_checks_it(url: str) -> None:
    assert direct_engine(url) is None


def test_a_connection_is_given_back_without_its_transaction(database: str) -> None:
    engine = direct(database)
    try:
        with autocommitted(engine) as raw:
            raw.execute("CREATE TABLE one (n int)")
            raw.execute("BEGIN")
            raw.execute("INSERT INTO one VALUES (1)")
        with suppress(ZeroDivisionError), transaction(engine) as again:
            assert again is raw
            again.execute("INSERT INTO one VALUES (2)")
            raise ZeroDivisionError
        with transaction(engine) as again, transaction(engine) as other:
            assert again is not other
            again.execute("INSERT INTO one VALUES (3)")
        with autocommitted(engine) as raw:
            assert raw.execute("SELECT n FROM one").fetchall() == [(3,)]
    finally:
        engine.dispose()
    assert raw.closed
    assert other.closed


def test_a_session_that_the_server_ended_is_replaced(database: str, db: psycopg.Connection) -> None:
    engine = direct(database)
    with autocommitted(engine) as raw:
        pid = raw.info.backend_pid
    db.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with autocommitted(engine) as raw:
        assert raw.execute("SELECT 1").fetchone() == (1,)
        assert raw.info.backend_pid != pid
    engine.dispose()


def test_errors_are_ours(database: str) -> None:
    with pytest.raises(DatabaseUnavailable), autocommitted(direct("postgresql://127.0.0.1:1/d")):
        pass
    engine = direct(database)
    with pytest.raises(UnknownCollection):
        ChunkStore(engine, "nothing", {})
    with pytest.raises(InvalidArgument), transaction(engine) as raw:
        raw.execute("SELECT '1 parsec'::interval")
    engine.dispose()


def test_a_store_works_on_it(database: str, db: psycopg.Connection) -> None:
    engine = direct(database)
    embedder = TinyEmbedder()
    live_collection(db, count=0)
    db.execute(
        "UPDATE pgvec.model_version SET embedder = %s",
        (psycopg.types.json.Jsonb(embedder.identity.to_json()),),
    )
    store = ChunkStore(engine, "docs", {"v1": embedder})
    assert store.add([Chunk("Lunch is at noon.", "a", 0)]).added == 1
    (hit,) = store.search("Lunch is at noon.", 1)
    assert hit.content == "Lunch is at noon."
    engine.dispose()
