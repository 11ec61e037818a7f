"""An index build beside writers of the very version that is being built."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from pgvec_versions import ChunkStore, Transition, Worker
from pgvec_versions.errors import Busy, StatementCancelled
from pgvec_versions.postgres.notices import Wait
from pgvec_versions.upgrade import index_build
from pgvec_versions.values import Chunk
from tests.db.helpers import open_store, texts
from tests.end_states import same
from tests.faults.looks import Connection, one, tiny, wait_until
from tests.sql.helpers import refused, rows
from tests.tools import Connect

EMBEDDERS = {"v1": tiny("v1"), "v2": tiny("v2")}
BUILD = "SELECT pid FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'"
STATE = "SELECT pgvec.index_state('docs__v2')"
#: A write by hand to the version that is being built.
WRITE = "UPDATE docs SET metadata = metadata || '{\"by\": \"hand\"}' WHERE model_version = 'v2'"


@pytest.fixture
def filled(engine: Engine, db: Connection) -> Transition:
    """v1 is active; v2 is filled, and its index is not built yet."""
    open_store(engine, EMBEDDERS["v1"], texts(50))
    made = Transition(engine, "docs", "v2", EMBEDDERS["v2"])
    made.begin()
    made.backfill()
    db.execute("CREATE TABLE gate (open boolean); INSERT INTO gate VALUES (true)")
    db.execute(
        "CREATE FUNCTION wait_at_gate() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM FROM public.gate FOR SHARE; END'"
    )
    db.execute(
        "CREATE EVENT TRIGGER at_gate ON ddl_command_start WHEN TAG IN ('CREATE INDEX')"
        " EXECUTE FUNCTION wait_at_gate()"
    )
    return made


@contextmanager
def held(made: Transition, connect: Connect, db: Connection) -> Iterator[Future[bool]]:
    """A build that has done all its work, and waits for a reader until the block ends.

    The build stops at a gate before it begins. There the reader takes a snapshot.
    """
    gate, reader = connect(autocommit=False), connect(autocommit=False)
    gate.execute("UPDATE gate SET open = false")
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(made.build_index)
        try:
            wait_until(
                lambda: one(
                    db, "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock'"
                ),
                "the build at the gate",
            )
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT 1")
            gate.rollback()
            wait_until(lambda: rows(db, BUILD) or build.done(), "the end of the build")
            yield build
        finally:
            gate.rollback()
            reader.rollback()


def test_writers_of_the_version_go_on_while_its_index_is_built(
    filled: Transition, connect: Connect, engine: Engine, db: Connection
) -> None:
    writer = connect()
    writer.execute("SET lock_timeout = '2s'")
    with held(filled, connect, db) as build:
        assert writer.execute(WRITE).rowcount == 50
        ChunkStore(engine, "docs", EMBEDDERS).add([Chunk("written meanwhile", "more", 0)])
        # Workers do not wait either.
        assert Worker(engine, "docs", EMBEDDERS).drain().written == 1
        assert not build.done()
    assert build.result()
    assert one(db, STATE) == "valid"
    recorded = "SELECT count(*) FROM pgvec.version_event WHERE verb = 'build_index'"
    assert one(db, recorded + " AND model_version = 'v2' AND detail ->> 'bytes' > '0'") == 1
    filled.run(cut_over=True)
    same(db)


def test_it_says_whom_it_waits_for(filled: Transition, connect: Connect, db: Connection) -> None:
    waits: list[Wait] = []
    filled.on_wait = waits.append
    with held(filled, connect, db) as build:
        wait_until(lambda: bool(waits), "a word about the reader")
        assert not build.done()
    assert "build_index waits for the transaction of process" in waits[0].what
    assert "idle in transaction since" in waits[0].what


def test_a_stopped_build_leaves_no_index_and_can_run_again(
    filled: Transition, connect: Connect, db: Connection
) -> None:
    with held(filled, connect, db) as build:
        db.execute(f"SELECT pg_cancel_backend(b.pid) FROM ({BUILD}) b".encode())
        with pytest.raises(StatementCancelled):
            build.result(30)
        assert one(db, STATE) == "missing"
    assert filled.build_index()
    assert one(db, STATE) == "valid"


def test_what_a_killed_build_leaves_is_built_again(
    filled: Transition, connect: Connect, db: Connection
) -> None:
    with held(filled, connect, db) as build:
        db.execute(f"SELECT pg_terminate_backend(b.pid) FROM ({BUILD}) b".encode())
        with pytest.raises(Exception, match="terminat"):
            build.result(30)
    assert one(db, STATE) == "invalid"
    assert filled.build_index()
    assert not filled.build_index()
    assert one(db, STATE) == "valid"


def test_a_second_build_is_refused_while_the_first_one_runs(
    filled: Transition, connect: Connect, db: Connection
) -> None:
    with held(filled, connect, db) as build:
        with pytest.raises(Busy):
            filled.build_index()
        refused(db, "PV009", "SELECT pgvec.build_index('docs', 'v2')")
        assert not build.done()
    assert build.result()


def test_a_writer_who_does_not_end_is_named_and_nothing_waits_behind_the_build(
    filled: Transition, connect: Connect, db: Connection
) -> None:
    writer = connect(autocommit=False)
    writer.execute(WRITE)
    told = refused(db, "55P03", "SELECT pgvec.await_writers('docs', 'v2', '100 ms')")
    assert told.message.startswith(f"build_index: process {writer.info.backend_pid} (")
    waits: list[Wait] = []

    def on_wait(wait: Wait) -> None:
        waits.append(wait)
        other = connect()
        other.execute("SET lock_timeout = '1s'")
        other.execute(WRITE.replace("50", "51") + " AND position = -1")
        writer.rollback()

    filled.on_wait = on_wait
    assert filled.build_index()
    assert f"process {writer.info.backend_pid}" in waits[0].what


def test_an_old_snapshot_does_not_hold_it_up(
    filled: Transition, connect: Connect, db: Connection
) -> None:
    reader = connect(autocommit=False)
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    reader.execute("SELECT 1")
    waits: list[Wait] = []
    filled.on_wait = waits.append
    assert filled.build_index()
    assert [f"snapshot of process {reader.info.backend_pid}" in wait.what for wait in waits] == [
        True
    ]


def test_a_snapshot_taken_during_the_build_does_not_hold_it_up_for_ever(
    filled: Transition, connect: Connect, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_build, "_LEAST_WAIT", 0.1)
    waits: list[Wait] = []
    filled.on_wait = waits.append
    with held(filled, connect, db) as build:
        assert build.result(60)
    assert "then it builds in one transaction" in waits[0].what
    assert one(db, STATE) == "valid"


def test_sql_gives_the_statements_for_a_client_of_your_own(
    filled: Transition, db: Connection
) -> None:
    statements = [row[0] for row in rows(db, "SELECT pgvec.index_statements('docs', 'v2')")]
    assert [text.split("(")[0].split(" ON ")[0] for text in statements] == [
        "SELECT pgvec.await_writers",
        "CREATE INDEX CONCURRENTLY docs__v2_hnsw",
        "SELECT pgvec.record_index",
    ]
    refused(db, "PV006", statements[-1])
    for text in statements:
        db.execute(text.encode())
    assert one(db, STATE) == "valid"
    assert rows(db, "SELECT pgvec.index_statements('docs', 'v2')") == []
