"""Search while two versions are live, against one shared table with a WHERE on the version.

The shared table holds both versions' vectors under one HNSW index, as a column added to a plain
table would make it. The second version's vectors are the first one's turned by a random rotation:
the same likenesses in another space, as another model would give. Each contender gets the smallest
``ef_search`` at which it reaches the recall with k rows for every query; then they are timed.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from psycopg import sql

from bench.figures import Figure
from bench.lab import Lab
from bench.reading import (
    DIMENSIONS,
    Ask,
    Connection,
    K,
    Matrix,
    Reading,
    activate,
    alternating,
    index_plain,
    insert,
    latency,
    plain_table,
    reading,
    smallest_ef,
    stage,
)

ROW = "both-versions"
TARGET = "< 1.0 ×"
SCANS = ("off", "strict_order", "relaxed_order")
SHARED = sql.SQL("shared WHERE model_version = 'v1'")


def measure(lab: Lab) -> list[Figure]:
    """p50 and p95 at equal recall against each kind of scan of the shared table."""
    made = reading(lab)
    second_version(made)
    figures: list[Figure] = []
    for wanted in (0.95, 0.99):
        figures += _at(lab, made, wanted)
    return figures


def second_version(made: Reading) -> None:
    """Version ``v2`` of the collection, ready; the table ``shared`` with both versions."""
    with made.connect() as connection:
        done = connection.execute("SELECT to_regclass('shared') IS NOT NULL").fetchone()
        if done and done[0]:
            return
        shared = plain_table(connection, "shared", DIMENSIONS)
        insert(connection, shared, "v1")
        stage(connection, turned(made.vectors))
        insert(connection, shared, "v2")
        index_plain(connection, shared)
        connection.execute("SELECT pgvec.register_version('docs', 'v2', %s)", (DIMENSIONS,))
        insert(connection, sql.Identifier("docs"), "v2")
        activate(connection, "v2", cut_over=False)
        connection.execute("VACUUM ANALYZE docs")
        stage(connection, made.vectors)
        connection.execute("CHECKPOINT")


def turned(vectors: Matrix) -> Matrix:
    """The vectors after a random rotation."""
    random = np.random.default_rng(7).standard_normal((vectors.shape[1],) * 2)
    rotation = np.linalg.qr(random)[0].astype(np.float32)
    return np.ascontiguousarray(vectors @ rotation)


def _at(lab: Lab, made: Reading, wanted: float) -> list[Figure]:
    with ExitStack() as stack:
        sessions: dict[str, tuple[Connection, Ask]] = {}
        ours = stack.enter_context(made.connect())
        sessions["ours"] = (ours, made.asking(ours, sql.Identifier("active_docs")))
        for scan in SCANS:
            theirs = stack.enter_context(made.connect(hnsw__iterative_scan=scan))
            sessions[scan] = (theirs, made.asking(theirs, SHARED))
        chosen: dict[str, int] = {}
        recalls: dict[str, float] = {}
        for name, session in sessions.items():
            ef, got = smallest_ef({name: session}, made.truth, wanted)
            recalls |= got
            if ef is not None:
                chosen[name] = ef
        asks = {name: sessions[name][1] for name in chosen}
        times = alternating(asks, len(made.queries), 5 if lab.quick else 15)
    details: dict[str, Any] = {**made.facts, "recall": recalls, "ef_search": chosen}
    figures: list[Figure] = []
    for scan in SCANS:
        what = f"both versions live, recall@{K} ≥ {wanted}"
        against = f"shared table, WHERE model_version, iterative_scan {scan}"
        if scan in times and "ours" in times:
            for percentile in (50, 95):
                figures.append(
                    latency(
                        ROW,
                        f"p{percentile}, {what}",
                        against,
                        times["ours"],
                        times[scan],
                        percentile,
                        TARGET,
                        details,
                    )
                )
        else:
            figures.append(_recall_only(what, against, recalls["ours"], recalls[scan], details))
    return figures


def _recall_only(
    what: str, against: str, ours: float, theirs: float, details: dict[str, Any]
) -> Figure:
    """No ``ef_search`` up to the largest brings the other side there: then the recalls, as found.

    A contender may also have the recall and still answer some query with fewer than k rows.
    """
    return Figure(
        row=ROW,
        what=f"{what}: recall at the largest ef_search",
        against=against,
        ours=ours,
        theirs=theirs,
        unit="recall",
        ratio=ours / theirs if theirs else None,
        target="≥ 1.0 ×",
        met=ours >= theirs,
        details=details | {"note": "one side never has the recall with k rows for every query"},
    )
