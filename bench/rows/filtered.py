"""Filtered search against the exact one: k rows when k exist, recall, latency.

Filters that 0.1, 1, 10 and 50 % of the chunks pass, through ``pgvec.nearest`` by raw psycopg and
through ``ChunkStore.search``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.figures import Figure, Spread
from bench.lab import Lab
from bench.reading import (
    Ask,
    Connection,
    K,
    Matrix,
    Reading,
    Times,
    alternating,
    nearest_by_numpy,
    reading,
    recall,
)
from pgvec_versions import ChunkStore, QueryVector, Where
from pgvec_versions.postgres.database import close_shared_engines

ROW = "filtered"
RECALL = 0.95
SHARES = (("thousandth", 0.1), ("hundredth", 1.0), ("tenth", 10.0), ("half", 50.0))
PASSES = "SELECT v.i FROM vectors v WHERE abs(hashint4(v.i)) %% %s = 0"
CALL = """SELECT n.chunk_id, n.document_id, n.content, n.metadata, n.model_version, n.distance
  FROM pgvec.nearest('docs', %s, 'v1', k => 10, filter => %s::jsonb) n"""


def measure(lab: Lab) -> list[Figure]:
    """A recall and two latencies a share and way."""
    made = reading(lab)
    queries, timed = (20, 10) if lab.quick else (50, 10)
    store = ChunkStore(made.url, "docs")
    figures: list[Figure] = []
    with made.connect() as raw:
        for key, percent in SHARES:
            among = passing(raw, made.vectors, round(100 / percent))
            truth = nearest_by_numpy(made.vectors, made.queries[:queries], among)
            asks = {
                "pgvec.nearest": through_nearest(raw, made, key),
                "ChunkStore.search": through_store(store, made, key, exact=False),
                "exact": through_store(store, made, key, exact=True),
            }
            times = alternating(asks, timed, 2 if lab.quick else 3)
            share = f"{percent:g} % pass"
            details = {**made.facts, "queries": queries, "chunks_that_pass": int(among.sum())}
            details["k_that_exist"] = truth.shape[1]
            for way in ("pgvec.nearest", "ChunkStore.search"):
                figures += compared(share, way, asks[way], times, truth, details)
    close_shared_engines()
    return figures


def passing(raw: Connection, vectors: Matrix, one_in: int) -> npt.NDArray[np.bool_]:
    """Which chunks have the metadata that the filter wants."""
    among = np.zeros(len(vectors), dtype=np.bool_)
    among[[row[0] for row in raw.execute(PASSES, (one_in,))]] = True
    return among


def through_nearest(raw: Connection, made: Reading, key: str) -> Ask:
    def ask(number: int) -> Sequence[Sequence[Any]]:
        return raw.execute(CALL, (made.packed[number], f'{{"{key}": 0}}')).fetchall()

    return ask


def through_store(store: ChunkStore, made: Reading, key: str, *, exact: bool) -> Ask:
    condition = [Where(key, "=", 0)]

    def ask(number: int) -> Sequence[Sequence[Any]]:
        vector = QueryVector(made.queries[number], "v1")
        return [(hit.chunk_id,) for hit in store.search(vector, filter=condition, exact=exact)]

    return ask


def compared(
    share: str,
    way: str,
    ask: Ask,
    times: dict[str, Times],
    truth: npt.NDArray[np.intp],
    details: dict[str, Any],
) -> list[Figure]:
    """Recall and rows, then p50, each against the exact search."""
    found, fewest = recall(ask, truth)
    wanted = truth.shape[1]
    ours = times[way]
    mine, other = (float(np.median(times[name].rounds(50))) for name in (way, "exact"))
    details = details | {"fewest_rows": fewest, "recall": found, "clients": 1}
    return [
        Figure(
            row=ROW,
            what=f"recall@{K}, {share}, {way}",
            against="exact, by numpy",
            ours=found,
            theirs=1.0,
            unit="recall",
            ratio=found,
            target=f"≥ {RECALL}, and k rows when k exist",
            met=found >= RECALL and fewest >= wanted,
            details=details,
        ),
        Figure(
            row=ROW,
            what=f"p50, {share}, {way}",
            against="the same search with exact=True",
            ours=mine,
            theirs=other,
            unit="ms",
            ratio=mine / other,
            target="",
            met=None,
            details=details
            | {
                "p95_ms": float(np.median(ours.rounds(95))),
                "by_round": Spread.of(ours.rounds(50).tolist()).to_json(),
            },
        ),
    ]
