"""Readers of every kind while the collection flips between two versions, two hundred times."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from pgvec_versions import Chunk, ChunkStore, Transition
from tests.faults.looks import Connection, assert_catalog_agrees, one, tiny, wait_until
from tests.sql.helpers import in_background, second_version
from tests.tools import Connect, literal

FLIPS = 200
#: What a reader may meet at a flip, and then asks again: another version's query, an old snapshot.
RETRIED = ("PV011", "40001")
V1, V2 = tiny("v1", 8), tiny("v2", 8)
EMBEDDERS = {"v1": V1, "v2": V2}

NEAREST_IN_VIEW = (
    "SELECT model_version, content, embedding <=> %s::vector AS distance"
    "  FROM active_docs ORDER BY embedding <=> %s::vector LIMIT 5"
)


@dataclass
class Reads:
    """What one reader saw."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    #: When each read began and ended.
    spans: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    wrong: list[str] = field(default_factory=list[str])
    error: BaseException | None = None

    def check(self, version: str, question: str, found: list[Any]) -> None:
        """One version, the declared one, and the distances its own embedder gives."""
        if {row[0] for row in found} != {version} or len(found) != 5:
            self.wrong.append(f"asked {version}, got {[row[0] for row in found]}")
        embedder = EMBEDDERS[version]
        for label, content, distance in found:
            own = 1.0 - float(embedder.vector(question) @ embedder.vector(content))
            if abs(own - distance) > 1e-5:
                self.wrong.append(f"a distance of {label} is not {version}'s")


Reader = Callable[[Reads, str, str], None]


def view_reader(connection: Connection, *, prepare: bool, whole: bool) -> Reader:
    """Declares the version and asks the routing view; ``whole``: in one short transaction."""

    def ask(reads: Reads, version: str, question: str) -> None:
        vector = literal(EMBEDDERS[version].vector(question))
        if whole:
            with connection.transaction():
                connection.execute(
                    "SELECT set_config('pgvec.query_version.docs', %s, true)", (version,)
                )
                for _ in range(2):
                    cursor = connection.execute(NEAREST_IN_VIEW, (vector, vector), prepare=prepare)
                    reads.check(version, question, cursor.fetchall())
            return
        connection.execute("SELECT set_config('pgvec.query_version.docs', %s, false)", (version,))
        cursor = connection.execute(NEAREST_IN_VIEW, (vector, vector), prepare=prepare)
        reads.check(version, question, cursor.fetchall())

    return ask


def snapshot_reader(connection: Connection) -> Reader:
    """Takes its snapshot first, then asks: REPEATABLE READ, prepared."""

    def ask(reads: Reads, version: str, question: str) -> None:
        vector = literal(EMBEDDERS[version].vector(question))
        with connection.transaction():
            connection.execute(
                "SELECT set_config('pgvec.query_version.docs', %s, true), now()", (version,)
            )
            cursor = connection.execute(NEAREST_IN_VIEW, (vector, vector), prepare=True)
            reads.check(version, question, cursor.fetchall())

    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return ask


def sqlalchemy_reader(engine: Engine) -> Reader:
    statement = text(NEAREST_IN_VIEW.replace("%s::vector", "CAST(:query AS vector)"))

    def ask(reads: Reads, version: str, question: str) -> None:
        vector = literal(EMBEDDERS[version].vector(question))
        with engine.begin() as connection:
            connection.execute(
                text("SELECT set_config('pgvec.query_version.docs', :label, true)"),
                {"label": version},
            )
            rows = connection.execute(statement, {"query": vector}).fetchall()
        reads.check(version, question, [tuple(row) for row in rows])

    return ask


def nearest_reader(connection: Connection, *, prepare: bool) -> Reader:
    def ask(reads: Reads, version: str, question: str) -> None:
        cursor = connection.execute(
            "SELECT model_version, content, distance"
            "  FROM pgvec.nearest('docs', %s::vector, %s, 5, expect_active => true)",
            (literal(EMBEDDERS[version].vector(question)), version),
            prepare=prepare,
        )
        reads.check(version, question, cursor.fetchall())

    return ask


def store_reader(store: ChunkStore) -> Reader:
    """Gives the text and lets the store find the version."""

    def ask(reads: Reads, version: str, question: str) -> None:
        hits = store.search(question, 5)
        labels = {hit.model_version for hit in hits}
        if len(labels) != 1:
            reads.wrong.append(f"one search gave {labels}")
            return
        reads.check(
            labels.pop(), question, [(h.model_version, h.content, h.distance) for h in hits]
        )

    return ask


def sqlstate(error: BaseException) -> str | None:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlstate", None)


def read_on(
    ask: Reader, reads: Reads, active: Callable[[], str], start: threading.Barrier,
    stop: threading.Event, number: int,
) -> None:  # fmt: skip
    """Asks until the flips are over; after a refusal with the version that is active then."""
    version, turn = "v1", number
    try:
        start.wait()
        while not stop.is_set():
            turn += 1
            began = time.perf_counter()
            try:
                ask(reads, version, f"text {turn % 50}")
            except Exception as error:
                code = sqlstate(error)
                if code not in RETRIED:
                    raise
                reads.refused[code] += 1
                version = active()
                continue
            finally:
                reads.spans.append((began, time.perf_counter()))
            reads.done += 1
    except BaseException as error:
        reads.error = error


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@pytest.mark.timeout(120)
def test_no_reader_ever_gets_a_foreign_version_through_two_hundred_flips(
    engine: Engine, connect: Connect
) -> None:
    db = connect()
    db.execute("SELECT pgvec.create_collection('docs')")
    Transition(engine, "docs", "v1", V1).run(cut_over=True)
    store = ChunkStore(engine, "docs", EMBEDDERS)
    store.add([Chunk(f"text {number}") for number in range(300)])
    Transition(engine, "docs", "v2", V2).run()

    readers = [
        view_reader(connect(), prepare=True, whole=False),
        view_reader(connect(), prepare=False, whole=False),
        view_reader(connect(), prepare=True, whole=True),
        view_reader(connect(), prepare=False, whole=True),
        snapshot_reader(connect()),
        sqlalchemy_reader(engine),
        nearest_reader(connect(), prepare=True),
        store_reader(store),
    ]
    stop = threading.Event()
    start = threading.Barrier(len(readers) + 1)
    results = [Reads() for _ in readers]
    # Each asks for the active version on a connection of its own.
    threads = []
    for number, (ask, reads) in enumerate(zip(readers, results, strict=True)):
        look = connect()
        threads.append(
            threading.Thread(
                target=read_on,
                args=(
                    ask, reads, lambda look=look: one(look, "SELECT pgvec.active_version('docs')"),
                    start, stop, number * 6,
                ),
            )
        )  # fmt: skip
    for thread in threads:
        thread.start()
    start.wait()
    flips: list[tuple[float, float]] = []
    try:
        for number in range(FLIPS):
            floor = [reads.done for reads in results]
            began = time.perf_counter()
            if number == 0:
                assert one(db, "SELECT pgvec.cut_over('docs', 'v2')") == "v1"
            else:
                back_to = "v1" if number % 2 else "v2"
                assert one(db, "SELECT pgvec.roll_back('docs')") == back_to
            flips.append((began, time.perf_counter()))
            if number % 10 == 9:
                # Everybody reads on between the flips: nobody is locked out.
                wait_until(
                    lambda floor=floor: all(
                        r.done > before or r.error for r, before in zip(results, floor, strict=True)
                    ),
                    "a read of every reader",
                )
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    for reads in results:
        if reads.error is not None:
            raise reads.error
        assert reads.wrong == []
    assert_catalog_agrees(db)

    spans = [span for reads in results for span in reads.spans]
    every = [end - began for began, end in spans]
    met = stalls(spans, flips)
    took = [end - began for began, end in flips]
    refusals = sum((reads.refused for reads in results), Counter[str]())
    print(
        f"PostgreSQL {db.info.server_version // 10_000}: {sum(r.done for r in results)} reads by"
        f" {len(results)} readers through {FLIPS} flips, 0 of a foreign version;"
        f" refused and asked again: {dict(refusals)};"
        f" a read took p50 {quantile(every, 0.5) * 1e3:.1f} ms,"
        f" p99 {quantile(every, 0.99) * 1e3:.0f} ms;"
        f" {len(met)} reads met a flip: p50 {quantile(met, 0.5) * 1e3:.1f} ms,"
        f" p99 {quantile(met, 0.99) * 1e3:.0f} ms, max {max(met) * 1e3:.0f} ms;"
        f" a flip took median {quantile(took, 0.5) * 1e3:.0f} ms, max {max(took) * 1e3:.0f} ms"
    )


def stalls(spans: list[tuple[float, float]], flips: list[tuple[float, float]]) -> list[float]:
    """How long those reads took that were under way during a flip. Units: seconds."""
    starts = [began for began, _ in flips]
    found: list[float] = []
    for began, end in spans:
        # The last flip that began before the read ended.
        at = bisect_left(starts, end) - 1
        if at >= 0 and flips[at][1] > began:
            found.append(end - began)
    return found


def test_new_readers_never_wait_long_behind_a_flip_that_waits_for_an_idle_transaction(
    connect: Connect,
) -> None:
    db = connect()
    second_version(db, until="ready", count=20)
    # Somebody has read, and does not end his transaction.
    idle = connect(autocommit=False)
    idle.execute("SET LOCAL pgvec.query_version.docs = 'v1'")
    idle.execute("SELECT count(*) FROM active_docs").fetchone()
    flipper, reader = connect(), connect()
    reader.execute("SET pgvec.query_version.docs = 'any'")
    # The server is the clock: a reader that is kept for longer than this gets an error.
    reader.execute("SET lock_timeout = '5s'")

    def is_in_line() -> bool:
        return one(db, "SELECT cardinality(pg_blocking_pids(%s)) > 0", flipper.info.backend_pid)

    met = 0
    waits: list[float] = []
    with in_background(
        lambda: flipper.execute(
            "SELECT pgvec.cut_over('docs', 'v2', lock_timeout => '150 ms', attempts => 12)"
        )
    ) as flipping:
        while not flipping.done():
            wait_until(lambda: flipping.done() or is_in_line(), "the flip to wait")
            in_line = is_in_line()
            began = time.perf_counter()
            reader.execute("SELECT count(*) FROM active_docs").fetchone()
            waits.append(time.perf_counter() - began)
            met += in_line
        with pytest.raises(psycopg.errors.LockNotAvailable):
            flipping.result()
    assert met > 0, "the flip was never met while it waited"
    assert one(db, "SELECT pgvec.active_version('docs')") == "v1"
    assert_catalog_agrees(db)
    idle.rollback()
    # Nothing was changed, and it goes through once the transaction has ended.
    assert one(flipper, "SELECT pgvec.cut_over('docs', 'v2')") == "v1"
    print(
        f"PostgreSQL {db.info.server_version // 10_000}: {len(waits)} new readers while a flip with"
        f" lock_timeout 150 ms waited for an idle transaction, {met} of them met it waiting:"
        f" the longest waited {max(waits) * 1e3:.0f} ms"
    )
