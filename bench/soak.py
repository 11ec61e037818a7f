"""Everything at once: writers, killed workers, lost backends, flips, readers; as long as you want.

Run: ``make soak MINUTES=10``, or ``python -m bench.soak [MINUTES]``. An embedded PostgreSQL 18.
At the end it checks every row of every version: nothing is lost, doubled, resurrected or stale, and
no reader met a foreign version. Exit status 1 if that does not hold.
"""

from __future__ import annotations

import logging
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg

from pgvec_versions import Transition, Worker, roll_back
from pgvec_versions.errors import Busy, LockTimeout, NotReady
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.embedded import embedded_server
from pgvec_versions.postgres.install import install
from tests.faults import test_kills as kills
from tests.faults.looks import Connection, assert_catalog_agrees, one, rows_by_version
from tests.tools import literal

EMBEDDERS = kills.EMBEDDERS
WRITERS, WORKERS, READERS = 3, 2, 2
#: Units: seconds between faults, on average.
FAULT_EVERY, FLIP_EVERY = 0.5, 2.0
ASK = (
    "SELECT model_version, content, embedding <=> %s::vector FROM active_docs"
    " ORDER BY embedding <=> %s::vector LIMIT 5"
)


@dataclass
class Figures:
    """What was done to it, and what was seen."""

    seen: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    slowest_read: float = 0.0


class Writer(kills.Writer):
    """Writes until it is told to stop."""

    def go_on(self, stop: threading.Event) -> None:
        try:
            store = self.again("open", lambda: kills.ChunkStore(self.engine, "docs", EMBEDDERS))
            turn = 0
            while not stop.is_set():
                self.write(store, turn)
                turn += 1
        except BaseException as error:
            self.error = error


def read_on(url: str, figures: Figures, stop: threading.Event) -> None:
    """Asks the routing view with the version it believes in; checks each distance it gets."""
    version = "v1"
    try:
        with psycopg.connect(url, autocommit=True) as db:
            while not stop.is_set():
                db.execute("SELECT set_config('pgvec.query_version.docs', %s, false)", (version,))
                query = EMBEDDERS[version].vector("text")
                began = time.perf_counter()
                try:
                    rows = db.execute(ASK, (literal(query), literal(query))).fetchall()
                except psycopg.Error as error:
                    figures.seen[f"read refused {error.sqlstate}"] += 1
                    if error.sqlstate not in ("PV011", "40001"):
                        raise
                    version = one(db, "SELECT pgvec.active_version('docs')")
                    continue
                figures.slowest_read = max(figures.slowest_read, time.perf_counter() - began)
                figures.seen["reads"] += 1
                for label, content, distance in rows:
                    own = 1.0 - float(query @ EMBEDDERS[version].vector(content))
                    if label != version or abs(own - distance) > 1e-5:
                        figures.wrong.append(f"asked {version}, got {label}: {content!r}")
    except BaseException as error:
        figures.wrong.append(f"reader: {error!r}")


def torment(url: str, db: Connection, figures: Figures, seconds: float) -> None:
    """Kills workers, terminates backends and flips, until the time is over."""
    chance = random.Random(7)
    until = time.monotonic() + seconds
    next_flip = time.monotonic() + FLIP_EVERY
    with kills.worker_process(url) as workers:
        workers.extend(kills.start_worker(url) for _ in range(WORKERS))
        while time.monotonic() < until:
            time.sleep(chance.expovariate(1 / FAULT_EVERY))
            if chance.random() < 0.3:
                at = chance.randrange(WORKERS)
                workers[at].send_signal(signal.SIGKILL)
                workers[at].communicate()
                workers[at] = kills.start_worker(url)
                figures.seen["workers killed"] += 1
            else:
                figures.seen["backends terminated"] += len(
                    db.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database()"
                        "   AND application_name IN ('worker', 'writer') ORDER BY random() LIMIT 1"
                    ).fetchall()
                )
            if time.monotonic() >= next_flip:
                next_flip = time.monotonic() + FLIP_EVERY
                try:
                    roll_back(url, "docs", EMBEDDERS)
                    figures.seen["flips"] += 1
                except (NotReady, Busy, LockTimeout) as error:
                    figures.seen[f"flip refused: {type(error).__name__}"] += 1


def look_back(db: Connection, writers: list[Writer], figures: Figures) -> int:
    """Compares every version with what the writers know. Returns how many chunks there are."""
    rows = rows_by_version(db, EMBEDDERS)
    held = {
        label: {key: (r.content, r.metadata) for key, r in mine.items()}
        for label, mine in rows.items()
    }
    if held["v1"] != held["v2"]:
        figures.wrong.append("the versions differ")
    for writer in writers:
        for key, possible in writer.may_hold.items():
            if held["v1"].get(key) not in possible:
                figures.wrong.append(f"{key} holds {held['v1'].get(key)}, written was {possible}")
    for label in EMBEDDERS:
        problems = one(db, "SELECT pgvec.ready_problems('docs', %s)", label)
        if problems:
            figures.wrong.append(f"{label}: {problems}")
    assert_catalog_agrees(db)
    return len(held["v1"])


def soak(url: str, minutes: float) -> bool:
    """The whole of it; prints the figures. Returns whether every promise held."""
    figures = Figures()
    with psycopg.connect(url, autocommit=True) as db:
        install(db)
        db.execute("SELECT pgvec.create_collection('docs')")
        Transition(url, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
        Transition(url, "docs", "v2", EMBEDDERS["v2"]).run(cut_over=True)
        writers = [Writer(number, url) for number in range(1, WRITERS + 1)]
        stop = threading.Event()
        threads = [threading.Thread(target=w.go_on, args=(stop,)) for w in writers]
        threads += [
            threading.Thread(target=read_on, args=(url, figures, stop)) for _ in range(READERS)
        ]
        for thread in threads:
            thread.start()
        try:
            torment(url, db, figures, minutes * 60)
        finally:
            stop.set()
            for thread in threads:
                thread.join(120)
        figures.wrong += [f"writer {w.number}: {w.error!r}" for w in writers if w.error]
        Worker(url, "docs", EMBEDDERS, lease=timedelta(seconds=1), max_attempts=10_000).drain()
        chunks = look_back(db, writers, figures)
    done = sum((w.done for w in writers), Counter[str]())
    retried = sum((w.retried for w in writers), Counter[str]())
    print(f"{minutes:g} minutes: {sum(done.values())} writes {dict(done)}")
    print(f"  tried again   {dict(retried)}")
    print(f"  seen          {dict(figures.seen)}")
    print(f"  slowest read  {figures.slowest_read * 1e3:.0f} ms")
    print(f"  chunks        {chunks}, equal in both versions")
    for line in figures.wrong[:20]:
        print(f"  WRONG         {line}")
    return not figures.wrong


def main() -> None:
    """Starts a server of its own and soaks it."""
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL + 1)
    folder = Path(tempfile.mkdtemp(prefix="pgvec-soak-"))
    folder.chmod(0o755)
    try:
        with embedded_server(folder / "data") as server:
            held = soak(server.url("soak"), float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
            close_shared_engines()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
