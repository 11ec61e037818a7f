"""Whole upgrades of a large collection: the cost of cut-over, of reading meanwhile, of retirement.

Small vectors, short texts and a coarse graph make a million rows in minutes. None of the three
depends on what is in a vector.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from bench.clients import Clients, Load, literal
from bench.lab import Lab
from bench.reading import STAGING, TEXTS, Connection, activate, insert, stage, stage_texts

DIMENSIONS = 16
GRAPH = {"dimensions": DIMENSIONS, "m": 4, "ef_construction": 8}
READERS = 8
#: Units: queries a second, of all readers together. Below what two cores can do, so that what is
#: seen is the stall and not the queue.
RATE = 400
PAUSE = 0.1

REGISTER = """SELECT pgvec.register_version('docs', %(version)s, %(dimensions)s, m => %(m)s,
  ef_construction => %(ef_construction)s)"""
#: As workers write: into the leaf, so that no trigger fires.
LEAF = "docs__{version}"
READ = "SELECT chunk_id, content FROM active_docs ORDER BY embedding <=> {vector} LIMIT 10;"
DUE = """UPDATE pgvec.model_version SET retire_at = clock_timestamp() - interval '1 s'
          WHERE state = 'draining'"""
#: The collection has readers all the time, who declare nothing about the version that retires.
RETIRE = "CALL pgvec.retire_due(ignore_readers => true)"
#: What the job calls for each version that is due.
RETIRE_VERSION = "SELECT pgvec.retire_version('docs', %s, ignore_readers => true)"


@dataclass(frozen=True)
class Moved:
    """What was seen at one size. Units: milliseconds; ``stalls`` of queries that met a switch."""

    rows: int
    cut_over: list[float]
    retire_held: list[float]
    retire: list[float]
    stalls: npt.NDArray[np.float64]
    calm: npt.NDArray[np.float64]
    seconds: float


_moved: WeakKeyDictionary[Lab, dict[int, Moved]] = WeakKeyDictionary()


def moved(lab: Lab, rows: int) -> Moved:
    """A collection of that size goes through its switches and retirement; once a lab and size."""
    seen = _moved.setdefault(lab, {})
    if rows not in seen:
        seen[rows] = _move(lab, rows)
    return seen[rows]


def _move(lab: Lab, rows: int) -> Moved:
    began = time.perf_counter()
    url = lab.url()
    vectors = lab.vectors(rows, DIMENSIONS)
    with psycopg.connect(url, autocommit=True) as admin:
        collection(admin, lab)
        stage(admin, vectors)
        # The third is for a second look at retirement; of a million rows it takes too long.
        versions = ["v1", "v2", "v3"][: 3 if rows <= 100_000 else 2]
        for version in versions:
            fill(admin, version)
            activate(admin, version, cut_over=version == "v1")
        admin.execute("VACUUM ANALYZE docs")
        admin.execute("CHECKPOINT")
        switches = 10 if lab.quick else 40
        windows, load = flips(admin, url, vectors, switches)
        # After an even number of switches v1 is active again.
        retired = [_retired(admin, "v2")]
        if "v3" in versions:
            admin.execute("SELECT pgvec.cut_over('docs', 'v3')")
            retired.append(_retired(admin, "v1"))
    met = [
        any(b <= end and b + t >= start for start, end in windows)
        for b, t in zip(load.began, load.took, strict=True)
    ]
    touched = np.array(met, dtype=np.bool_)
    return Moved(
        rows,
        [(end - start) * 1000 for start, end in windows],
        [held for held, _ in retired],
        [whole for _, whole in retired],
        load.took[touched] * 1000,
        load.took[~touched] * 1000,
        time.perf_counter() - began,
    )


def _retired(admin: Connection, version: str) -> tuple[float, float]:
    """One version's retirement: to the end of its locks, and with the deletion of its files.

    The commit lets go of the locks before it deletes files. Source: CommitTransaction in xact.c.
    """
    admin.execute(DUE)
    with admin.transaction():
        began = time.perf_counter()
        row = admin.execute(RETIRE_VERSION, (version,)).fetchone()
        held = (time.perf_counter() - began) * 1000
    assert row is not None
    assert row[0] == "retired", row[0]
    return held, (time.perf_counter() - began) * 1000


def collection(admin: Connection, lab: Lab) -> None:
    """The collection ``docs`` and the tables it is filled from."""
    admin.execute(STAGING)
    stage_texts(admin, [text[:80] for text in lab.texts(TEXTS)])
    admin.execute("SELECT pgvec.create_collection('docs')")
    admin.execute("SET pgvec.query_version.docs = 'any'")


def fill(admin: Connection, version: str) -> None:
    """A version with a row for each staged vector."""
    admin.execute(REGISTER, {"version": version, **GRAPH})
    insert(admin, sql.Identifier("pgvec_leaves", LEAF.format(version=version)), version)


def milliseconds(admin: Connection, statement: str) -> float:
    """How long a statement takes."""
    began = time.perf_counter()
    admin.execute(statement.encode())
    return (time.perf_counter() - began) * 1000


def gone(admin: Connection, version: str) -> bool:
    """Whether a version is retired."""
    row = admin.execute(
        "SELECT state = 'retired' FROM pgvec.model_version WHERE model_version = %s", (version,)
    ).fetchone()
    return bool(row and row[0])


def flips(
    admin: Connection, url: str, vectors: npt.NDArray[np.float32], switches: int
) -> tuple[list[tuple[float, float]], Load]:
    """Switches to and fro under the readers; when each began and ended, and all that they read.

    The first is a ``cut_over``, the others are ``roll_back``: one function makes them all.
    """
    queries = [READ.format(vector=literal(vector)) for vector in vectors[:64]]
    seconds = int(switches * (PAUSE + 0.05)) + 3
    readers = Clients(
        url,
        queries,
        clients=READERS,
        seconds=seconds,
        settings={"pgvec.query_version.docs": "any"},
        rate=RATE,
        log=True,
    )
    windows: list[tuple[float, float]] = []
    time.sleep(1.5)
    for number in range(switches):
        start = time.time()
        admin.execute(
            "SELECT pgvec.cut_over('docs', 'v2')"
            if number == 0
            else "SELECT pgvec.roll_back('docs')"
        )
        windows.append((start, time.time()))
        time.sleep(PAUSE)
    return windows, readers.result()
