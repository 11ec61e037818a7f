"""Orders of events that once lost or revived a chunk, one test each; found by the state machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Engine, create_engine

from pgvec_versions import Chunk, ChunkStore, Transition, Worker
from tests.faults.looks import Connection, one, register, rows_by_version, tiny, wait_until
from tests.tools import Connect, abandon_keeping_leaf, literal

EMBEDDERS = {label: tiny(label) for label in ("v1", "v2", "v3")}
KEYS = {name: f"00000000-0000-0000-0000-00000000000{n}" for n, name in enumerate("xyz", 1)}


class Stage:
    """One collection, its store, and the few things that the stories do to it."""

    def __init__(self, engine: Engine, db: Connection, other: Connection) -> None:
        self.engine, self.db, self.other = engine, db, other
        db.execute("SELECT pgvec.create_collection('docs')")
        self.store = ChunkStore(engine, "docs", EMBEDDERS)

    def register(self, label: str) -> None:
        register(self.db, EMBEDDERS[label])

    def activate(self, label: str) -> None:
        Transition(self.engine, "docs", label, EMBEDDERS[label]).run(cut_over=True)

    def put(self, name: str, text: str, version: str) -> None:
        self.store.add([Chunk(text, chunk_id=KEYS[name])], version=version)

    def delete_through(self, label: str, *names: str) -> None:
        self.db.execute(
            "DELETE FROM docs WHERE model_version = %s AND chunk_id = ANY (%s::uuid[])",
            (label, [KEYS[name] for name in names]),
        )

    def drain(self, *labels: str) -> None:
        Worker(
            self.engine, "docs", {v: EMBEDDERS[v] for v in labels or EMBEDDERS}, max_attempts=99
        ).drain()

    def texts(self, label: str) -> dict[str, str]:
        names = {key: name for name, key in KEYS.items()}
        rows = rows_by_version(self.db, EMBEDDERS)[label]
        return {names[key]: row.content for key, row in rows.items()}

    @contextmanager
    def index_build_of(self, label: str) -> Iterator[None]:
        """While the block runs, the version's index is as good as being built."""
        leaf = one(self.db, "SELECT leaf FROM pgvec.model_version WHERE model_version = %s", label)
        lock = f"LOCK TABLE ONLY pgvec_leaves.{leaf} IN SHARE ROW EXCLUSIVE MODE"
        with self.other.transaction():
            self.other.execute(lock.encode())
            yield


@pytest.fixture
def stage(engine: Engine, connect: Connect) -> Stage:
    return Stage(engine, connect(), connect())


def test_the_first_active_version_takes_over_what_was_written_before_it_was_registered(
    stage: Stage,
) -> None:
    stage.register("v1")
    stage.put("x", "one", "v1")
    stage.register("v2")
    one(stage.db, "SELECT pgvec.build_index('docs', 'v2')")
    with pytest.raises(psycopg.Error) as refused:
        one(stage.db, "SELECT pgvec.make_ready('docs', 'v2')")
    assert refused.value.sqlstate == "PV006"
    stage.activate("v2")
    assert stage.texts("v2") == {"x": "one"}
    one(stage.db, "SELECT pgvec.plan_backfill('docs', 'v1')")
    stage.drain()
    assert stage.texts("v1") == stage.texts("v2") == {"x": "one"}


def test_what_waits_for_the_active_version_reaches_a_version_registered_meanwhile(
    stage: Stage,
) -> None:
    stage.activate("v1")
    stage.activate("v2")
    # Written through the draining version; nobody embeds it for the active one yet.
    stage.put("x", "one", "v1")
    stage.activate("v3")
    assert stage.texts("v3") == {"x": "one"}
    assert stage.texts("v2") == {}
    stage.drain()
    assert stage.texts("v1") == stage.texts("v2") == {"x": "one"}


def test_what_waits_for_the_active_version_reaches_a_version_that_follows_again(
    engine: Engine, connect: Connect
) -> None:
    db = connect()
    db.execute("SELECT pgvec.create_collection('docs', follow_while_draining => false)")
    for label in ("v1", "v2"):
        Transition(engine, "docs", label, EMBEDDERS[label]).run(cut_over=True)
    register(db, EMBEDDERS["v3"])
    ChunkStore(engine, "docs", EMBEDDERS).add([Chunk("one", chunk_id=KEYS["x"])], version="v3")
    one(db, "SELECT pgvec.plan_backfill('docs', 'v1')")
    Worker(engine, "docs", {"v1": EMBEDDERS["v1"]}).drain()
    assert one(db, "SELECT pgvec.roll_back('docs')") == "v1"
    assert [r.content for r in rows_by_version(db, EMBEDDERS)["v1"].values()] == ["one"]


def test_a_deleted_chunk_does_not_come_back_from_an_abandoned_version(stage: Stage) -> None:
    stage.activate("v1")
    stage.put("x", "one", "v1")
    stage.register("v2")
    Transition(stage.engine, "docs", "v2", EMBEDDERS["v2"]).run()
    stage.put("x", "two", "v2")
    abandon_keeping_leaf(stage.db, "docs", "v2")
    stage.delete_through("v1", "x")
    stage.drain("v1")
    assert stage.texts("v1") == {}


def test_emptying_an_abandoned_version_harms_no_other(stage: Stage) -> None:
    stage.activate("v1")
    stage.put("x", "one", "v1")
    Transition(stage.engine, "docs", "v2", EMBEDDERS["v2"]).run()
    stage.put("x", "two", "v2")
    abandon_keeping_leaf(stage.db, "docs", "v2")
    stage.db.execute("DELETE FROM docs WHERE model_version = 'v2'")
    stage.drain("v1")
    assert stage.texts("v1") == {"x": "one"}


def test_a_chunk_put_again_with_the_same_text_survives_a_delete_that_was_put_off(
    stage: Stage,
) -> None:
    for label in ("v1", "v2", "v3"):
        if label == "v2":
            stage.put("x", "one", "v1")
        stage.activate(label)
    with stage.index_build_of("v2"):
        stage.delete_through("v3", "x")
        stage.put("x", "one", "v1")
    # The new chunk reaches v2 first, and only then the delete that v3 has for it.
    with stage.db.transaction():
        claimed = stage.db.execute(
            "UPDATE pgvec.work_item SET set_aside_at = clock_timestamp()"
            " WHERE source_version = 'v3' AND model_version = 'v2' RETURNING item_id"
        ).fetchall()
    assert len(claimed) == 1
    stage.drain("v2")
    one(stage.db, "SELECT pgvec.retry_set_aside('docs')")
    stage.drain("v2")
    assert stage.texts("v2") == {"x": "one"}
    stage.drain()
    assert stage.texts("v1") == stage.texts("v3") == {"x": "one"}


def test_adding_a_chunk_whose_delete_is_on_its_way_keeps_it(stage: Stage) -> None:
    stage.activate("v1")
    stage.put("x", "one", "v1")
    stage.activate("v2")
    with stage.index_build_of("v1"):
        stage.delete_through("v2", "x")
    # v1 still shows it, unchanged; and still it must be written.
    stage.put("x", "one", "v1")
    stage.drain()
    assert stage.texts("v1") == stage.texts("v2") == {"x": "one"}


def test_what_the_store_puts_into_a_version_being_built_is_no_copy(stage: Stage) -> None:
    stage.activate("v1")
    stage.put("x", "one", "v1")
    stage.register("v2")
    stage.store.add([Chunk("one", None, None, {"n": 1}, KEYS["x"])], version="v2")
    stage.drain()
    rows = rows_by_version(stage.db, EMBEDDERS)
    assert rows["v1"][KEYS["x"]].metadata == rows["v2"][KEYS["x"]].metadata == {"n": 1}


def test_a_late_delete_takes_nothing_with_it_that_was_written_after_it(stage: Stage) -> None:
    stage.activate("v1")
    stage.put("x", "one", "v1")
    stage.activate("v2")
    stage.register("v3")
    read = stage.db.execute("SELECT written_at FROM docs WHERE model_version = 'v2'").fetchone()
    assert read is not None
    with stage.index_build_of("v3"):
        stage.delete_through("v1", "x")
    stage.put("x", "two", "v2")
    # A fill by hand that read the chunk before; the delete that was put off takes it away again.
    stage.db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, written_at)"
        " VALUES (%s, 'v3', 'one', %s, %s)",
        (KEYS["x"], literal(EMBEDDERS["v3"].vector("one")), read[0]),
    )
    stage.db.execute(
        "UPDATE pgvec.work_item SET set_aside_at = clock_timestamp()"
        " WHERE source_version = 'v2' AND model_version = 'v3'"
    )
    stage.drain("v3")
    assert stage.texts("v3") == {}
    stage.drain("v2")
    assert stage.texts("v2") == {"x": "two"}
    one(stage.db, "SELECT pgvec.retry_set_aside('docs')")
    stage.drain()
    assert stage.texts("v1") == stage.texts("v2") == stage.texts("v3") == {"x": "two"}


def test_planning_for_the_active_version_revives_nothing_that_was_deleted(stage: Stage) -> None:
    stage.activate("v1")
    for name in KEYS:
        stage.put(name, "one", "v1")
    stage.activate("v2")
    stage.activate("v3")
    with stage.index_build_of("v1"):
        stage.delete_through("v2", "x")
        stage.delete_through("v3", "y")
    one(stage.db, "SELECT pgvec.plan_backfill('docs', 'v3')")
    stage.drain("v3")
    stage.drain("v1")
    stage.drain()
    for label in EMBEDDERS:
        assert stage.texts(label) == {"z": "one"}


def deleted_after_the_build(stage: Stage, **what: list[str]) -> int:
    """Deletes by the store while the index of v1 is built: it waits, for nothing could carry it."""
    waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)"
    with ThreadPoolExecutor(1) as pool:
        with stage.index_build_of("v1"):
            gone = pool.submit(lambda: stage.store.delete(**what))
            wait_until(lambda: one(stage.db, waits))
        return gone.result()


@pytest.mark.parametrize("by_document", [False, True])
def test_a_delete_reaches_what_only_a_version_holds_whose_index_is_built(
    stage: Stage, by_document: bool
) -> None:
    stage.activate("v1")
    stage.store.add([Chunk("one", "doc", 0, {}, KEYS["x"])])
    what = {"document_ids": ["doc"]} if by_document else {"chunk_ids": [KEYS["x"]]}
    assert deleted_after_the_build(stage, **what) == 1
    assert stage.texts("v1") == {}


def test_a_delete_reaches_what_else_only_an_abandoned_version_holds(stage: Stage) -> None:
    stage.activate("v1")
    stage.put("x", "one", "v1")
    Transition(stage.engine, "docs", "v2", EMBEDDERS["v2"]).run()
    abandon_keeping_leaf(stage.db, "docs", "v2")
    assert deleted_after_the_build(stage, chunk_ids=[KEYS["x"]]) == 1
    stage.drain("v1")
    assert stage.texts("v1") == {}


def test_writers_do_not_wait_while_make_ready_counts(stage: Stage, connect: Connect) -> None:
    stage.activate("v1")
    stage.register("v2")
    one(stage.db, "SELECT pgvec.build_index('docs', 'v2')")
    writer = connect()
    writer.execute("SET lock_timeout = '5s'")
    with stage.db.transaction(force_rollback=True):
        one(stage.db, "SELECT pgvec.make_ready('docs', 'v2')")
        writer.execute(
            "INSERT INTO docs (chunk_id, model_version, content, embedding)"
            " VALUES (%s, 'v1', 'one', %s)",
            (KEYS["x"], literal(EMBEDDERS["v1"].vector("one"))),
        )


@pytest.mark.parametrize("verb", ["add", "delete"])
def test_the_store_goes_again_after_a_deadlock(
    stage: Stage, connect: Connect, database: str, verb: str
) -> None:
    stage.activate("v1")
    for name in KEYS:
        stage.put(name, "one", "v1")
    stage.activate("v2")
    engine = create_engine(
        database.replace("postgresql://", "postgresql+psycopg://"),
        connect_args={"application_name": "store", "options": "-c deadlock_timeout=1500ms"},
    )
    store = ChunkStore(engine, "docs", EMBEDDERS)
    session = connect()
    # The store finds the deadlock, not this session.
    session.execute("SET deadlock_timeout = '60s'")
    touch = "UPDATE docs SET metadata = %s WHERE model_version = 'v1' AND chunk_id = %s"
    with ThreadPoolExecutor(1) as pool:
        with session.transaction():
            session.execute(touch, ('{"n": 1}', KEYS["y"]))
            if verb == "add":
                chunks = [Chunk("one", None, None, {"n": 2}, KEYS[name]) for name in "xy"]
                waiting = pool.submit(lambda: store.add(chunks, version="v2").touched)
            else:
                waiting = pool.submit(lambda: store.delete(chunk_ids=[KEYS["x"], KEYS["y"]]))
            wait_until(
                lambda: one(
                    stage.db,
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE application_name = 'store' AND wait_event_type = 'Lock'",
                ),
                "the store to wait",
            )
            session.execute(touch, ('{"n": 1}', KEYS["x"]))
        assert waiting.result(60) == 2
    assert one(
        stage.db,
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    ) in (0, 1)
    engine.dispose()
    stage.drain()
    left = {"z": "one"} if verb == "delete" else dict.fromkeys(KEYS, "one")
    assert stage.texts("v1") == stage.texts("v2") == left
