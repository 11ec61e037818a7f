"""Many calls of one store at once: an embedder gets as many as it declares, and no more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions import AsyncChunkStore, ChunkStore
from pgvec_versions.embedders import Embedder, HttpEmbedder
from pgvec_versions.embedders.canaries import CANARIES
from pgvec_versions.embedders.gates import gate_of
from pgvec_versions.embedders.identity import EmbedderIdentity
from pgvec_versions.errors import ConfigError, FingerprintMismatch
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker
from tests.db.helpers import PATIENCE, create_collection, open_store, texts, wait_until
from tests.tools import TinyEmbedder, are_canaries
from tests.unit.http_endpoint import Endpoint

CALLS = 8


class Counting(TinyEmbedder):
    """Counts the calls in it.

    With ``together``, no call ends before that many were in it at once; with ``queue``, none before
    that many others wait at the gate, or too many are in it.
    """

    concurrency = 1

    def __init__(self, seed: str = "a", together: int = 1, queue: int = 0) -> None:
        super().__init__(seed)
        self.together = together
        self.queue = queue
        self.most = self.checks = 0
        self._inside = 0
        self._lock = threading.Lock()

    def embed_documents(self, texts: Sequence[str]) -> Any:
        made = super().embed_documents(texts)
        if are_canaries(texts):
            self.checks += 1
            return made
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        wait_until(lambda: self.most >= self.together and self._queued())
        with self._lock:
            self._inside -= 1
        return made

    def _queued(self) -> bool:
        if self.most > self.concurrency or gate_of(self).waiting >= self.queue:
            self.queue = 0
        return self.queue == 0


class Three(Counting):
    concurrency = 3


class Slotted:
    """An embedder that cannot be remembered: it takes no weak reference."""

    __slots__ = ("inner",)

    def __init__(self, inner: Counting) -> None:
        self.inner = inner

    @property
    def identity(self) -> EmbedderIdentity:
        return self.inner.identity

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    def embed_documents(self, texts: Sequence[str]) -> Any:
        return self.inner.embed_documents(texts)

    def embed_queries(self, texts: Sequence[str]) -> Any:
        return self.inner.embed_queries(texts)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Endpoint()
    yield made
    made.close()


def at_once(work: Callable[[int], Any], calls: int = CALLS) -> list[Any]:
    """One call in each of so many threads, all begun before any goes on."""
    begun = threading.Barrier(calls)

    def one(number: int) -> Any:
        begun.wait(PATIENCE)
        return work(number)

    with ThreadPoolExecutor(calls) as pool:
        return [f.result(PATIENCE) for f in [pool.submit(one, n) for n in range(calls)]]


def begin(engine: Engine, embedder: Embedder, version: str = "v1") -> None:
    """The collection, with that version active. Nothing has passed for another embedder object."""
    create_collection(engine)
    Transition(engine, "docs", version, embedder).run(cut_over=True)


def http(endpoint: Endpoint, **options: Any) -> HttpEmbedder:
    return HttpEmbedder(endpoint.url, "m", revision="1", dimensions=3, **options)


def canary_requests(endpoint: Endpoint) -> int:
    return sum(set(r["input"]) <= set(CANARIES.values()) for r in endpoint.requests)


# --- Threads ---


def test_eight_searches_have_eight_requests_on_their_way_after_one_check(
    engine: Engine, endpoint: Endpoint
) -> None:
    with http(endpoint) as first:
        begin(engine, first)
    endpoint.requests.clear()
    with http(endpoint) as embedder:
        store = ChunkStore(engine, "docs", {"v1": embedder})
        # Documents and queries: the canaries of a check are two requests, before all others.
        at_once(lambda n: store.embed_query(f"q {n}"))
        assert canary_requests(endpoint) == 2
        endpoint.together = CALLS
        assert at_once(lambda n: store.search(f"q {n}")) == [[]] * CALLS
    assert endpoint.most_in_flight == CALLS
    assert canary_requests(endpoint) == 2


def test_adds_at_once_overlap_too(engine: Engine) -> None:
    embedder = Three(together=3)
    begin(engine, embedder)
    store = ChunkStore(engine, "docs", {"v1": embedder})
    embedder.queue = 6 - 3
    at_once(lambda n: store.add([f"text {n}"]), 6)
    assert embedder.most == 3


def test_a_local_model_gets_one_call_at_a_time(engine: Engine) -> None:
    embedder = Counting(queue=CALLS - 1)
    begin(engine, TinyEmbedder())
    store = ChunkStore(engine, "docs", {"v1": embedder})
    at_once(lambda n: store.search(f"q {n}"))
    assert (embedder.most, embedder.checks) == (1, 2)


def test_so_does_an_embedder_that_no_one_can_remember(engine: Engine) -> None:
    embedder = Counting()
    begin(engine, TinyEmbedder())
    store = ChunkStore(engine, "docs", {"v1": Slotted(embedder)})
    bound = store._embedders  # pyright: ignore[reportPrivateUsage]
    (gate,) = bound._gates.values()  # pyright: ignore[reportPrivateUsage]
    with ThreadPoolExecutor(1) as pool:
        with gate.place():
            search = pool.submit(store.search, "q")
            wait_until(lambda: gate.waiting == 1)
            assert embedder.calls == 0
        assert search.result(PATIENCE) == []


def test_two_stores_and_a_worker_share_the_places_of_one_embedder(engine: Engine) -> None:
    embedder = Three()
    begin(engine, embedder)
    stores = [ChunkStore(engine, "docs", {"v1": embedder}) for _ in range(2)]
    stores[0].add(texts(20))
    second = Three(embedder.seed)
    Transition(engine, "docs", "v2", second).begin()
    worker = Worker(engine, "docs", {"v2": second})
    stores.append(ChunkStore(engine, "docs", {"v2": second}))
    at_once(lambda n: worker.drain() if n == 0 else stores[2].embed_query(f"q {n}", "v2"))
    assert 1 <= second.most <= 3
    embedder.together, embedder.queue = 3, CALLS - 3
    at_once(lambda n: stores[n % 2].search(f"q {n}"))
    assert embedder.most == 3


def test_all_who_ask_at_once_get_the_refusal_of_one_check(engine: Engine) -> None:
    class Impostor(Three):
        @property
        def identity(self) -> EmbedderIdentity:
            return TinyEmbedder().identity

    begin(engine, TinyEmbedder())
    embedder = Impostor("another")
    store = ChunkStore(engine, "docs", {"v1": embedder})

    def refused(number: int) -> str:
        with pytest.raises(FingerprintMismatch) as caught:
            store.search(f"q {number}")
        return caught.value.sqlstate

    assert set(at_once(refused)) == {"PV070"}
    assert embedder.most == 0
    assert store.status()[0]["fingerprint"] == "differs"


@pytest.mark.parametrize("opened", [ChunkStore, AsyncChunkStore, Worker])
def test_a_number_that_is_none_is_refused_when_the_store_is_opened(
    engine: Engine, opened: Callable[..., Any]
) -> None:
    class Wrong(TinyEmbedder):
        concurrency = 0

    begin(engine, TinyEmbedder())
    target = engine.url if opened is AsyncChunkStore else engine
    with pytest.raises(ConfigError, match="concurrency of Wrong must be a whole number"):
        opened(target, "docs", {"v1": Wrong()})


# --- asyncio ---


def with_async_store(engine: Engine, embedder: Embedder, work: Callable[..., Any]) -> Any:
    async def main() -> Any:
        async with AsyncChunkStore(engine.url, "docs", {"v1": embedder}) as store:
            return await work(store)

    return asyncio.run(main())


def test_awaits_overlap_and_the_event_loop_goes_on_ticking(
    engine: Engine, endpoint: Endpoint
) -> None:
    with http(endpoint) as first:
        begin(engine, first)

    async def work(store: AsyncChunkStore) -> None:
        await store.embed_query("the canaries pass")
        endpoint.together = CALLS + 1
        searches = [asyncio.create_task(store.search(f"q {n}")) for n in range(CALLS)]
        ticks = 0
        while endpoint.most_in_flight < CALLS:
            ticks += 1
            await asyncio.sleep(0)
        # All eight are held by the endpoint, and this task still runs.
        assert ticks
        assert not any(search.done() for search in searches)
        endpoint.go_on()
        assert await asyncio.gather(*searches) == [[]] * CALLS

    with http(endpoint) as embedder:
        with_async_store(engine, embedder, work)
    assert endpoint.most_in_flight == CALLS


@pytest.mark.parametrize(("kind", "most"), [(Counting, 1), (Three, 3)])
def test_awaits_stay_within_what_the_embedder_declares(
    engine: Engine, kind: type[Counting], most: int
) -> None:
    embedder = kind(together=most, queue=20 - most)
    begin(engine, TinyEmbedder())

    async def work(store: AsyncChunkStore) -> None:
        await asyncio.gather(*(store.search(f"q {n}") for n in range(20)))

    with_async_store(engine, embedder, work)
    assert (embedder.most, embedder.checks) == (most, 2)


class Native(TinyEmbedder):
    """Has methods for asyncio, and counts the calls in them."""

    concurrency = 3

    def __init__(self) -> None:
        super().__init__()
        self.most = self.inside = 0
        self.threads: set[int] = set()

    async def aembed_queries(self, texts: Sequence[str]) -> Any:
        self.threads.add(threading.get_ident())
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        return self.embed_queries(texts)

    aembed_documents = aembed_queries


def test_an_embedders_own_async_methods_are_awaited_on_the_loop(engine: Engine) -> None:
    begin(engine, TinyEmbedder())
    embedder = Native()

    async def work(store: AsyncChunkStore) -> None:
        await store.add(["one", "two"])
        found = await asyncio.gather(*(store.search("two", k=1) for _ in range(20)))
        assert [hits[0].content for hits in found] == ["two"] * 20

    with_async_store(engine, embedder, work)
    assert embedder.most == 3
    assert embedder.threads == {threading.get_ident()}
    assert embedder.canaries_seen


def test_cancelled_awaits_leave_their_places_to_others(engine: Engine) -> None:
    runs, go_on = threading.Event(), threading.Event()

    class Waiting(TinyEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> Any:
            if not are_canaries(texts):
                runs.set()
                assert go_on.wait(PATIENCE)
            return super().embed_queries(texts)

    begin(engine, TinyEmbedder())

    async def work(store: AsyncChunkStore) -> None:
        searches = [asyncio.create_task(store.search(f"q {n}")) for n in range(5)]
        while not runs.is_set():
            await asyncio.sleep(0)
        for search in searches:
            search.cancel()
        await asyncio.gather(*searches, return_exceptions=True)
        go_on.set()
        assert await asyncio.wait_for(store.search("q"), PATIENCE) == []

    with_async_store(engine, Waiting(), work)


def test_a_thread_and_an_event_loop_share_the_places(engine: Engine) -> None:
    embedder = Counting(queue=CALLS - 1)
    open_store(engine, TinyEmbedder())
    store = ChunkStore(engine, "docs", {"v1": embedder})

    async def work(other: AsyncChunkStore) -> None:
        calls = [asyncio.to_thread(store.search, f"t {n}") for n in range(4)]
        calls += [other.search(f"a {n}") for n in range(4)]
        await asyncio.gather(*calls)

    with_async_store(engine, embedder, work)
    wait_until(lambda: embedder.calls >= CALLS)
    assert embedder.most == 1
