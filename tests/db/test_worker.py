"""Worker: at-least-once compute, exactly-once effect; a bad text holds nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions.catalog import status_rows
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import (
    EmbedderFailed,
    EmbedderMismatch,
    EmbedderUnavailable,
    NotReady,
    ReadOnlyDatabase,
)
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.states import State
from pgvec_versions.upgrade import sizes
from pgvec_versions.upgrade import work_queue as work_queue_module
from pgvec_versions.upgrade import worker as worker_module
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker, WorkerReport
from pgvec_versions.values import Chunk
from tests.db.helpers import (
    AT_ONCE,
    HookedEmbedder,
    assert_own_vectors,
    contents,
    execute,
    in_thread,
    on_call,
    open_items,
    open_store,
    texts,
    wait_until,
)
from tests.tools import TinyEmbedder


def begin_v2(
    engine: Engine, chunks: Sequence[Any], *, per_item: int = 512, seed: str = "b"
) -> ChunkStore:
    """v1 is active and holds the chunks; v2 is registered, and all its work is planned."""
    store = open_store(engine, TinyEmbedder(), chunks)
    Transition(engine, "docs", "v2", TinyEmbedder(seed), chunks_per_item=per_item).begin()
    return store


def worker_of(engine: Engine, embedder: TinyEmbedder, **options: Any) -> Worker:
    return Worker(engine, "docs", embedder, **{"retry_in": AT_ONCE, **options})


def expire_leases(engine: Engine) -> None:
    execute(engine, "UPDATE pgvec.work_item SET leased_until = now() - interval '1 second'")


def status_of(engine: Engine, version: str) -> dict[str, Any]:
    with autocommitted(engine) as raw:
        return next(r for r in status_rows(raw, "docs") if r["model_version"] == version)


def test_run_once_does_one_claim_and_says_what_it_did(engine: Engine) -> None:
    begin_v2(engine, texts(5), per_item=3)
    worker = worker_of(engine, TinyEmbedder("b"))
    assert worker.run_once() == WorkerReport(embedded=3, written=3, completed=1)
    assert worker.run_once() == WorkerReport(embedded=2, written=2, completed=1)
    assert worker.run_once() == WorkerReport()
    assert contents(engine, "v2") == texts(5)


def test_equal_texts_are_embedded_once(engine: Engine) -> None:
    begin_v2(engine, [Chunk("same", d, 0) for d in "abcde"])
    two = TinyEmbedder("b")
    report = worker_of(engine, two).drain()
    assert (two.seen, report.embedded, report.written) == (["same"], 1, 5)


def test_a_worker_fills_only_the_versions_it_has_embedders_of(engine: Engine) -> None:
    begin_v2(engine, texts(3))
    three = TinyEmbedder("c")
    Transition(engine, "docs", "v3", three).begin()
    worker = worker_of(engine, three)
    assert worker.versions == ["v3"]
    worker.drain()
    assert (contents(engine, "v2"), contents(engine, "v3")) == ([], texts(3))
    with pytest.raises(EmbedderMismatch):
        Worker(engine, "docs", {"v2": TinyEmbedder("wrong")})


def test_no_transaction_is_open_while_the_model_runs(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    open_transactions: list[int] = []

    def look(_: Any) -> None:
        row = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        ).fetchone()
        assert row is not None
        open_transactions.append(row[0])

    begin_v2(engine, texts(3))
    two = HookedEmbedder("b")
    two.hook = look
    worker_of(engine, two).run_once()
    assert open_transactions == [0]


# ---------------------------------------------------------- crashes and zombies


def test_a_killed_worker_loses_nothing(engine: Engine) -> None:
    begin_v2(engine, texts(6), per_item=2)
    execute(engine, "SELECT * FROM pgvec.claim_work('docs', '{v2}', 2)")
    worker = worker_of(engine, TinyEmbedder("b"))
    assert worker.drain(later_too=False, deadline=time.monotonic()) == WorkerReport()
    expire_leases(engine)
    assert worker.drain().written == 6
    assert contents(engine, "v2") == texts(6)


def test_a_worker_that_comes_back_after_its_lease_changes_nothing(engine: Engine) -> None:
    begin_v2(engine, texts(4))
    zombie = HookedEmbedder("b")

    def meanwhile() -> None:
        expire_leases(engine)
        assert worker_of(engine, TinyEmbedder("b")).drain().written == 4
        # Its own work would bring a deleted chunk back.
        store = ChunkStore(engine, "docs", TinyEmbedder())
        found = execute(engine, "SELECT chunk_id FROM docs WHERE content = 'text 001'")
        store.delete(chunk_ids=[found[0][0]])

    zombie.hook = on_call(1, meanwhile)
    report = worker_of(engine, zombie).run_once()
    assert (report.fenced, report.completed, report.written) == (1, 0, 0)
    assert contents(engine, "v2") == ["text 000", "text 002", "text 003"]


def test_a_lease_that_has_run_out_is_lost_even_if_nobody_took_over(engine: Engine) -> None:
    begin_v2(engine, texts(4))
    two = HookedEmbedder("b")
    two.hook = on_call(1, lambda: expire_leases(engine))
    worker = worker_of(engine, two)
    assert (worker.run_once().fenced, contents(engine, "v2")) == (1, [])
    assert worker.run_once().written == 4


def test_what_is_open_now_comes_to_an_end_though_writers_never_pause(engine: Engine) -> None:
    store = begin_v2(engine, texts(6), per_item=2)
    two = HookedEmbedder("b")

    def write_more(_: Any) -> None:
        assert two.calls < 50, "it goes on for ever"
        store.add([f"written {two.calls}", Chunk(f"edited {two.calls}", "the same", 0)])

    two.hook = write_more
    report = worker_of(engine, two).drain(later_too=False)
    assert set(texts(6)) <= set(contents(engine, "v2"))
    assert report.failed == 0
    assert open_items(engine, "v2") > 0


def test_a_text_that_changes_while_it_is_embedded_is_not_stored_with_the_old_vector(
    engine: Engine,
) -> None:
    store = begin_v2(engine, [Chunk(f"text {i}", "a", i) for i in range(3)])
    two = HookedEmbedder("b")
    two.hook = on_call(1, lambda: store.add([Chunk("edited", "a", 1)], keep_others=True))
    worker = worker_of(engine, two)
    assert worker.run_once().written == 2
    worker.drain()
    assert contents(engine, "v2") == ["edited", "text 0", "text 2"]
    assert_own_vectors(engine, {"v1": TinyEmbedder(), "v2": two})


def test_a_claim_that_waits_for_its_turn_keeps_its_lease(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every call takes a minute by the worker's clock: longer than its lease by the third.
    clock = [1000.0]
    fake = SimpleNamespace(monotonic=lambda: clock[0], sleep=time.sleep)
    monkeypatch.setattr(worker_module, "time", fake)
    monkeypatch.setattr(work_queue_module, "time", fake)
    monkeypatch.setattr(sizes, "_FIRST_CALL", 1)
    begin_v2(engine, texts(12), per_item=6)
    until: list[dict[int, Any]] = []

    def leases() -> dict[int, Any]:
        return dict(
            execute(
                engine, "SELECT item_id, leased_until FROM pgvec.work_item WHERE lease IS NOT NULL"
            )
        )

    def look(_: Any) -> None:
        if not until:
            wait_until(lambda: len(leases()) == 2)
        until.append(leases())
        clock[0] += 60

    two = HookedEmbedder("b")
    two.hook = look
    report = worker_of(engine, two).drain()
    assert (report.written, report.fenced, report.failed) == (12, 0, 0)
    first, last_of_the_first_claim = until[0], until[5]
    assert len(first) == 2
    assert all(last_of_the_first_claim[item] > first[item] for item in first)


def test_a_chunk_that_takes_its_workers_down_is_isolated_and_set_aside(engine: Engine) -> None:
    begin_v2(engine, texts(4))
    worker = worker_of(engine, TinyEmbedder("b"), max_attempts=1)
    for _ in range(20):
        # A worker dies of whatever holds the deadly text; it gives back everything else.
        claimed = execute(
            engine,
            "SELECT c.lease_id, c.lo <= d.chunk_id::text AND d.chunk_id::text <= c.hi"
            "  FROM docs d, pgvec.claim_work('docs', '{v2}', 1) c"
            " WHERE d.model_version = 'v1' AND d.content = 'text 002'",
        )
        if not claimed:
            break
        lease, deadly = claimed[0]
        if deadly:
            expire_leases(engine)
        else:
            execute(engine, "SELECT pgvec.release_work(%s)", lease)
        worker.run_once()
    assert contents(engine, "v2") == [t for t in texts(4) if t != "text 002"]
    status = status_of(engine, "v2")
    assert (status["items_open"], status["items_set_aside"]) == (0, 1)
    assert "never completed" in status["last_error"]


# -------------------------------------------------------------- bad embedders


def test_a_bad_text_is_set_aside_alone_and_retrying_heals_it(engine: Engine) -> None:
    begin_v2(engine, texts(30), per_item=8)
    two = TinyEmbedder("b", fail_on="017")
    worker = worker_of(engine, two, max_attempts=2)
    report = worker.drain()
    assert report.set_aside == 1
    assert isinstance(report.last_error, EmbedderFailed)
    assert contents(engine, "v2") == [t for t in texts(30) if "017" not in t]
    status = status_of(engine, "v2")
    assert (status["items_open"], status["items_set_aside"]) == (0, 1)
    assert "cannot read 'text 017'" in status["last_error"]
    transition = Transition(engine, "docs", "v2", two)
    transition.build_index()
    with pytest.raises(NotReady) as caught:
        transition.make_ready()
    assert caught.value.detail["problems"]["set_aside"] == 1
    two.fail_on = None
    assert worker.retry_failed("v2") == 1
    assert worker.drain().written == 1
    transition.make_ready()
    assert transition.state is State.READY


def test_texts_that_were_claimed_with_a_bad_one_are_not_set_aside_with_it(engine: Engine) -> None:
    store = begin_v2(engine, texts(1))
    two = TinyEmbedder("b", fail_on="bad")
    worker = worker_of(engine, two, max_attempts=2)
    worker.drain()
    # Single items, many to a claim: the claims of this worker have grown by now.
    store.add([*texts(40, "good"), "bad", *texts(40, "fine")])
    worker._claim_items = 100
    assert worker.drain().set_aside == 1
    assert contents(engine, "v2") == sorted([*texts(1), *texts(40, "good"), *texts(40, "fine")])


def test_an_embedder_that_fails_now_and_then_gets_there(engine: Engine) -> None:
    begin_v2(engine, texts(5))
    two, calls = HookedEmbedder("b"), [0]

    def flaky(_: Any) -> None:
        calls[0] += 1
        if calls[0] <= 2:
            raise ConnectionError("try again")

    two.hook = flaky
    report = worker_of(engine, two).drain()
    assert (report.written, report.failed, report.set_aside) == (5, 2, 0)


@pytest.mark.parametrize("per_item", [1, 512], ids=["many items", "one item"])
def test_an_embedder_that_is_away_sets_nothing_aside(engine: Engine, per_item: int) -> None:
    begin_v2(engine, texts(12), per_item=per_item)
    two = HookedEmbedder("b")

    def away(_: Any) -> None:
        raise EmbedderUnavailable("the endpoint does not answer")

    two.hook = away
    for _ in range(2):
        with pytest.raises(EmbedderUnavailable):
            worker_of(engine, two, patience=4, max_attempts=2).drain()
    status = status_of(engine, "v2")
    assert status["items_open"] == (12 if per_item == 1 else 1)
    assert status["items_set_aside"] == 0
    assert "does not answer" in status["last_error"]
    two.hook = None
    assert worker_of(engine, two).drain().written == 12


def test_an_embedder_that_always_fails_is_an_error_and_not_twelve_bad_texts(
    engine: Engine,
) -> None:
    begin_v2(engine, texts(12), per_item=1)
    with pytest.raises(EmbedderFailed):
        Worker(engine, "docs", TinyEmbedder("b", fail_on="text"), patience=4).drain()
    assert status_of(engine, "v2")["items_set_aside"] == 0
    assert open_items(engine, "v2") == 12


# ------------------------------------------------------------------- the loop


def test_run_carries_what_is_written_until_it_is_told_to_stop(engine: Engine) -> None:
    store = begin_v2(engine, texts(3))
    stop = threading.Event()
    # A version that is registered while it runs is filled as well.
    worker = Worker(engine, "docs", {"v2": TinyEmbedder("b"), "v3": TinyEmbedder("c")})
    with in_thread(lambda: worker.run(stop, poll=timedelta(milliseconds=5))) as running:
        try:
            wait_until(lambda: contents(engine, "v2") == texts(3))
            store.add(["written later"])
            wait_until(lambda: "written later" in contents(engine, "v2"))
            Transition(engine, "docs", "v3", TinyEmbedder("c")).begin()
            wait_until(lambda: len(contents(engine, "v3")) == 4)
            assert not running.done()
        finally:
            stop.set()
    assert running.result().written == 3 + 1 + 4


def test_run_outlives_an_embedder_that_is_away(engine: Engine) -> None:
    begin_v2(engine, texts(3))
    two, stop, calls = HookedEmbedder("b"), threading.Event(), [0]

    def away_at_first(_: Any) -> None:
        calls[0] += 1
        if calls[0] <= 3:
            raise EmbedderUnavailable("not yet")

    two.hook = away_at_first
    worker = worker_of(engine, two, patience=1)
    with in_thread(lambda: worker.run(stop, poll=timedelta(milliseconds=1))):
        try:
            wait_until(lambda: contents(engine, "v2") == texts(3))
        finally:
            stop.set()


#: A write to v2's leaf fails with this code as long as the table ``fault`` has it.
FAULT = """
CREATE TABLE public.fault (code text);
CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found text := (SELECT f.code FROM public.fault f);
BEGIN
    IF found IS NOT NULL THEN RAISE EXCEPTION 'trouble' USING ERRCODE = found; END IF;
    RETURN new;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON pgvec_leaves.docs__v2
    FOR EACH ROW EXECUTE FUNCTION public.fail();
"""


@pytest.mark.parametrize("code", ["53100", "53200", "53300", "25006", "57P01", "57P02", "57P03"])
def test_run_waits_for_the_server_and_gives_its_claims_back(
    engine: Engine, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    begin_v2(engine, texts(6), per_item=1)
    execute(engine, FAULT)
    execute(engine, "INSERT INTO fault VALUES (%s)", code)
    stop, tries = threading.Event(), [0]

    def count(report: WorkerReport) -> None:
        tries[0] += report.last_error is not None

    given_back = "SELECT count(*), max(attempts) FROM pgvec.work_item WHERE lease IS NULL"
    worker = worker_of(engine, TinyEmbedder("b"))
    run = partial(worker.run, stop, poll=timedelta(milliseconds=1), progress=count)
    with in_thread(run) as running:
        try:
            wait_until(lambda: tries[0] > 2 * worker.max_attempts)
            wait_until(lambda: execute(engine, given_back) == [(6, 0)])
            assert not running.done()
            execute(engine, "DELETE FROM fault")
            wait_until(lambda: contents(engine, "v2") == texts(6))
            wait_until(lambda: "the worker goes on" in caplog.text)
        finally:
            stop.set()
    assert running.result().set_aside == 0
    assert len([text for text in caplog.messages if "waits and tries again" in text]) == 1


def test_what_the_server_does_not_take_back_now_is_given_back_later(
    engine: Engine, database: str
) -> None:
    begin_v2(engine, texts(6), per_item=1)
    two, stop = HookedEmbedder("b"), threading.Event()
    name = execute(engine, "SELECT current_database()")[0][0]
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    outside = psycopg.connect(database, autocommit=True)

    def read_only() -> None:
        outside.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        outside.execute(kill.encode())

    two.hook = on_call(1, read_only)
    worker = worker_of(engine, two)
    tries = [0]

    def count(report: WorkerReport) -> None:
        tries[0] += isinstance(report.last_error, ReadOnlyDatabase)

    # Its lease is longer than this test is patient.
    run = partial(worker.run, stop, poll=timedelta(milliseconds=1), progress=count)
    with outside, in_thread(run) as running:
        try:
            wait_until(lambda: tries[0] > 1)
            outside.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
            outside.execute(kill.encode())
            wait_until(
                lambda: (
                    outside.execute(
                        "SELECT count(*) FROM docs WHERE model_version = 'v2'"
                    ).fetchone()
                    == (6,)
                )
            )
        finally:
            stop.set()
    assert running.result().set_aside == 0


def test_stop_gives_back_what_was_claimed(engine: Engine) -> None:
    begin_v2(engine, texts(10), per_item=1)
    two, stop = HookedEmbedder("b"), threading.Event()
    two.hook = on_call(1, stop.set)
    worker_of(engine, two).drain(stop=stop)
    found = execute(
        engine, "SELECT count(*) FROM pgvec.work_item WHERE lease IS NOT NULL OR attempts > 0"
    )
    assert found == [(0,)]
    assert len(contents(engine, "v2")) + open_items(engine, "v2") == 10
