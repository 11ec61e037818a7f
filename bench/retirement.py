"""What retiring costs: the drop of a leaf against DELETE and VACUUM on a shared table.

Run: ``python -m bench.retirement [ROWS …] [--dimensions N] [--readers N] [--patience SECONDS]
[--database-url URL]``.
An embedded PostgreSQL 18 unless a URL is given. For each number of rows, two versions of that many
chunks, HNSW-indexed: once as two leaves, once in one table under one index. Meanwhile readers
search the newer version. Then, on the leaves: a long transaction reads the pinned view of the
version that is due, and the job tries again and again, while readers and a writer go on.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.embedded import embedded_server
from pgvec_versions.postgres.install import install

Connection = psycopg.Connection[Any]

VECTOR = """(SELECT array_agg(random() - 0.5) FROM generate_series(1, {dimensions})
              WHERE i = i)::real[]::vector"""
FILL = """
INSERT INTO {table} (chunk_id, model_version, content, embedding)
SELECT md5('chunk' || i)::uuid, '{version}', 'text ' || i, {vector}
  FROM generate_series(1, {rows}) i"""
SHARED = """
DROP TABLE IF EXISTS shared;
CREATE TABLE shared (
    chunk_id uuid, model_version text NOT NULL, content text NOT NULL,
    embedding vector({dimensions}) NOT NULL, PRIMARY KEY (chunk_id, model_version))"""
SHARED_INDEX = "CREATE INDEX ON shared USING hnsw (embedding vector_cosine_ops)"
#: Between two searches of a reader, so that readers do not take the cores from what is measured.
#: Units: seconds.
PAUSE = 0.02
DUE = """UPDATE pgvec.model_version SET retire_at = clock_timestamp() - interval '1 s'
          WHERE state = 'draining'"""
LEAF_QUERY = "SELECT chunk_id FROM active_docs ORDER BY embedding <=> %s::vector LIMIT 10"
SHARED_QUERY = """SELECT chunk_id FROM shared WHERE model_version = 'new'
                   ORDER BY embedding <=> %s::vector LIMIT 10"""
WRITE = """INSERT INTO docs (model_version, content, embedding)
           VALUES ('new', 'written meanwhile', %s::vector)"""


@dataclass
class Trace:
    """Latencies by the moment at which they began. Units: seconds."""

    began: list[float] = field(default_factory=list[float])
    took: list[float] = field(default_factory=list[float])

    def within(self, start: float, end: float) -> str:
        """The number, p99 and maximum of what touched the time between the two moments."""
        took = [
            t for b, t in zip(self.began, self.took, strict=True) if b <= end and b + t >= start
        ]
        if not took:
            return "none"
        p99, most = np.percentile(took, 99) * 1000, max(took) * 1000
        return f"n {len(took):5}, p99 {p99:7.1f} ms, max {most:7.1f} ms"


@contextmanager
def busy(url: str, statement: str, dimensions: int, threads: int) -> Iterator[Trace]:
    """Runs a statement with random vectors in so many sessions while the block runs."""
    trace, ended = Trace(), threading.Event()

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET pgvec.query_version.docs = 'new'")
            while not ended.is_set():
                vector = str(random.standard_normal(dimensions).round(4).tolist())
                began = time.perf_counter()
                connection.execute(statement.encode(), (vector,))
                took = time.perf_counter() - began
                trace.began.append(began)
                trace.took.append(took)
                ended.wait(PAUSE)

    pool = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for thread in pool:
        thread.start()
    try:
        yield trace
    finally:
        ended.set()
        for thread in pool:
            thread.join()


@dataclass
class Cost:
    """What a step took. Units: seconds, bytes of WAL."""

    start: float
    end: float
    wal: int

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.seconds:9.3f} s, {self.wal / 1e6:9.2f} MB of WAL"


def measured(connection: Connection, step: Callable[[], object]) -> Cost:
    """Runs a step; its time, and the WAL that the server wrote meanwhile."""

    def position() -> int:
        row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        assert row is not None
        return int(row[0])

    before, start = position(), time.perf_counter()
    step()
    end = time.perf_counter()
    return Cost(start, end, position() - before)


def fill(connection: Connection, table: str, version: str, rows: int, dimensions: int) -> None:
    vector = VECTOR.format(dimensions=dimensions)
    connection.execute(FILL.format(table=table, version=version, rows=rows, vector=vector).encode())


def leaves(connection: Connection, rows: int, dimensions: int) -> None:
    """Collection docs: ``old`` draining and due, ``new`` active."""
    connection.execute(
        "SELECT pgvec.drop_collection('docs') FROM pgvec.collection WHERE collection = 'docs'"
    )
    connection.execute("SELECT pgvec.create_collection('docs')")
    for version in ("old", "new"):
        connection.execute("SELECT pgvec.register_version('docs', %s, %s)", (version, dimensions))
        fill(connection, "docs", version, rows, dimensions)
        connection.execute("SELECT pgvec.build_index('docs', %s, '2GB')", (version,))
        for verb in ("make_ready", "cut_over"):
            connection.execute(f"SELECT pgvec.{verb}('docs', %s)".encode(), (version,))
    connection.execute(DUE.encode())
    connection.execute("CHECKPOINT")


def shared(connection: Connection, rows: int, dimensions: int) -> None:
    """One table with both versions under one HNSW index."""
    connection.execute(SHARED.format(dimensions=dimensions).encode())
    for version in ("old", "new"):
        fill(connection, "shared", version, rows, dimensions)
    connection.execute("SET maintenance_work_mem = '2GB'")
    connection.execute(SHARED_INDEX.encode())
    connection.execute("ANALYZE shared")
    connection.execute("CHECKPOINT")


def vacuum_shared(connection: Connection, patience: int) -> bool:
    """VACUUM for at most so many seconds; whether it came to its end."""
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{patience}s",))
    try:
        connection.execute("VACUUM shared")
    except psycopg.errors.QueryCanceled:
        return False
    finally:
        connection.execute("RESET statement_timeout")
    left = connection.execute("SELECT pg_stat_get_dead_tuples('shared'::regclass)").fetchone()
    assert left == (0,), f"VACUUM left dead rows: {left}"
    return True


def compare(url: str, admin: Connection, rows: int, options: argparse.Namespace) -> None:
    """Both ways, with readers."""
    dimensions, readers = options.dimensions, options.readers
    print(f"\n{rows:,} chunks of {dimensions} dimensions retire, as many stay, {readers} readers")
    leaves(admin, rows, dimensions)
    with busy(url, LEAF_QUERY, dimensions, readers) as trace:
        began = time.perf_counter()
        time.sleep(3)
        drop = measured(admin, lambda: admin.execute("CALL pgvec.retire_due()"))
        time.sleep(1)
    gone = admin.execute(
        "SELECT (did -> 0 ->> 'bytes')::bigint FROM pgvec.retirement_run"
        " ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    assert gone is not None
    assert gone[0] is not None, "the version was not retired"
    print(f"  drop of the leaf          {drop}, {gone[0] / 1e6:.1f} MB freed")
    print(f"    readers before          {trace.within(began, drop.start)}")
    print(f"    readers meanwhile       {trace.within(drop.start, drop.end)}")
    admin.execute("SELECT pgvec.drop_collection('docs')")

    shared(admin, rows, dimensions)
    with busy(url, SHARED_QUERY, dimensions, readers) as trace:
        began = time.perf_counter()
        time.sleep(3)
        delete = measured(
            admin, lambda: admin.execute("DELETE FROM shared WHERE model_version = 'old'")
        )
        # A search that began before the DELETE ended still sees the rows: VACUUM would leave them.
        time.sleep(1)
        ended: list[bool] = []
        vacuum = measured(admin, lambda: ended.append(vacuum_shared(admin, options.patience)))
    more = "" if ended[0] else "more than "
    print(f"  DELETE                    {delete}")
    print(f"  VACUUM                    {vacuum}{'' if ended[0] else ', stopped before its end'}")
    print(f"    readers before          {trace.within(began, delete.start)}")
    print(f"    readers meanwhile       {trace.within(delete.start, vacuum.end)}")
    ratio = (delete.seconds + vacuum.seconds) / drop.seconds
    wal = (delete.wal + vacuum.wal) / max(drop.wal, 1)
    print(f"  DELETE + VACUUM takes {more}{ratio:,.0f} times the time, {more}{wal:,.0f} the WAL")
    admin.execute("DROP TABLE shared")


def long_reader(url: str, admin: Connection, rows: int, dimensions: int, readers: int) -> None:
    """A transaction reads the pinned view and stays open while the job tries for 20 seconds."""
    print(f"\na long reader of the pinned view, {rows:,} chunks, lock_timeout 200 ms")
    leaves(admin, rows, dimensions)
    call = b"CALL pgvec.retire_due(ignore_readers => true)"
    with (
        psycopg.connect(url) as reader,
        busy(url, LEAF_QUERY, dimensions, readers) as reads,
        busy(url, WRITE, dimensions, 1) as writes,
    ):
        reader.execute("SELECT count(*) FROM docs_at_old")
        began = time.perf_counter()
        time.sleep(3)
        start = time.perf_counter()
        tries = 0
        while time.perf_counter() - start < 20:
            admin.execute(call)
            tries += 1
        end = time.perf_counter()
        print(f"  the job came {tries} times and left the version alone")
        print(f"    {readers} readers before        {reads.within(began, start)}")
        print(f"    {readers} readers meanwhile     {reads.within(start, end)}")
        print(f"    the writer before       {writes.within(began, start)}")
        print(f"    the writer meanwhile    {writes.within(start, end)}")
        reader.rollback()
        last = measured(admin, lambda: admin.execute(call))
    state = admin.execute(
        "SELECT state FROM pgvec.model_version WHERE model_version = 'old'"
    ).fetchone()
    print(f"  when it ended: {state and state[0]} in {last.seconds * 1000:.0f} ms")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="What retiring costs.")
    parser.add_argument("rows", type=int, nargs="*", default=[100_000])
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument(
        "--patience", type=int, default=1800, help="VACUUM is stopped then; default %(default)s s"
    )
    parser.add_argument("--database-url", help="an empty database; by default an embedded server")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()}")
    folder = Path(tempfile.mkdtemp(prefix="pgvec-bench-"))
    folder.chmod(0o755)
    try:
        if options.database_url:
            run(options.database_url, options)
        else:
            with embedded_server(folder / "data") as server:
                run(server.url("bench"), options)
                close_shared_engines()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(url: str, options: argparse.Namespace) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        install(admin)
        version = admin.execute("SELECT current_setting('server_version')").fetchone()
        print(f"PostgreSQL {version and version[0]}")
        for rows in options.rows:
            compare(url, admin, rows, options)
        long_reader(url, admin, min(options.rows), options.dimensions, options.readers)


if __name__ == "__main__":
    main()
