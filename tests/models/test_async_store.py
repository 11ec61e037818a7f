"""The async store: the sync store's own code, on the event loop, with models beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from pgvec_versions import AsyncChunkStore, Chunk, Where
from pgvec_versions.embedders import EmbedderIdentity
from pgvec_versions.errors import (
    ConfigError,
    FingerprintMismatch,
    QueryVersionMismatch,
    UnknownCollection,
    UnknownVersion,
)
from tests.models.conftest import EMBEDDERS, HostDatabase
from tests.models.host import DocChunk, Document
from tests.tools import TinyEmbedder

T = TypeVar("T")


def with_store(
    host: HostDatabase,
    work: Callable[[AsyncChunkStore], Awaitable[T]],
    embedders: Any = EMBEDDERS,
) -> T:
    async def main() -> T:
        async with AsyncChunkStore(host.url, "docs", embedders) as store:
            return await work(store)

    return asyncio.run(main())


def test_it_does_what_the_sync_store_does(host: HostDatabase) -> None:
    async def work(store: AsyncChunkStore) -> None:
        added = await store.add([Chunk("a", "e", 0, {"n": 1}), Chunk("b", "e", 1, {"n": 2})])
        assert (added.added, added.model_version) == (2, "v1")
        again = await store.add([Chunk("a", "e", 0, {"n": 1}), Chunk("c", "e", 1, {"n": 2})])
        assert (again.unchanged, again.replaced, again.embedded) == (1, 1, 1)
        found = await store.search("c", k=3, filter=[Where("n", ">", 1)])
        assert [hit.content for hit in found] == ["c"]
        assert found == host.store.search("c", k=3, filter=[Where("n", ">", 1)])
        assert await store.delete(document_ids=["e"]) == 2
        status = {row["model_version"]: row["state"] for row in await store.status()}
        assert status == {"v1": "active", "v2": "ready"}
        assert await store.active_version() == "v1"

    with_store(host, work)
    assert [row["chunks"] for row in host.store.status()] == [20, 20]


def test_two_hundred_searches_at_once_all_answer(host: HostDatabase) -> None:
    async def work(store: AsyncChunkStore) -> None:
        words = [f"text {n % 20}" for n in range(200)]
        found = await asyncio.gather(*(store.search(each, k=1) for each in words))
        assert [hits[0].content for hits in found] == words

    with_store(host, work)


def test_the_event_loop_goes_on_while_a_model_runs(host: HostDatabase) -> None:
    model_runs, loop_went_on = threading.Event(), threading.Event()

    class Waiting(TinyEmbedder):
        def embed_queries(self, texts: Any) -> Any:
            model_runs.set()
            assert loop_went_on.wait(30), "the loop stood still"
            return super().embed_queries(texts)

    async def work(store: AsyncChunkStore) -> None:
        search = asyncio.create_task(store.search("text 3", k=1))
        while not model_runs.is_set():
            await asyncio.sleep(0)
        # Meanwhile the store answers others: nobody waits for the model but who asked it.
        assert await store.active_version() == "v1"
        loop_went_on.set()
        assert (await search)[0].content == "text 3"

    with_store(host, work, {"v1": Waiting("old")})


def test_searches_go_on_through_a_cut_over(host: HostDatabase) -> None:
    async def work(store: AsyncChunkStore) -> None:
        assert (await store.search("text 1", k=1))[0].model_version == "v1"
        vector = await store.embed_query("text 1")
        await asyncio.to_thread(host.cut_over, "v2")
        (hit,) = await store.search("text 1", k=1)
        assert (hit.content, hit.model_version) == ("text 1", "v2")
        with pytest.raises(QueryVersionMismatch):
            await store.search(vector)
        assert (await store.embed_query("text 1")).model_version == "v2"

    with_store(host, work)


def test_chunks_commit_or_vanish_with_the_callers_rows(host: HostDatabase) -> None:
    async def main() -> None:
        engine = async_engine(host)
        store = AsyncChunkStore(engine, "docs", EMBEDDERS)
        async with AsyncSession(engine) as session:
            session.add(Document(id=7, title="x"))
            await store.add([Chunk("mine", "m", 0)], connection=session)
            assert (await store.search("mine", k=1, connection=session))[0].content == "mine"
            await session.rollback()
        assert (await store.search("mine", k=1))[0].content != "mine"
        async with engine.begin() as connection:
            await store.add([Chunk("mine", "m", 0)], connection=connection)
            with pytest.raises(UnknownVersion):
                await store.add(["x"], version="v9", connection=connection)
        async with AsyncSession(engine) as session:
            assert await session.scalar(select(Document.id).where(Document.id == 7)) is None
            found = await session.scalars(select(DocChunk).where(DocChunk.content == "mine"))
            assert [chunk.model_version for chunk in found] == ["v1"]
        await store.close()
        await engine.dispose()

    asyncio.run(main())


def test_a_cancelled_add_leaves_nothing_and_the_pool_whole(host: HostDatabase) -> None:
    model_runs, cancelled = threading.Event(), threading.Event()

    class Waiting(TinyEmbedder):
        def embed_documents(self, texts: Any) -> Any:
            model_runs.set()
            assert cancelled.wait(30)
            return super().embed_documents(texts)

    async def work(store: AsyncChunkStore) -> None:
        adding = asyncio.create_task(store.add(["never"]))
        while not model_runs.is_set():
            await asyncio.sleep(0)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        cancelled.set()
        hits = await asyncio.gather(*(store.search("never", k=1) for _ in range(20)))
        assert {found[0].content for found in hits}.isdisjoint({"never"})

    with_store(host, work, {"v1": Waiting("old")})


def test_a_model_that_is_another_is_refused_off_the_loop_and_recorded(host: HostDatabase) -> None:
    threads: set[int] = set()

    class Impostor(TinyEmbedder):
        @property
        def identity(self) -> EmbedderIdentity:
            return EMBEDDERS["v1"].identity

        def embed_documents(self, texts: Any) -> Any:
            threads.add(threading.get_ident())
            return super().embed_documents(texts)

    async def work(store: AsyncChunkStore) -> dict[str, str]:
        with pytest.raises(FingerprintMismatch):
            await store.search("text 3")
        with pytest.raises(FingerprintMismatch):
            await store.add(["never"])
        return {row["model_version"]: row["fingerprint"] for row in await store.status()}

    found = with_store(host, work, {"v1": Impostor("another")})
    assert found == {"v1": "differs", "v2": "agrees"}
    assert threads
    assert threading.get_ident() not in threads, "the loop stood still for the canaries"


def test_what_is_wrong_is_said_on_first_use(host: HostDatabase) -> None:
    with pytest.raises(ConfigError):
        AsyncChunkStore("sqlite://", "docs")

    async def main() -> None:
        async with AsyncChunkStore(host.url, "nothing") as store:
            for _ in range(2):
                with pytest.raises(UnknownCollection):
                    await store.status()

    asyncio.run(main())


def async_engine(host: HostDatabase) -> AsyncEngine:
    return create_async_engine(make_url(host.url).set(drivername="postgresql+psycopg"))
