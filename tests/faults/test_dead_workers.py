"""A roll-back or a cut-over does not wait for the lease of a worker that is dead."""

from __future__ import annotations

import json
import signal
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions import Chunk, ChunkStore, Transition, Worker, roll_back
from pgvec_versions.postgres.notices import Wait
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.transition import abandon
from tests.db.helpers import create_collection, open_store, texts
from tests.end_states import same
from tests.faults.looks import Connection, one, tiny, wait_until
from tests.faults.test_zombies import worker_in_its_model
from tests.pgbouncer import pooled
from tests.sql.helpers import claim, complete, read, rows
from tests.tools import Connect

EMBEDDERS = {"v1": tiny("v1"), "v2": tiny("v2")}
#: Far longer than a test: nothing here may wait for its end.
LEASE = "3600"
HELD = "SELECT count(*) FROM pgvec.work_item WHERE lease IS NOT NULL"


@pytest.fixture
def behind(engine: Engine) -> Engine:
    """v2 is active; v1 drains and lacks a chunk that was written since."""
    open_store(engine, EMBEDDERS["v1"], texts(4))
    Transition(engine, "docs", "v2", EMBEDDERS["v2"]).run(cut_over=True)
    ChunkStore(engine, "docs", EMBEDDERS).add([Chunk("written since", "more", 0)])
    return engine


@pytest.mark.parametrize("loop", ["drain", "run_once"])
def test_a_roll_back_takes_over_what_a_killed_worker_had_claimed(
    database: str, behind: Engine, db: Connection, loop: str
) -> None:
    with worker_in_its_model(database, "v1", loop, LEASE) as doomed:
        assert one(db, HELD) == 1
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    assert roll_back(behind, "docs", "v1", EMBEDDERS) == "v1"
    assert one(db, "SELECT count(*) FROM pgvec.work_item") == 0
    same(db)


def test_so_does_another_worker_and_a_cut_over(
    database: str, engine: Engine, db: Connection
) -> None:
    open_store(engine, EMBEDDERS["v1"], texts(4))
    two = Transition(engine, "docs", "v2", EMBEDDERS["v2"])
    two.run()
    for write in ("first", "second"):
        ChunkStore(engine, "docs", EMBEDDERS).add([Chunk(write, write, 0)])
        with worker_in_its_model(database, "v2", "drain", LEASE) as doomed:
            assert one(db, HELD) == 1
            doomed.send_signal(signal.SIGKILL)
            doomed.wait()
        if write == "first":
            assert Worker(engine, "docs", EMBEDDERS).drain().written == 1
    two.cut_over()
    same(db)


def test_a_living_worker_is_named_at_once_and_its_late_result_is_refused(
    database: str, behind: Engine, db: Connection
) -> None:
    heard: list[Wait] = []
    with worker_in_its_model(database, "v1", "drain", LEASE) as living:
        pid = one(db, "SELECT holder ->> 'pid' FROM pgvec.work_item")

        def on_wait(wait: Wait) -> None:
            heard.append(wait)
            db.execute("SELECT pgvec.take_over_work('docs', 'v1', alive_too => true)")

        assert roll_back(behind, "docs", "v1", EMBEDDERS, on_wait=on_wait) == "v1"
        assert living.poll() is None
        said, _ = living.communicate("go on\n", timeout=60)
    assert [wait.claims for wait in heard] == [True]
    assert heard[0].what.startswith(f"1 work items of v1 are claimed by process {pid} (")
    assert " s from now" in heard[0].what
    report = json.loads(said)
    assert (report["fenced"], report["completed"], report["written"]) == (1, 0, 0)
    same(db)


def test_take_over_does_not_wait_for_a_living_worker(
    database: str, behind: Engine, db: Connection
) -> None:
    with worker_in_its_model(database, "v1", "drain", LEASE) as living:
        assert roll_back(behind, "docs", "v1", EMBEDDERS, take_over=True) == "v1"
        said, _ = living.communicate("go on\n", timeout=60)
    assert json.loads(said)["fenced"] == 1
    same(db)


def test_behind_a_pooler_the_lease_counts_and_the_roll_back_says_so(
    database: str, behind: Engine, db: Connection
) -> None:
    """The session of a claim is the pooler's: it can live on when the worker is dead."""
    heard: list[str] = []

    def on_wait(wait: Wait) -> None:
        heard.append(wait.what)
        db.execute("SELECT pgvec.take_over_work('docs', 'v1', alive_too => true)")

    with pooled(database) as through, worker_in_its_model(through, "v1", "drain", LEASE) as living:
        assert one(db, "SELECT holder ->> 'stays' FROM pgvec.work_item") == "false"
        assert claim(db, ["v1"]) is None
        assert roll_back(behind, "docs", "v1", EMBEDDERS, on_wait=on_wait) == "v1"
        said, _ = living.communicate("go on\n", timeout=60)
    assert len(heard) == 1
    assert json.loads(said)["fenced"] == 1
    same(db)


HOLDER = "SELECT jsonb_build_object('pid', pid, 'since', backend_start{}) FROM pg_stat_activity"


def test_only_a_session_that_stays_gives_its_claim_away_when_it_ends(
    behind: Engine, db: Connection, connect: Connect
) -> None:
    """A claim of another client may come from a pool that closes its connections."""
    for stays, taken in ((", 'stays', true", True), ("", False)):
        session = connect()
        pid = session.info.backend_pid
        mine = one(session, HOLDER.format(stays) + " WHERE pid = pg_backend_pid()")
        statement = "SELECT count(*) FROM pgvec.claim_work('docs', '{v1}', 5, '1 hour', %s)"
        assert one(session, statement, psycopg.types.json.Jsonb(mine)) == 1
        assert claim(db, ["v1"]) is None, "it was taken from a living worker"
        session.close()
        wait_until(
            lambda pid=pid: not rows(db, "SELECT FROM pg_stat_activity WHERE pid = %s", pid),
            "the end of the session",
        )
        assert (claim(db, ["v1"]) is not None) == taken
        if taken:
            db.execute("UPDATE pgvec.work_item SET lease = NULL, leased_until = NULL")
    assert one(db, "SELECT pgvec.take_over_work('docs', 'v1')") == 1


def test_a_claim_that_was_taken_over_writes_nothing(behind: Engine, db: Connection) -> None:
    late = claim(db, ["v1"], lease="1 hour")
    assert late is not None
    made = read(db, late)
    assert one(db, "SELECT pgvec.take_over_work('docs', 'v1')") == 0
    assert one(db, "SELECT pgvec.take_over_work('docs', 'v1', true)") == 1
    next_one = claim(db, ["v1"])
    assert next_one is not None
    done = complete(db, late, made)
    assert (done.completed, done.fenced, done.written) == (0, 1, 0)
    assert one(db, "SELECT pgvec.renew_work(%s)", late.lease) == 0
    assert complete(db, next_one, read(db, next_one)).completed == 1
    same(db)


@pytest.mark.parametrize(
    "holder",
    ['{"pid": 1}', '{"stays": true}', "[]", '"x"', '{"pid": null, "since": null, "stays": true}'],
)
def test_a_holder_that_says_nothing_keeps_its_lease(
    behind: Engine, db: Connection, holder: str
) -> None:
    statement = "SELECT count(*) FROM pgvec.claim_work('docs', '{v1}', 5, '1 hour', %s)"
    assert one(db, statement, holder) == 1
    assert claim(db, ["v1"]) is None
    assert one(db, "SELECT pgvec.take_over_work('docs', 'v1')") == 0


def test_a_verb_says_whom_it_waits_for_while_it_waits(
    behind: Engine, connect: Connect, db: Connection
) -> None:
    Worker(behind, "docs", EMBEDDERS).drain()
    writer = connect(autocommit=False, application_name="night batch")
    writer.execute("UPDATE docs SET metadata = '{\"n\": 1}'")
    heard: list[str] = []

    def on_wait(wait: Wait) -> None:
        heard.append(wait.what)
        writer.rollback()

    assert roll_back(behind, "docs", "v1", EMBEDDERS, on_wait=on_wait) == "v1"
    assert len(heard) == 1
    assert f"roll_back waits for a lock on docs: process {writer.info.backend_pid}" in heard[0]
    assert "night batch, idle in transaction since" in heard[0]
    assert "try 1 of 20, then it gives up and changes nothing." in heard[0]


def test_so_does_a_retirement(engine: Engine, connect: Connect) -> None:
    create_collection(engine, retire_after=timedelta(0))
    for label, embedder in EMBEDDERS.items():
        Transition(engine, "docs", label, embedder).run(cut_over=True)
    reader = connect(autocommit=False)
    reader.execute("SELECT count(*) FROM docs")
    heard: list[str] = []

    def on_wait(wait: Wait) -> None:
        heard.append(wait.what)
        reader.rollback()

    assert [gone.outcome for gone in retire_due(engine, on_wait=on_wait)] == ["retired"]
    assert f"retire waits for a lock on v1 of docs: process {reader.info.backend_pid}" in heard[0]


def test_so_does_an_abandon(behind: Engine, connect: Connect) -> None:
    Transition(behind, "docs", "v3", tiny("v3")).begin()
    writer = connect(autocommit=False)
    writer.execute("UPDATE docs SET metadata = '{\"n\": 1}'")
    heard: list[str] = []

    def on_wait(wait: Wait) -> None:
        heard.append(wait.what)
        writer.rollback()

    assert abandon(behind, "docs", "v3", on_wait)
    assert f"process {writer.info.backend_pid} has it" in heard[0]
    assert "Try 1 of 20." in heard[0]
