"""Search while two versions are live, against one shared table with a WHERE on the version.

The shared table holds both versions' vectors under one HNSW index, as a column added to a plain
table would make it. What that costs depends on how the two models' spaces lie to each other, so
there are two shared tables. In one the second version is *unrelated*: the first one's vectors after
a random rotation, and each version's vectors keep to themselves. In the other it is *related*: the
first one's with noise, as a fine-tuned successor of the same model gives, and the versions mix.
Each contender gets the smallest ``ef_search`` at which it reaches the recall with k rows for every
query; then they are timed.
"""

from __future__ import annotations

from collections.abc import Callable
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
FILTERED = sql.SQL("{} WHERE model_version = 'v1'")


def measure(lab: Lab) -> list[Figure]:
    """p50 and p95 at equal recall against each kind of scan of each shared table."""
    made = reading(lab)
    second_versions(made)
    figures: list[Figure] = []
    for kind in SECOND:
        first = _at(lab, made, kind, 0.95, None)
        figures += first + _at(lab, made, kind, 0.99, first[0].details["ef_search"])
    return figures


def turned(vectors: Matrix) -> Matrix:
    """The vectors after a random rotation."""
    random = np.random.default_rng(7).standard_normal((vectors.shape[1],) * 2)
    rotation = np.linalg.qr(random)[0].astype(np.float32)
    return np.ascontiguousarray(vectors @ rotation)


def tuned(vectors: Matrix) -> Matrix:
    """The vectors with noise: each has a cosine of about 0.94 to what it was."""
    noise = np.random.default_rng(8).standard_normal(vectors.shape, np.float32)
    made = vectors + noise * (0.35 / np.linalg.norm(noise, axis=1, keepdims=True))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


SECOND: dict[str, Callable[[Matrix], Matrix]] = {"unrelated": turned, "related": tuned}


def second_versions(made: Reading) -> None:
    """Version ``v2`` of the collection, ready; the tables ``shared_…`` with both versions."""
    with made.connect() as connection:
        for kind, other in SECOND.items():
            name = f"shared_{kind}"
            done = connection.execute("SELECT to_regclass(%s)::text", (name,)).fetchone()
            if done and done[0]:
                continue
            shared = plain_table(connection, name, DIMENSIONS)
            stage(connection, made.vectors)
            insert(connection, shared, "v1")
            stage(connection, other(made.vectors))
            insert(connection, shared, "v2")
            index_plain(connection, shared)
            if kind == "unrelated":
                connection.execute("SELECT pgvec.register_version('docs', 'v2', %s)", (DIMENSIONS,))
                insert(connection, sql.Identifier("docs"), "v2")
                activate(connection, "v2", cut_over=False)
                connection.execute("VACUUM ANALYZE docs")
        stage(connection, made.vectors)
        connection.execute("CHECKPOINT")


def _at(
    lab: Lab, made: Reading, kind: str, wanted: float, before: dict[str, int] | None
) -> list[Figure]:
    """The figures at a recall; none where each ``ef_search`` is that of ``before``."""
    shared = FILTERED.format(sql.Identifier(f"shared_{kind}"))
    with ExitStack() as stack:
        sessions: dict[str, tuple[Connection, Ask]] = {}
        ours = stack.enter_context(made.connect())
        sessions["ours"] = (ours, made.asking(ours, sql.Identifier("active_docs")))
        for scan in SCANS:
            theirs = stack.enter_context(made.connect(hnsw__iterative_scan=scan))
            sessions[scan] = (theirs, made.asking(theirs, shared))
        chosen: dict[str, int] = {}
        recalls: dict[str, float] = {}
        for name, session in sessions.items():
            ef, got = smallest_ef({name: session}, made.truth, wanted)
            recalls |= got
            if ef is not None:
                chosen[name] = ef
        if chosen == before:
            return []
        asks = {name: sessions[name][1] for name in chosen}
        times = alternating(asks, len(made.queries), 3 if lab.quick else 10)
    details: dict[str, Any] = {**made.facts, "recall": recalls, "ef_search": chosen}
    figures: list[Figure] = []
    for scan in SCANS:
        what = f"both versions live, recall@{K} ≥ {wanted}"
        against = f"shared table, {kind} versions, WHERE, iterative_scan {scan}"
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
