"""Transition: from one version to the next while the application goes on reading and writing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import (
    AlreadyExists,
    Busy,
    EmbedderFailed,
    EmbedderMismatch,
    NotReady,
    WrongState,
)
from pgvec_versions.states import State
from pgvec_versions.upgrade.transition import Progress, Transition, abandon
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.db.helpers import (
    AT_ONCE,
    PATIENCE,
    HookedEmbedder,
    assert_own_vectors,
    contents,
    create_collection,
    execute,
    in_thread,
    on_call,
    open_items,
    open_store,
    raising,
    rows,
    texts,
    wait_until,
    waits_for_lock,
)
from tests.tools import Connect, TinyEmbedder


def to_v2(engine: Engine, embedder: TinyEmbedder, **options: Any) -> Transition:
    return Transition(engine, "docs", "v2", embedder, retry_in=AT_ONCE, **options)


# --------------------------------------------------------------- the whole way


def test_an_empty_collection_goes_to_active_in_one_call(engine: Engine) -> None:
    create_collection(engine)
    tiny = TinyEmbedder()
    transition = Transition(engine, "docs", "v1", tiny)
    assert transition.state is None
    assert transition.run(cut_over=True) is State.ACTIVE
    assert transition.state is State.ACTIVE
    assert ChunkStore(engine, "docs", tiny).active_version == "v1"
    assert tiny.seen == []


def test_without_cut_over_the_version_is_ready_and_nobody_is_routed_to_it(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), texts(5))
    assert to_v2(engine, TinyEmbedder("b")).run() is State.READY
    assert store.active_version == "v1"


def test_running_again_does_nothing_twice(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(5))
    two = TinyEmbedder("b")
    assert [to_v2(engine, two).run() for _ in range(2)] == [State.READY] * 2
    assert [to_v2(engine, two).run(cut_over=True) for _ in range(2)] == [State.ACTIVE] * 2
    assert sorted(two.seen) == texts(5)
    verbs = [
        row[0]
        for row in execute(
            engine,
            "SELECT verb FROM pgvec.version_event WHERE model_version = 'v2'"
            " AND verb IN ('register_version', 'build_index', 'make_ready', 'cut_over')"
            " ORDER BY event_id",
        )
    ]
    assert verbs == ["register_version", "build_index", "make_ready", "cut_over"]


def test_the_dimension_may_change(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b", dimensions=16)
    open_store(engine, one, texts(20))
    to_v2(engine, two).run(cut_over=True)
    (hit,) = ChunkStore(engine, "docs", {"v1": one, "v2": two}).search("text 007", k=1)
    assert (hit.content, hit.model_version) == ("text 007", "v2")
    assert_own_vectors(engine, {"v1": one, "v2": two})


def test_progress_tells_how_much_of_what_is_done(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(20))
    told: list[Progress] = []
    to_v2(engine, TinyEmbedder("b"), chunks_per_item=3).run(on_progress=told.append)
    backfill = [p for p in told if p.step == "backfill" and p.total]
    assert {p.total for p in backfill} == {20}
    done = [p.done for p in backfill]
    assert done == sorted(done)
    assert done[-1] == 20
    index = [(p.done, p.total) for p in told if p.step == "build index"]
    assert index == [(0, 1), (1, 1)]


# ------------------------------------------------------------------- resuming


def test_after_a_failure_it_goes_on_where_it_stood(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(12))
    first, second = HookedEmbedder("b"), TinyEmbedder("b")
    first.hook = on_call(3, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        to_v2(engine, first, chunks_per_item=1).run()
    written = contents(engine, "v2")
    assert 0 < len(written) < 12
    # Nothing is left leased: the next run need not wait for a dead worker's lease.
    assert to_v2(engine, second, chunks_per_item=1).run() is State.READY
    assert sorted(second.seen) == sorted(set(texts(12)) - set(written))
    assert contents(engine, "v2") == texts(12)


def test_stop_ends_it_in_between_and_the_next_run_does_the_rest(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(12))
    first, second, stop = HookedEmbedder("b"), TinyEmbedder("b"), threading.Event()
    first.hook = on_call(2, stop.set)
    assert to_v2(engine, first, chunks_per_item=1).run(cut_over=True, stop=stop) is State.BUILDING
    written = contents(engine, "v2")
    assert 0 < len(written) < 12
    found = execute(engine, "SELECT count(*) FROM pgvec.work_item WHERE lease IS NOT NULL")
    assert found == [(0,)]
    assert to_v2(engine, second, chunks_per_item=1).run(cut_over=True) is State.ACTIVE
    assert sorted(second.seen) == sorted(set(texts(12)) - set(written))


def test_a_text_that_fails_stops_it_and_mending_the_cause_is_enough(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(6))
    two = TinyEmbedder("b", fail_on="003")
    with pytest.raises(NotReady, match="003") as caught:
        to_v2(engine, two, max_attempts=1).run(cut_over=True)
    assert caught.value.detail["set_aside"] == 1
    assert contents(engine, "v2") == [t for t in texts(6) if "003" not in t]
    two.fail_on = None
    Worker(engine, "docs", two).retry_failed("v2")
    assert to_v2(engine, two).run(cut_over=True) is State.ACTIVE


def test_begin_registers_once(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(10))
    transition = to_v2(engine, TinyEmbedder("b"), chunks_per_item=4)
    assert [transition.begin(), transition.begin()] == [3, 3]
    found = execute(
        engine, "SELECT count(*) FROM pgvec.version_event WHERE verb = 'register_version'"
    )
    assert found == [(2,)]


def test_two_processes_that_begin_at_once_share_one_version(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(engine, TinyEmbedder(), texts(4))
    late = to_v2(engine, TinyEmbedder("b"))
    register = late._register

    def after_the_other(dimensions: int) -> None:
        to_v2(engine, TinyEmbedder("b")).begin()
        register(dimensions)

    monkeypatch.setattr(late, "_register", after_the_other)
    assert late.begin() == 1
    assert late.run() is State.READY


def test_two_processes_share_the_work(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(60))
    to_v2(engine, TinyEmbedder("b"), chunks_per_item=2).begin()
    both_have_begun = threading.Barrier(2)

    def fill() -> list[str]:
        tiny = HookedEmbedder("b")
        tiny.hook = on_call(1, lambda: both_have_begun.wait(PATIENCE))
        to_v2(engine, tiny).backfill()
        return tiny.seen

    with ThreadPoolExecutor(2) as pool:
        left, right = (f.result(PATIENCE) for f in [pool.submit(fill), pool.submit(fill)])
    assert left
    assert right
    assert sorted([*left, *right]) == texts(60)
    assert contents(engine, "v2") == texts(60)


def test_a_label_that_is_gone_is_not_begun_again(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    two = TinyEmbedder("b")
    to_v2(engine, two).begin()
    abandon(engine, "docs", "v2")
    with pytest.raises(WrongState) as caught:
        to_v2(engine, two).begin()
    assert caught.value.detail["state"] == "abandoned"


def test_begin_keeps_no_writer_waiting_behind_a_long_transaction(
    engine: Engine, connect: Connect
) -> None:
    store = open_store(engine, TinyEmbedder(), [Chunk("text", "a", 0)])
    long_one, watcher = connect(autocommit=False), connect()
    long_one.execute("UPDATE docs SET position = 1")
    with in_thread(to_v2(engine, TinyEmbedder("b")).begin) as begun:
        wait_until(lambda: waits_for_lock(watcher))
        # Stands behind the verb's lock for one try of it, not for as long as the other transaction.
        assert store.add(["meanwhile"]).added == 1
        assert not begun.done()
        long_one.rollback()


# ------------------------------------------------------------ what it refuses


def test_another_embedder_can_neither_open_nor_finish_a_version(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(3))
    unaware = to_v2(engine, TinyEmbedder("wrong"))
    to_v2(engine, TinyEmbedder("b")).begin()
    for attempt in (
        unaware.begin,
        unaware.make_ready,
        unaware.run,
        lambda: to_v2(engine, TinyEmbedder("wrong")),
    ):
        with pytest.raises(EmbedderMismatch) as caught:
            attempt()
        assert caught.value.differences == {"model": ("tiny-b", "tiny-wrong")}
    assert to_v2(engine, TinyEmbedder("b")).state is State.BUILDING


def test_an_incomplete_version_is_not_made_ready(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(3))
    transition = to_v2(engine, TinyEmbedder("b"))
    transition.begin()
    with pytest.raises(NotReady) as caught:
        transition.make_ready()
    assert caught.value.detail["problems"]["missing"] == 3
    with pytest.raises(WrongState):
        transition.cut_over()
    assert transition.missing() == 3


def test_an_embedder_that_is_broken_fails_loudly(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(20))
    with pytest.raises(EmbedderFailed, match="cannot read"):
        to_v2(engine, TinyEmbedder("b", fail_on="text"), chunks_per_item=1).run()


# ------------------------------------------------------------------ the index


def test_the_index_is_built_once(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(5))
    transition = to_v2(engine, TinyEmbedder("b"))
    transition.begin()
    assert [transition.build_index(), transition.build_index()] == [True, False]


def test_only_one_session_builds_the_index(engine: Engine, connect: Connect) -> None:
    open_store(engine, TinyEmbedder(), texts(5))
    transition = to_v2(engine, TinyEmbedder("b"))
    transition.begin()
    builder = connect(autocommit=False)
    builder.execute("SELECT pgvec.build_index('docs', 'v2')")
    with pytest.raises(Busy):
        transition.build_index()
    builder.commit()
    assert transition.build_index() is False


# -------------------------------------------------------- writes on the way


def change_everything(store: ChunkStore) -> None:
    """An insert, an edit, a change of metadata and a delete, through the old version."""
    store.add([Chunk("inserted", "new", 0)])
    store.add([Chunk("edited", "a", 0)], keep_others=True)
    store.add([Chunk("a 1", "a", 1, {"page": 2})], keep_others=True)
    store.delete(document_ids=["b"])


CHUNKS = [Chunk(f"{d} {i}", d, i) for d in "abc" for i in range(3)]


def assert_equal_but_for_the_vectors(engine: Engine, embedders: dict[str, Any]) -> None:
    assert contents(engine, "v1") == ["a 1", "a 2", "c 0", "c 1", "c 2", "edited", "inserted"]
    assert rows(engine, "v2") == rows(engine, "v1")
    assert_own_vectors(engine, embedders)


def test_what_is_written_during_the_backfill_is_carried(engine: Engine) -> None:
    one, two = TinyEmbedder(), HookedEmbedder("b")
    store = open_store(engine, one, CHUNKS)
    two.hook = on_call(2, lambda: change_everything(store))
    to_v2(engine, two, chunks_per_item=1).run(cut_over=True)
    assert_equal_but_for_the_vectors(engine, {"v1": one, "v2": two})


def test_what_is_written_during_the_index_build_is_carried(
    engine: Engine, connect: Connect
) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    store = open_store(engine, one, CHUNKS)
    transition = to_v2(engine, two)
    transition.begin()
    transition.backfill()
    builder = connect(autocommit=False)
    builder.execute("SELECT pgvec.build_index('docs', 'v2')")
    change_everything(store)
    assert contents(engine, "v2") == sorted(c.content for c in CHUNKS)
    assert transition.worker().run_once().completed == 0
    builder.commit()
    assert transition.run() is State.READY
    assert_equal_but_for_the_vectors(engine, {"v1": one, "v2": two})


def test_what_is_written_when_it_is_ready_is_drained_by_the_cut_over(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    store = open_store(engine, one, CHUNKS)
    transition = to_v2(engine, two)
    transition.run()
    change_everything(store)
    assert open_items(engine, "v2") > 0
    assert transition.cut_over() == "v1"
    assert_equal_but_for_the_vectors(engine, {"v1": one, "v2": two})


def test_chunks_that_no_item_stands_for_are_found_from_the_rows(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(5))

    def lose_a_row(progress: Progress) -> None:
        if (progress.step, progress.done) == ("build index", 1):
            execute(engine, "DELETE FROM pgvec_leaves.docs__v2 WHERE content = 'text 002'")
            assert open_items(engine, "v2") == 0

    assert to_v2(engine, TinyEmbedder("b")).run(on_progress=lose_a_row) is State.READY
    assert contents(engine, "v2") == texts(5)


def test_a_cut_over_succeeds_though_writers_never_pause(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    open_store(engine, one, texts(20))
    over, written = threading.Event(), []

    def write() -> None:
        store = ChunkStore(engine, "docs", {"v1": TinyEmbedder(), "v2": TinyEmbedder("b")})
        while not over.is_set():
            store.add([f"written {len(written)}"])
            written.append(f"written {len(written)}")

    with in_thread(write):
        try:
            wait_until(lambda: len(written) > 3)
            transition = to_v2(engine, two)
            # A short wait of writers is what it may ask for, and is enough.
            assert transition.run() is State.READY
            transition.cut_over(longest_pause=timedelta(seconds=30))
            before = len(written)
            wait_until(lambda: len(written) > before + 3)
        finally:
            over.set()
    Worker(engine, "docs", {"v1": one, "v2": two}).drain()
    expected = sorted([*texts(20), *written])
    assert contents(engine, "v2") == contents(engine, "v1") == expected
    assert_own_vectors(engine, {"v1": one, "v2": two})


def test_a_label_of_another_embedder_registered_at_the_same_moment_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(engine, TinyEmbedder())
    late = to_v2(engine, TinyEmbedder("wrong"))
    register = late._register

    def after_the_other(dimensions: int) -> None:
        to_v2(engine, TinyEmbedder("b")).begin()
        register(dimensions)

    monkeypatch.setattr(late, "_register", after_the_other)
    with pytest.raises((EmbedderMismatch, AlreadyExists)):
        late.begin()
