"""An operator holds, slows down, looks ahead and waits, whatever process does the work."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import NotReady, Paused, Refused, WrongState, translated
from pgvec_versions.states import State
from pgvec_versions.upgrade.pausing import pause, resume
from pgvec_versions.upgrade.preview import preview, wait_until_ready
from pgvec_versions.upgrade.throttle import Throttle
from pgvec_versions.upgrade.transition import Transition, roll_back
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.db.helpers import (
    HookedEmbedder,
    contents,
    execute,
    in_thread,
    on_call,
    open_items,
    open_store,
    texts,
)
from tests.faults.looks import wait_until
from tests.sql.helpers import world
from tests.tools import Connect, TinyEmbedder

SOON = timedelta(milliseconds=20)


def begin_v2(engine: Engine, count: int, *, per_item: int = 512) -> tuple[ChunkStore, Transition]:
    store = open_store(engine, TinyEmbedder(), texts(count))
    two = Transition(engine, "docs", "v2", TinyEmbedder("b"), chunks_per_item=per_item)
    two.begin()
    return store, two


def test_a_paused_version_is_left_alone_by_every_worker_until_it_is_resumed(
    engine: Engine,
) -> None:
    store, _ = begin_v2(engine, 10, per_item=2)
    worker = Worker(engine, "docs", TinyEmbedder("b"))
    worker.run_once()
    assert pause(engine, "docs", "v2", "the evening rush") is True
    assert pause(engine, "docs", "v2") is False
    assert worker.run_once().completed == 0
    assert len(contents(engine, "v2")) == 2
    store.add(["written while it is paused"])
    assert open_items(engine, "v2") == 5
    assert resume(engine, "docs", "v2") is True
    assert resume(engine, "docs", "v2") is False
    worker.drain()
    assert contents(engine, "v2") == [*texts(10), "written while it is paused"]
    told = execute(
        engine,
        "SELECT verb, detail FROM pgvec.version_event WHERE verb IN ('pause', 'resume')"
        " ORDER BY event_id",
    )
    assert told[0] == ("pause", {"reason": "the evening rush"})
    assert told[1][0] == "resume"
    assert len(told) == 2


def test_a_transition_that_is_paused_in_the_middle_waits_and_then_goes_on(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(12))
    two = HookedEmbedder("b")
    two.hook = on_call(1, lambda: pause(engine, "docs", "v2"))
    upgrade = Transition(engine, "docs", "v2", two, chunks_per_item=2)
    with in_thread(upgrade.run) as running:
        wait_until(
            lambda: execute(engine, "SELECT paused_at FROM pgvec.model_version")[0] and two.calls,
            "the pause",
        )
        wait_until(lambda: len(contents(engine, "v2")) > 0, "what was claimed")
        held = len(contents(engine, "v2"))
        assert held < 12
        assert not running.done()
        assert upgrade.state is State.BUILDING
        resume(engine, "docs", "v2")
    assert running.result() is State.READY
    assert contents(engine, "v2") == texts(12)


def test_a_paused_version_is_not_built_made_ready_or_cut_over_to(engine: Engine) -> None:
    _, two = begin_v2(engine, 3)
    two.backfill()
    pause(engine, "docs", "v2")
    for verb in (two.build_index, two.make_ready):
        with pytest.raises(Paused):
            verb()
    resume(engine, "docs", "v2")
    two.run()
    pause(engine, "docs", "v2")
    with pytest.raises(Paused) as caught:
        two.cut_over()
    assert caught.value.sqlstate == "PV060"
    assert caught.value.detail["model_version"] == "v2"
    resume(engine, "docs", "v2")
    two.cut_over()
    # A way back is never barred.
    pause(engine, "docs", "v1")
    assert roll_back(engine, "docs") == "v1"


def test_a_roll_back_to_a_paused_version_with_work_left_is_refused_and_does_not_wait(
    engine: Engine,
) -> None:
    store, two = begin_v2(engine, 3)
    two.run(cut_over=True)
    pause(engine, "docs", "v1")
    ChunkStore(engine, "docs", {"v2": TinyEmbedder("b")}).add(["news"])
    with pytest.raises(Paused):
        roll_back(engine, "docs", {"v1": TinyEmbedder()})
    assert roll_back(engine, "docs", allow_missing=True) == "v1"
    assert store.active_version == "v1"


# ------------------------------------------------------------------ dry runs

VERBS = [
    ("drop_collection", None),
    ("register_version", "v3"),
    ("plan_backfill", "v2"),
    ("build_index", "v2"),
    ("make_ready", "v2"),
    ("cut_over", "v2"),
    ("roll_back", None),
    ("abandon", "v2"),
    ("pause", "v2"),
    ("resume", "v2"),
    ("retry_set_aside", None),
    ("retire_due", None),
]


def test_a_dry_run_changes_nothing_and_takes_no_lock_that_anybody_waits_for(
    engine: Engine, connect: Connect
) -> None:
    begin_v2(engine, 5)
    db, other = connect(), connect()
    before = world(db)
    with other.transaction():
        # Whatever a verb would wait for is held, and a dry run does not wait.
        for table in ("docs", "active_docs", "pgvec.version_event"):
            other.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE".encode())
        db.execute("SET lock_timeout = '5s'")
        with db.transaction():
            db.execute("SET TRANSACTION READ ONLY")
            for verb, version in VERBS:
                db.execute("SELECT * FROM pgvec.preview(%s, 'docs', %s)", (verb, version))
    assert world(db) == before


def test_a_dry_run_says_what_is_in_the_way_exactly_when_the_verb_is_refused(
    engine: Engine, connect: Connect
) -> None:
    _, two = begin_v2(engine, 5)
    db = connect()

    def refused(statement: str) -> bool:
        try:
            with translated(), db.transaction(force_rollback=True):
                db.execute(statement.encode())
        except Refused:
            return True
        return False

    def compare() -> int:
        count = 0
        for verb, version in VERBS:
            if verb in ("retire_due", "retry_set_aside", "resume", "pause", "plan_backfill"):
                continue
            arguments = f"'docs', '{version}'" if version else "'docs'"
            if verb == "register_version":
                arguments += ", 8"
            said = not preview(engine, verb, "docs", version).clear
            assert refused(f"SELECT pgvec.{verb}({arguments})") == said, verb
            count += said
        return count

    assert compare() == 3
    two.backfill()
    two.build_index()
    assert compare() == 2
    two.make_ready()
    assert compare() == 1
    pause(engine, "docs", "v2")
    assert compare() == 4
    resume(engine, "docs", "v2")
    two.cut_over()
    assert "v2 drains" in " ".join(preview(engine, "roll_back", "docs").does)
    compare()
    with db.transaction():
        db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    assert "drops the pinned view and the leaf of v1" in preview(engine, "retire_due").does[0]


# ------------------------------------------------------------ a waiting cut-over


def test_the_gate_is_waited_for_and_force_does_not_wait(engine: Engine) -> None:
    _, two = begin_v2(engine, 4)
    two.prepare()
    execute(engine, "SELECT pgvec.set_gate('docs', '{\"recall@10\": {\"min\": 0.9}}')")
    with pytest.raises(NotReady, match="the gate stops v2: an evaluation is needed"):
        wait_until_ready(engine, "docs", "v2", timeout=timedelta(0))
    dry = preview(engine, "cut_over", "docs", "v2")
    forced = preview(engine, "cut_over", "docs", "v2", {"force": True})
    assert (dry.clear, forced.clear) == (False, True)
    assert forced.does == dry.does
    assert wait_until_ready(engine, "docs", "v2", timeout=timedelta(0), force=True)


def test_waiting_for_ready_ends_when_nothing_is_in_the_way(engine: Engine) -> None:
    _, two = begin_v2(engine, 5)
    waits: list[Any] = []
    with in_thread(
        lambda: wait_until_ready(engine, "docs", "v2", poll=SOON, on_wait=waits.append)
    ) as waiting:
        wait_until(lambda: waits, "the first look")
        assert not waiting.done()
        two.run()
    assert waiting.result() is True
    assert any("open items" in line for line in waits[0].in_the_way)
    two.cut_over()
    with pytest.raises(WrongState):
        wait_until_ready(engine, "docs", "v2")


def test_waiting_for_ready_gives_up_in_time_and_can_be_stopped(engine: Engine) -> None:
    begin_v2(engine, 5)
    with pytest.raises(NotReady, match="open items"):
        wait_until_ready(engine, "docs", "v2", timeout=timedelta(0))
    stop = threading.Event()
    stop.set()
    assert wait_until_ready(engine, "docs", "v2", stop=stop) is False


# ------------------------------------------------------------------- throttle


def test_a_worker_waits_while_too_many_sessions_are_at_work(
    engine: Engine, connect: Connect
) -> None:
    begin_v2(engine, 5)
    worker = Worker(engine, "docs", TinyEmbedder("b"), throttle=Throttle(max_active_sessions=0))
    busy, stop = connect(), threading.Event()

    def sleep() -> None:
        with suppress(psycopg.errors.QueryCanceled):
            busy.execute("SELECT pg_sleep(60)")

    with in_thread(sleep):
        pid = busy.info.backend_pid
        wait_until(
            lambda: (
                execute(engine, "SELECT state FROM pg_stat_activity WHERE pid = %s", pid)
                == [("active",)]
            ),
            "the busy session",
        )
        with in_thread(lambda: worker.drain(stop=stop)):
            wait_until(lambda: worker.brake.held, "the brake")
            assert contents(engine, "v2") == []
            assert "sessions are active" in (worker.brake.held or "")
            stop.set()
        assert execute(engine, "SELECT count(*) FROM pgvec.work_item WHERE lease IS NOT NULL") == [
            (0,)
        ]
        connect().execute("SELECT pg_cancel_backend(%s)", (pid,))


def test_a_paced_worker_takes_no_more_at_once_than_its_rate_and_loses_nothing(
    engine: Engine,
) -> None:
    begin_v2(engine, 25)
    two = HookedEmbedder("b")
    sizes: list[int] = []
    two.hook = lambda part: sizes.append(len(part))
    report = Worker(engine, "docs", two, throttle=Throttle(rows_per_second=10)).drain()
    assert max(sizes) == 10
    assert report.written == 25


def test_a_chunk_that_many_rows_hold_is_paid_for_by_rows(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), [Chunk("same", d, 0) for d in "abcdef"])
    two = TinyEmbedder("b")
    Transition(engine, "docs", "v2", two).begin()
    worker = Worker(engine, "docs", two, throttle=Throttle(rows_per_second=10_000))
    spent: list[int] = []
    pay = worker.brake.pace.spend
    worker.brake.pace.spend = lambda rows, now: (spent.append(rows), pay(rows, now))[1]  # type: ignore[method-assign]
    worker.drain()
    assert spent == [6]
