"""Writers who never pause: the cut-over comes all the same, and none of them waits for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions import Chunk, ChunkStore, Transition, roll_back
from pgvec_versions.errors import LockTimeout, NotReady
from pgvec_versions.states import State
from tests.db.helpers import HookedEmbedder, in_thread, open_store, texts
from tests.faults.looks import assert_catalog_agrees, one, rows_by_version, tiny, wait_until
from tests.tools import Connect, TinyEmbedder, literal

EMBEDDERS: dict[str, TinyEmbedder] = {"v1": tiny("v1"), "v2": tiny("v2")}
LONGEST_PAUSE = timedelta(seconds=2)
#: The server is the clock: a writer that is kept out longer than the option allows, and twice
#: lock_timeout before and after, gets an error.
MOST = "4s"


@dataclass
class Writer:
    """Edits and inserts through v1, without end, and measures how long each write took."""

    number: int
    connection: psycopg.Connection[Any]
    seconds: list[float] = field(default_factory=list[float])
    error: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        try:
            self.connection.execute(f"SET lock_timeout = '{MOST}'".encode())
            while not stop.is_set():
                turn = len(self.seconds)
                text = f"writer {self.number} turn {turn}"
                began = time.perf_counter()
                if turn % 3:
                    self.connection.execute(
                        "UPDATE docs SET content = %s, embedding = %s WHERE model_version = 'v1'"
                        " AND content LIKE %s",
                        (text, literal(EMBEDDERS["v1"].vector(text)), f"writer {self.number} %"),
                    )
                else:
                    self.connection.execute(
                        "INSERT INTO docs (model_version, content, embedding)"
                        " VALUES ('v1', %s, %s)",
                        (text, literal(EMBEDDERS["v1"].vector(text))),
                    )
                    self.connection.execute(
                        "DELETE FROM docs WHERE model_version = 'v1' AND content LIKE %s"
                        " AND content <> %s", (f"writer {self.number} %", text)
                    )  # fmt: skip
                self.seconds.append(time.perf_counter() - began)
        except BaseException as error:
            self.error = error


@contextmanager
def never_pausing(connect: Connect, count: int = 2) -> Iterator[list[Writer]]:
    """Writers at work while the block runs. None of them may meet an error."""
    writers = [Writer(number, connect()) for number in range(count)]
    stop = threading.Event()
    threads = [threading.Thread(target=w.run, args=(stop,)) for w in writers]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(w.seconds or w.error for w in writers), "the first writes")
        yield writers
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    for writer in writers:
        if writer.error is not None:
            raise writer.error


def test_cut_over_and_roll_back_come_though_writers_never_pause_and_no_write_is_lost(
    engine: Engine, connect: Connect
) -> None:
    db = connect()
    open_store(engine, EMBEDDERS["v1"], texts(60))
    two = Transition(engine, "docs", "v2", EMBEDDERS["v2"])
    with never_pausing(connect) as writers:
        two.run()
        floor = [len(w.seconds) for w in writers]
        wait_until(
            lambda: all(len(w.seconds) > n for w, n in zip(writers, floor, strict=True)), "writes"
        )
        began = time.perf_counter()
        assert two.cut_over(longest_pause=LONGEST_PAUSE) == "v1"
        took = time.perf_counter() - began
        assert roll_back(engine, "docs", EMBEDDERS, longest_pause=LONGEST_PAUSE) == "v1"
    Transition(engine, "docs", "v1", EMBEDDERS["v1"]).worker().drain()
    two.worker().drain()
    rows = rows_by_version(db, EMBEDDERS)
    assert {k: r.content for k, r in rows["v1"].items()} == {
        k: r.content for k, r in rows["v2"].items()
    }
    every = [s for w in writers for s in w.seconds]
    print(
        f"PostgreSQL {db.info.server_version // 10_000}: {len(every)} writes without a pause;"
        f" the cut-over took {took:.2f} s, the longest write {max(every) * 1e3:.0f} ms,"
        f" allowed were {LONGEST_PAUSE.total_seconds():g} s and the waits for locks"
    )


def test_a_model_that_hangs_under_the_writers_lock_holds_them_no_longer_than_the_option(
    engine: Engine, connect: Connect
) -> None:
    db = connect()
    open_store(engine, EMBEDDERS["v1"], texts(5))
    two = HookedEmbedder("v2")
    upgrade = Transition(engine, "docs", "v2", two)
    upgrade.run()
    ChunkStore(engine, "docs", EMBEDDERS).add([Chunk("the last one", "late", 0)], version="v1")
    hang = threading.Event()

    def hook(_: Sequence[str]) -> None:
        hang.wait(60)

    two.hook = hook

    def cut_over() -> None:
        with pytest.raises(LockTimeout):
            upgrade.while_writers_wait(
                "cut_over",
                timedelta(milliseconds=200),
                timedelta(seconds=1),
                force=False,
                reason=None,
            )

    with in_thread(cut_over):
        wait_until(lambda: two.calls > 1, "the model")
        writer = connect()
        writer.execute(f"SET lock_timeout = '{MOST}'")
        # It comes through while the model still hangs: the server has let go of the lock.
        writer.execute(
            "INSERT INTO docs (model_version, content, embedding) VALUES ('v1', 'mine', %s)",
            (literal(EMBEDDERS["v1"].vector("mine")),),
        )
        hang.set()
    two.hook = None
    assert assert_catalog_agrees(db)["v1"].state == "active"
    assert upgrade.state is State.READY
    assert upgrade.cut_over() == "v1"


@pytest.mark.parametrize("obstacle", ["open", "set aside", "stale", "missing"])
def test_a_cut_over_is_impossible_while_something_is(
    obstacle: str, engine: Engine, connect: Connect
) -> None:
    db = connect()
    store = open_store(engine, EMBEDDERS["v1"], [Chunk(t, t, 0) for t in texts(5)])
    two = Transition(engine, "docs", "v2", EMBEDDERS["v2"])
    two.run()
    if obstacle == "missing":
        # By a way that no trigger sees.
        with db.transaction():
            db.execute("SET LOCAL session_replication_role = replica")
            db.execute("DELETE FROM pgvec_leaves.docs__v2 WHERE content = 'text 001'")
        # The check by rows finds it; ready is over.
        with pytest.raises(NotReady):
            two.make_ready()
        assert two.state is State.BUILDING
    else:
        store.add([Chunk("edited", "text 001", 0)])
        if obstacle == "set aside":
            db.execute("UPDATE pgvec.work_item SET set_aside_at = now(), last_error = 'x'")
        if obstacle == "stale":
            # The hint of the change is lost; the rows tell.
            db.execute("DELETE FROM pgvec.work_item")
            with pytest.raises(NotReady):
                two.make_ready()
    with pytest.raises(psycopg.Error) as caught:
        db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    assert caught.value.sqlstate in ("PV005", "PV006")
    assert one(db, "SELECT pgvec.active_version('docs')") == "v1"


def test_a_roll_back_rewrites_no_row_and_answers_as_before_plus_what_was_written_since(
    engine: Engine, connect: Connect
) -> None:
    db = connect()
    store = open_store(engine, EMBEDDERS["v1"], [Chunk(t, t, 0) for t in texts(40)])
    Transition(engine, "docs", "v2", EMBEDDERS["v2"]).run(cut_over=True)
    both = ChunkStore(engine, "docs", EMBEDDERS)

    def answers() -> dict[str, list[tuple[str, float]]]:
        return {
            question: [
                (hit.content, round(hit.distance, 5))
                for hit in store.search(question, 100, version="v1", exact=True)
            ]
            for question in ("text 003", "anything")
        }

    before = answers()
    both.add([Chunk("written since", "new", 0), Chunk("edited since", "text 007", 0)])
    both.delete(document_ids=["text 008"])
    Transition(engine, "docs", "v1", EMBEDDERS["v1"]).worker().drain()
    place = (
        "SELECT array_agg(d ORDER BY d)"
        "  FROM (SELECT tableoid || ' ' || ctid || ' ' || xmin AS d FROM docs) k"
    )
    stood, wal = one(db, place), one(db, "SELECT pg_current_wal_insert_lsn()::text")
    assert one(db, "SELECT pgvec.roll_back('docs')") == "v1"
    written = one(db, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s::pg_lsn)", wal)
    assert one(db, place) == stood, "rows were rewritten"
    gone, come = {"text 007", "text 008"}, {"written since", "edited since"}
    for question, found in answers().items():
        assert [a for a in found if a[0] not in come] == [
            a for a in before[question] if a[0] not in gone
        ]
        assert come <= {content for content, _ in found}
    print(
        f"PostgreSQL {db.info.server_version // 10_000}: a roll-back wrote"
        f" {int(written) / 1024:.0f} kB of WAL and no row of a chunk"
    )
