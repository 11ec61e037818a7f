"""The index build, against the best plain CREATE INDEX of the same vectors that we find."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from bench.figures import Figure
from bench.lab import Lab, timed
from bench.writing import PLAIN, filled, load, raw_copy
from pgvec_versions import Transition

ROW = "build"
MOST_ROWS = 50_000
#: The whole graph fits, so memory cannot be what a build waits for.
MEMORY = "2GB"
CREATE = "CREATE INDEX plain_hnsw ON plain USING hnsw (embedding vector_cosine_ops)"


def plain_build(url: str, workers: int) -> float:
    """A plain build with so many parallel workers. Units: seconds."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP INDEX IF EXISTS plain_hnsw")
        for name, value in (
            ("maintenance_work_mem", MEMORY),
            ("max_parallel_maintenance_workers", str(workers)),
        ):
            admin.execute("SELECT set_config(%s, %s, false)", (name, value))
        return timed(lambda: admin.execute(CREATE))


def measure(lab: Lab) -> list[Figure]:
    """The same rows in one database, as a leaf and as a plain table of ``vector(n)``."""
    rows = load(lab, min(lab.rows, MOST_ROWS))
    url = filled(lab, rows)
    raw_copy(url, PLAIN, rows)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE plain")
        leaf = leaf_of(admin)
    upgrade = Transition(url, "docs", "v1", rows.embedder("old"))

    def ours() -> float:
        drop()
        lab.checkpoint()
        return timed(upgrade.build_index)

    def plain(workers: int) -> float:
        lab.checkpoint()
        return plain_build(url, workers)

    def drop() -> None:
        with psycopg.connect(url, autocommit=True) as admin:
            statement = "DROP INDEX IF EXISTS pgvec_leaves.{}"
            admin.execute(sql.SQL(statement).format(sql.Identifier(f"{leaf}_hnsw")))

    # The leader builds too: with one worker fewer than cores, every core has one of them.
    cores = os.cpu_count() or 1
    choices = sorted({0, cores - 1, cores}) if not lab.quick else [cores - 1]
    taken, *others = lab.alternate(
        ours, *[lambda n=n: plain(n) for n in choices], count=1 if lab.quick else 2
    )
    best = min(range(len(choices)), key=lambda place: others[place].median)
    tried = "; ".join(
        f"{n} workers {spread.median:.1f} s" for n, spread in zip(choices, others, strict=True)
    )
    drop()
    beside = longest_write(url, upgrade.build_index)
    drop()
    in_one = longest_write(url, lambda: build_in_one_transaction(url))
    return [
        Figure.compared(
            ROW,
            "the longest write by hand to the version while Transition.build_index runs",
            "while pgvec.build_index runs in one transaction",
            beside.longest * 1000,
            in_one.longest * 1000,
            "ms",
            "≥ 5",
            faster=True,
            rows=len(rows),
            writes=beside.writes,
            build_seconds=beside.seconds,
            build_seconds_in_one=in_one.seconds,
        ),
        Figure.compared(
            ROW,
            "Transition.build_index",
            f"the best plain CREATE INDEX tried: {MEMORY}, {choices[best]} workers",
            taken.median,
            others[best].median,
            "s",
            "≥ 0.95",
            faster=True,
            rows=len(rows),
            tried=tried,
            spread=taken.to_json(),
        ),
    ]


@dataclass(frozen=True)
class Writes:
    """What a writer met during a build. Units: seconds."""

    writes: int
    longest: float
    seconds: float


def longest_write(url: str, build: Callable[[], object]) -> Writes:
    """Writes to the version, row by row, for as long as a build of its index takes."""
    statement = (
        "UPDATE docs SET metadata = metadata WHERE model_version = 'v1' AND chunk_id ="
        " (SELECT chunk_id FROM docs WHERE model_version = 'v1' LIMIT 1)"
    )
    taken: list[float] = []
    with psycopg.connect(url, autocommit=True) as writer, ThreadPoolExecutor(1) as pool:
        writer.execute(statement.encode())
        building = pool.submit(lambda: timed(lambda: build()))
        while not building.done():
            taken.append(timed(lambda: writer.execute(statement.encode())))
        return Writes(len(taken), max(taken), building.result())


def build_in_one_transaction(url: str) -> None:
    """What a caller of the SQL function gets."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pgvec.build_index('docs', 'v1', %s)", (MEMORY,))


def leaf_of(admin: psycopg.Connection[Any]) -> str:
    """The name of the leaf of v1."""
    row = admin.execute(
        "SELECT leaf FROM pgvec.model_version WHERE collection = 'docs' AND model_version = 'v1'"
    ).fetchone()
    assert row is not None
    return str(row[0])
