"""Saying which version made the query vector: for one transaction, in every kind of session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pgvec_versions import AsyncChunkStore, ChunkStore, QueryVector, Worker
from pgvec_versions.chunks.mapped import declare_query_version
from pgvec_versions.errors import (
    QueryVersionMismatch,
    QueryVersionNotDeclared,
    error_for,
    translated,
)
from tests.models.conftest import EMBEDDERS, HostDatabase
from tests.models.host import ActiveDoc
from tests.pgbouncer import pooled as pgbouncer

COUNT = select(func.count()).select_from(ActiveDoc)


def nearest(query: QueryVector) -> Any:
    return select(ActiveDoc.content).order_by(ActiveDoc.embedding.cosine_distance(query)).limit(1)


def test_a_session_that_forgot_is_told_the_line_to_say(host: HostDatabase) -> None:
    with Session(host.engine) as session:
        with pytest.raises(DBAPIError) as caught:
            session.scalars(nearest(host.store.embed_query("text 3")))
        error = error_for(caught.value)
        assert isinstance(error, QueryVersionNotDeclared)
        assert error.sqlstate == "PV012"
        assert error.hint is not None
        line = error.hint.split("made it: ")[1].split(" (SET LOCAL")[0]
        session.rollback()
        session.execute(text(line.replace("SET ", "SET LOCAL ")))
        assert session.scalar(nearest(host.store.embed_query("text 3"))) == "text 3"


def test_a_declared_session_meets_only_its_own_version(host: HostDatabase) -> None:
    query = host.store.embed_query("text 3")
    with Session(host.engine) as session:
        session.execute(declare_query_version(ActiveDoc, query))
        assert session.scalar(nearest(query)) == "text 3"
    host.cut_over("v2")
    with Session(host.engine) as session:
        session.execute(declare_query_version(ActiveDoc, query))
        with pytest.raises(QueryVersionMismatch) as caught, translated():
            session.scalar(nearest(query))
        assert caught.value.detail["active"] == "v2"
        assert caught.value.detail["query_version"] == "v1"


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_what_was_said_ends_with_the_transaction(host: HostDatabase, end: str) -> None:
    engine = one_connection(host.url)
    with Session(engine) as session:
        session.execute(declare_query_version(ActiveDoc, "v1"))
        assert session.scalar(COUNT) == 20
        getattr(session, end)()
        with pytest.raises(QueryVersionNotDeclared), translated():
            session.scalar(COUNT)
        session.rollback()
        session.execute(declare_query_version("docs", "any"))
        assert session.scalar(COUNT) == 20
    # The very same connection, out of the pool.
    with Session(engine) as other, pytest.raises(QueryVersionNotDeclared), translated():
        other.scalar(COUNT)
    engine.dispose()


def test_a_savepoint_keeps_what_was_said_before_it_and_takes_along_what_was_said_in_it(
    host: HostDatabase,
) -> None:
    with Session(host.engine) as session:
        session.execute(declare_query_version(ActiveDoc, "v1"))
        with session.begin_nested() as inner:
            assert session.scalar(COUNT) == 20
            session.execute(declare_query_version(ActiveDoc, "v2"))
            with pytest.raises(QueryVersionMismatch), translated(), session.begin_nested():
                session.scalar(COUNT)
            inner.rollback()
        assert session.scalar(COUNT) == 20
        session.rollback()
        with session.begin_nested():
            session.execute(declare_query_version(ActiveDoc, "v1"))
        assert session.scalar(COUNT) == 20, "a savepoint that was released keeps it"


def test_outside_a_transaction_it_says_nothing(host: HostDatabase) -> None:
    autocommit = host.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        connection.execute(declare_query_version(ActiveDoc, "v1"))
        with pytest.raises(QueryVersionNotDeclared), translated():
            connection.execute(COUNT)


def test_sessions_side_by_side_do_not_hear_each_other(host: HostDatabase) -> None:
    with Session(host.engine) as one, Session(host.engine) as other:
        one.execute(declare_query_version(ActiveDoc, "v1"))
        other.execute(declare_query_version(ActiveDoc, "v2"))
        assert one.scalar(COUNT) == 20
        with pytest.raises(QueryVersionMismatch), translated():
            other.scalar(COUNT)


def test_async_sessions_say_it_the_same_way(host: HostDatabase) -> None:
    asyncio.run(ask_async(host.url))


async def ask_async(url: str, at_once: int = 20) -> None:
    """Each of many async sessions on few connections asks for itself, with and without saying."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=3,
        max_overflow=0,
        connect_args={"prepare_threshold": None},
    )
    store = AsyncChunkStore(engine, "docs", EMBEDDERS)

    async def ask(number: int) -> None:
        query = await store.embed_query(f"text {number}")
        async with AsyncSession(engine) as session:
            if number % 2:
                await session.execute(declare_query_version(ActiveDoc, query))
                assert await session.scalar(nearest(query)) == f"text {number}"
                await session.rollback()
            with pytest.raises(DBAPIError) as caught:
                await session.scalar(nearest(query))
            assert isinstance(error_for(caught.value), QueryVersionNotDeclared)

    await asyncio.gather(*(ask(number) for number in range(at_once)))
    await store.close()
    await engine.dispose()


# --- Through PgBouncer, where a connection is another one after every transaction ---


@pytest.fixture
def pooled(host: HostDatabase) -> Iterator[str]:
    # A pool of one: every client meets what the one before it left.
    with pgbouncer(host.url, pool_size=1) as url:
        yield url


def test_through_pgbouncer_nothing_leaks_from_one_client_to_the_next(
    host: HostDatabase, pooled: str
) -> None:
    first, second = one_connection(pooled), one_connection(pooled)
    query = host.store.embed_query("text 3")
    with Session(first) as one, Session(second) as other:
        for _ in range(3):
            one.execute(declare_query_version(ActiveDoc, query))
            assert one.scalar(nearest(query)) == "text 3"
            one.commit()
            with pytest.raises(QueryVersionNotDeclared), translated():
                other.scalar(nearest(query))
            other.rollback()
    first.dispose()
    second.dispose()
    asyncio.run(ask_async(pooled, at_once=6))


def test_through_pgbouncer_the_stores_work_and_follow_a_cut_over(
    host: HostDatabase, pooled: str
) -> None:
    store = ChunkStore(pooled, "docs", EMBEDDERS)
    store.add(["pooled"])
    assert store.search("pooled", k=1)[0].model_version == "v1"
    Worker(pooled, "docs", EMBEDDERS).drain()
    host.cut_over("v2")

    async def search() -> list[str]:
        async with AsyncChunkStore(pooled, "docs", EMBEDDERS) as async_store:
            found = await asyncio.gather(*(async_store.search("pooled", k=1) for _ in range(20)))
            return [f"{hits[0].content} {hits[0].model_version}" for hits in found]

    assert set(asyncio.run(search())) == {"pooled v2"}
    assert store.search("pooled", k=1)[0].model_version == "v2"


def one_connection(url: str) -> Engine:
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=1,
        max_overflow=0,
        connect_args={"prepare_threshold": None},
    )
