"""Workers are killed, backends terminated, writers write through two versions: nothing is lost."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from pgvec_versions import Chunk, ChunkStore, Transition, Worker
from pgvec_versions.errors import Busy, DatabaseUnavailable, LockTimeout, PgvecError
from tests.effort import effort
from tests.end_states import same
from tests.faults.looks import assert_catalog_agrees, one, rows_by_version, tiny, wait_until
from tests.tools import Connect, literal

EMBEDDERS = {"v1": tiny("v1"), "v2": tiny("v2")}
CHUNKS = 200
WORKERS = 4
WRITERS = 4
#: How long it goes on; on PostgreSQL 16 a third of it. Units: seconds.
SECONDS = float(os.environ.get("PGVEC_FAULT_SECONDS", effort(ci=15, nightly=120)))
#: Of the pauses between two faults, and how many backends are terminated for each worker killed.
LONGEST_PAUSE = 0.4
TERMINATED_PER_KILLED = 4
#: A writer tries again after a deadlock, a serialization failure, or the loss of its connection.
RETRIED = ("40P01", "40001", "57P01")
ROOT = Path(__file__).resolve().parents[2]

#: Content and metadata of a chunk, or None where there is none.
Held = tuple[str, dict[str, Any]] | None


@dataclass
class Writer:
    """Writes its own chunks, whose end it knows, and a few that all writers fight over."""

    number: int
    url: str
    done: Counter[str] = field(default_factory=Counter[str])
    retried: Counter[str] = field(default_factory=Counter[str])
    #: What each own chunk may hold now: more than one when a commit's answer was lost.
    may_hold: dict[str, list[Held]] = field(default_factory=dict[str, list[Held]])
    #: Every content that was ever given to a shared chunk.
    shared: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.number)
        # Deadlocks are wanted here, and should be found soon.
        self.connect_args = {"application_name": "writer", "options": "-c deadlock_timeout=50ms"}
        # No pool: each write has a connection of its own, that can be lost.
        self.engine = create_engine(
            self.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool,
            connect_args=self.connect_args,
        )  # fmt: skip
        self.own = [
            str(uuid.UUID(int=self.number * 1000 + i + 1)) for i in range(CHUNKS // WRITERS)
        ]
        self.common = [str(uuid.UUID(int=900_000 + i)) for i in range(5)]

    def run(self, start: threading.Barrier, stop: threading.Event) -> None:
        try:
            start.wait()
            store = self.again("open", lambda: ChunkStore(self.engine, "docs", EMBEDDERS))
            for turn in count():
                if stop.is_set():
                    break
                self.write(store, turn)
        except BaseException as error:
            self.error = error

    def again(self, what: str, call: Any, maybe: Any = None) -> Any:
        """Calls until it goes through. ``maybe`` is told of each try whose answer was lost."""
        while True:
            try:
                return call()
            except (LockTimeout, Busy) as error:
                self.retried[f"{what} {error.sqlstate}"] += 1
            except (psycopg.Error, PgvecError) as error:
                code = getattr(error, "sqlstate", None)
                lost = isinstance(error, DatabaseUnavailable | psycopg.OperationalError)
                if code not in RETRIED and not lost:
                    raise
                self.retried[f"{what} {code or 'lost'}"] += 1
                if maybe is not None and code not in ("40P01", "40001"):
                    maybe()

    def write(self, store: ChunkStore, turn: int) -> None:
        label = self.random.choice(["v1", "v2"])
        what = self.random.choice(["put", "edit", "touch", "delete", "bulk", "shared", "shared"])
        self.done[what] += 1
        text, tag = f"writer {self.number} turn {turn}", {"turn": turn}
        if what == "shared":
            self.fight(store, label, text, tag)
            return
        keys = self.random.sample(self.own, 20 if what == "bulk" else 1)
        if what in ("put", "bulk"):
            chunks = [Chunk(f"{text} {key}", None, None, tag, key) for key in keys]
            after: dict[str, Held] = {c.chunk_id: (c.content, tag) for c in chunks}  # type: ignore[misc]
            self.acknowledged(after, lambda: store.add(chunks, version=label))
        elif what == "delete":
            self.acknowledged(dict.fromkeys(keys), lambda: store.delete(chunk_ids=keys))
        else:
            self.by_sql(what, label, keys[0], text, tag)

    def acknowledged(self, after: dict[str, Held], call: Any) -> None:
        def maybe() -> None:
            for key, held in after.items():
                self.may_hold.setdefault(key, [None]).append(held)

        self.again("store", call, maybe)
        for key, held in after.items():
            self.may_hold[key] = [held]

    def by_sql(self, what: str, label: str, key: str, text: str, tag: dict[str, Any]) -> None:
        """An UPDATE through one version: it acts on what that version holds already."""

        def call() -> list[Any]:
            with psycopg.connect(self.url, **self.connect_args) as connection:
                if what == "edit":
                    return connection.execute(
                        "UPDATE docs SET content = %s, embedding = %s, metadata = %s"
                        " WHERE model_version = %s AND chunk_id = %s RETURNING content, metadata",
                        (text, literal(EMBEDDERS[label].vector(text)), Jsonb(tag), label, key),
                    ).fetchall()
                return connection.execute(
                    "UPDATE docs SET metadata = %s WHERE model_version = %s AND chunk_id = %s"
                    " RETURNING content, metadata",
                    (Jsonb(tag), label, key),
                ).fetchall()

        def maybe() -> None:
            possible = self.may_hold.setdefault(key, [None])
            contents = {text} if what == "edit" else {h[0] for h in list(possible) if h}
            # A touch may have met a text that was not carried yet.
            contents |= self.shared.get(key, set())
            possible.extend((content, tag) for content in contents)

        before = list(self.may_hold.get(key, [None]))
        found = self.again("sql", call, maybe)
        if found:
            # The later write wins, whole: what the row shows now is what the chunk holds.
            self.may_hold[key] = [(found[0][0], found[0][1])]
        elif len(self.may_hold.get(key, [None])) == len(before):
            self.may_hold.setdefault(key, [None])

    def fight(self, store: ChunkStore, label: str, text: str, tag: dict[str, Any]) -> None:
        """The same few chunks as everybody: edits, touches and deletes through either version."""
        keys = self.random.sample(self.common, 3)

        def touch() -> None:
            with psycopg.connect(self.url, **self.connect_args) as connection:
                for key in keys:
                    connection.execute(
                        "UPDATE docs SET metadata = %s WHERE model_version = %s AND chunk_id = %s",
                        (Jsonb(tag), label, key),
                    )

        how = self.random.choice(["add", "add", "touch", "touch", "delete"])
        if how == "add":
            for key in keys:
                self.shared.setdefault(key, set()).add(text)
            chunks = [Chunk(text, None, None, tag, key) for key in keys]
            self.again("shared add", lambda: store.add(chunks, version=label))
        elif how == "touch":
            self.again("shared touch", touch)
        else:
            self.again("shared delete", lambda: store.delete(chunk_ids=keys))


@contextmanager
def worker_process(url: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes that are replaced by hand; none is left over."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def start_worker(url: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.kills_worker", f"{url}?application_name=worker"
         if "?" not in url else f"{url}&application_name=worker", "v1", "v2"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    return process


def replace(workers: list[subprocess.Popen[bytes]], at: int, url: str) -> None:
    """Kills a worker, where it stands, and starts another."""
    workers[at].send_signal(signal.SIGKILL)
    workers[at].wait()
    for pipe in (workers[at].stdin, workers[at].stdout):
        assert pipe is not None
        pipe.close()
    workers[at] = start_worker(url)


@pytest.fixture
def quiet_pool() -> Iterator[None]:
    """The pool logs every connection that is lost; here that is the point."""
    loggers = [logging.getLogger(name) for name in ("sqlalchemy.pool", "psycopg")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.timeout(SECONDS * 2 + 240)
@pytest.mark.usefixtures("quiet_pool")
def test_what_was_written_survives_killed_workers_and_lost_connections(
    database: str, connect: Connect
) -> None:
    db = connect()
    version = db.info.server_version // 10_000
    db.execute("SELECT pgvec.create_collection('docs')")
    Transition(database, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
    Transition(database, "docs", "v2", EMBEDDERS["v2"]).run()
    writers = [Writer(number, database) for number in range(1, WRITERS + 1)]
    start, stop = threading.Barrier(WRITERS + 1), threading.Event()
    threads = [threading.Thread(target=w.run, args=(start, stop)) for w in writers]
    chance = random.Random(7)
    killed = terminated = 0
    for thread in threads:
        thread.start()
    try:
        with worker_process(database) as workers:
            workers.extend(start_worker(database) for _ in range(WORKERS))
            for process in workers:
                assert process.stdout is not None
                assert process.stdout.readline() == b"working\n"
            start.wait()
            end = time.monotonic() + (SECONDS if version >= 18 else SECONDS / 3)
            while time.monotonic() < end and all(thread.is_alive() for thread in threads):
                if terminated >= killed * TERMINATED_PER_KILLED:
                    # In the middle of something: an item is claimed.
                    wait_until(
                        lambda: (
                            one(db, "SELECT count(*) FROM pgvec.work_item WHERE lease IS NOT NULL")
                            or not all(thread.is_alive() for thread in threads)
                        ),
                        "a claim",
                    )
                    replace(workers, killed % WORKERS, database)
                    killed += 1
                else:
                    terminated += db.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        "   AND application_name IN ('worker', 'writer')"
                        " ORDER BY random() LIMIT 1"
                    ).rowcount
                stop.wait(chance.random() * LONGEST_PAUSE)
    finally:
        start.abort()
        stop.set()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive()
    for writer in writers:
        if writer.error is not None:
            raise writer.error

    Worker(database, "docs", EMBEDDERS, lease=timedelta(seconds=1), max_attempts=10_000).drain()
    same(db)
    rows = rows_by_version(db, EMBEDDERS)
    unsure = 0
    for writer in writers:
        for key, possible in writer.may_hold.items():
            row = rows["v1"].get(key)
            assert (None if row is None else (row.content, row.metadata)) in possible, (
                f"{key} holds {row}, and {possible} was written"
            )
            unsure += len(possible) > 1
    for key in writers[0].common:
        if key in rows["v1"]:
            given = set().union(*(w.shared.get(key, set()) for w in writers))
            assert rows["v1"][key].content in given
    for label in EMBEDDERS:
        assert one(db, "SELECT pgvec.ready_problems('docs', %s)", label) == {}
    assert_catalog_agrees(db)
    done = sum((w.done for w in writers), Counter[str]())
    retried = sum((w.retried for w in writers), Counter[str]())
    print(
        f"PostgreSQL {version}: {killed} workers killed,"
        f" {terminated} backends terminated; {sum(done.values())} writes {dict(done)};"
        f" tried again {dict(retried)}; {len(rows['v1'])} chunks survive, equal in both versions;"
        f" {unsure} whose last answer was lost"
    )
