"""Several calls of one embedder at once: as many as it declares, and never more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest

from pgvec_versions.embedders import HttpEmbedder, SentenceTransformerEmbedder, StaticTokenEmbedder
from pgvec_versions.embedders.factory import build_embedder
from pgvec_versions.embedders.gates import Gate, concurrency_of, gate_of
from pgvec_versions.errors import ConfigError, EmbedderUnavailable
from tests.tools import TinyEmbedder
from tests.unit.http_endpoint import Answer, Embedding, Endpoint, vector

PATIENCE = 30.0
NOT_A_COUNT = [0, -1, 2.5, True, "3", None]


@contextmanager
def threads(count: int) -> Iterator[Callable[..., list[Future[Any]]]]:
    """Runs one call in each of so many threads, all begun before any goes on."""
    begun = threading.Barrier(count)

    def run(work: Callable[[int], Any]) -> list[Future[Any]]:
        def one(number: int) -> Any:
            begun.wait(PATIENCE)
            return work(number)

        return [pool.submit(one, number) for number in range(count)]

    with ThreadPoolExecutor(count) as pool:
        yield run


# --- The endpoint ---


def test_eight_threads_have_eight_requests_on_their_way(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    endpoint.together = 8
    embedder = embedding()
    with threads(8) as run:
        made = run(lambda number: embedder.embed_queries([f"{number}"]).tolist())
    assert [future.result() for future in made] == [[vector(f"{n}")] for n in range(8)]
    assert endpoint.most_in_flight == 8


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_requests_are_on_their_way_than_declared(
    endpoint: Endpoint, embedding: Embedding, most: int
) -> None:
    embedder = embedding(concurrency=most)
    gate = embedder._gate  # pyright: ignore[reportPrivateUsage]
    others_wait = threading.Event()

    def held() -> bool:
        # Until all the others wait. A gate that lets too many in is seen at once.
        if gate.waiting == 8 - most or endpoint.most_in_flight > most:
            others_wait.set()
        return others_wait.is_set()

    endpoint.together, endpoint.held = most, held
    with threads(8) as run:
        run(lambda number: embedder.embed_documents([f"{number}"]))
    assert endpoint.most_in_flight == most
    assert len(endpoint.requests) == 8


def test_a_failed_request_gives_its_place_back(endpoint: Endpoint, embedding: Embedding) -> None:
    endpoint.script = [Answer(500, {}, "")] * 2
    embedder = embedding(concurrency=1, max_attempts=2)
    with pytest.raises(EmbedderUnavailable):
        embedder.embed_queries(["a"])
    assert embedder.embed_queries(["a"]).tolist() == [vector("a")]


def test_a_pause_asked_of_one_thread_is_kept_by_the_others(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    """The second call begins while the first one waits, and waits for the same moment."""
    endpoint.script = [Answer(429, {"Retry-After": "7"}, "slow down")]
    waits: list[float] = []
    second_waits = threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 1:
                others.append(pool.submit(embedder.embed_queries, ["b"]))
                assert second_waits.wait(PATIENCE), "the other thread did not wait"
                assert len(endpoint.requests) == 1
            else:
                second_waits.set()

        others: list[Future[Any]] = []
        embedder = embedding(sleep=sleep)
        assert embedder.embed_queries(["a"]).tolist() == [vector("a")]
        assert others[0].result(PATIENCE).tolist() == [vector("b")]
    assert waits[0] == 7.0
    assert 0 < waits[1] <= 7.0
    assert len(waits) == 2


def test_a_pause_that_is_over_holds_nobody_up(endpoint: Endpoint, embedding: Embedding) -> None:
    endpoint.script = [Answer(503, {"Retry-After": "7"}, "")]
    embedder = embedding()
    embedder.embed_queries(["a"])
    embedder.embed_queries(["b"])
    assert embedding.waits == [7.0]


def test_a_pause_longer_than_the_deadline_is_no_silent_wait(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    endpoint.script = [Answer(429, {"Retry-After": "50"}, "slow down")]
    embedder = embedding(deadline=20)
    for _ in range(2):
        with pytest.raises(EmbedderUnavailable) as caught:
            embedder.embed_queries(["a"])
        assert caught.value.detail["retry_after"] == 50
        assert caught.value.detail["status"] == 429
    assert len(endpoint.requests) == 1
    assert embedding.waits == []


# --- What an embedder declares ---


def test_a_model_on_this_machine_takes_one_call_and_an_endpoint_eight(
    embedding: Embedding,
) -> None:
    assert concurrency_of(TinyEmbedder()) == 1
    assert SentenceTransformerEmbedder.concurrency == StaticTokenEmbedder.concurrency == 1
    assert concurrency_of(embedding()) == 8
    assert concurrency_of(embedding(concurrency=3)) == 3


def test_the_number_is_an_option_in_the_file_and_no_part_of_the_identity() -> None:
    table = {
        "provider": "openai-compatible",
        "base_url": "http://127.0.0.1:9/v1",
        "model": "m",
        "revision": "r",
        "dimensions": 3,
    }
    one, many = build_embedder(table), build_embedder({**table, "concurrency": 20})
    assert concurrency_of(many) == 20
    assert many.identity == one.identity
    with pytest.raises(ConfigError, match="concurrency must be a whole number"):
        build_embedder({**table, "concurrency": 0})


@pytest.mark.parametrize("wrong", NOT_A_COUNT, ids=repr)
def test_what_is_no_count_is_refused_in_one_line(wrong: Any) -> None:
    class Declares(TinyEmbedder):
        concurrency = wrong

    with pytest.raises(ConfigError, match="concurrency must be a whole number of 1 or more, not"):
        HttpEmbedder("http://h", "m", revision="r", dimensions=3, concurrency=wrong)
    with pytest.raises(ConfigError) as caught:
        concurrency_of(Declares())
    assert str(caught.value) == (
        f"concurrency of Declares must be a whole number of 1 or more, not {wrong!r}."
    )


# --- The gate ---


def test_an_embedder_has_one_gate_and_takes_it_along() -> None:
    one, other = TinyEmbedder(), TinyEmbedder()
    assert gate_of(one) is gate_of(one)
    assert gate_of(one) is not gate_of(other)


def test_calls_get_their_places_in_the_order_in_which_they_came() -> None:
    gate, order = Gate(1), list[int]()
    with ThreadPoolExecutor(5) as pool, gate.place():
        for number in range(5):

            def enter(number: int = number) -> None:
                with gate.place():
                    order.append(number)

            pool.submit(enter)
            _until(lambda number=number: gate.waiting == number + 1)
    assert order == list(range(5))


def test_threads_and_event_loops_wait_in_one_queue() -> None:
    gate, order = Gate(1), list[str]()

    async def awaiting(name: str) -> None:
        await gate.enter()
        order.append(name)
        gate.leave()

    def blocking(name: str) -> None:
        with gate.place():
            order.append(name)

    with ThreadPoolExecutor(3) as pool, gate.place():
        for number, work in enumerate(
            (lambda: asyncio.run(awaiting("one loop")), lambda: blocking("thread"),
             lambda: asyncio.run(awaiting("another"))), 1
        ):  # fmt: skip
            pool.submit(work)
            _until(lambda number=number: gate.waiting == number)
    assert order == ["one loop", "thread", "another"]


def test_a_cancelled_call_takes_no_place_along() -> None:
    gate = Gate(1)

    async def main() -> None:
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        assert gate.waiting == 3
        waiting[0].cancel()
        gate.leave()  # the second has its place now, and is cancelled before it knows
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await asyncio.wait_for(waiting[2], PATIENCE)
        gate.leave()

    asyncio.run(main())
    with gate.place():
        assert gate.waiting == 0


def test_one_check_serves_all_who_wait_for_it_also_when_it_fails() -> None:
    gate, runs, go_on = Gate(3), list[int](), threading.Event()

    def check() -> None:
        runs.append(1)
        assert go_on.wait(PATIENCE)
        raise ConfigError("it is another model")

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(gate.once, "key", check)]
        _until(lambda: bool(runs))
        futures += [pool.submit(gate.once, "key", check) for _ in range(2)]
        # Nothing says that a thread waits for a result; one that came too late would run the check.
        wait(futures[1:], timeout=0.1)
        go_on.set()
        for future in futures:
            with pytest.raises(ConfigError, match="another model"):
                future.result(PATIENCE)
    assert runs == [1]


def test_ctrl_c_in_a_check_leaves_it_to_the_next() -> None:
    gate, runs = Gate(1), list[str]()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gate.once("key", interrupted)
    gate.once("key", lambda: runs.append("checked"))
    assert runs == ["checked"]


def _until(condition: Callable[[], bool]) -> None:
    never = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if condition():
            return
        never.wait(0.005)
    raise AssertionError("waited in vain")
