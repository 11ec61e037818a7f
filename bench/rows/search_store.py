"""``ChunkStore.search`` with a ready vector, against the same SQL by raw psycopg.

The store's statement is ``pgvec.nearest``; raw psycopg sends the same one, with binary parameters,
on a connection that stays open. For orientation also the hand-written search through the view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from bench.figures import Figure
from bench.lab import Lab
from bench.reading import Ask, Connection, Reading, alternating, latency, reading, recall
from pgvec_versions import ChunkStore, QueryVector
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import close_shared_engines

ROW = "search-store"
TARGET = "≤ 1.25 ×"
EF_SEARCH = 40


def measure(lab: Lab) -> list[Figure]:
    """p50 and p95 of the store against three ways without it."""
    made = reading(lab)
    store = ChunkStore(made.url, "docs")
    # A session each, or who asks twice a round would find its backend in the processor's cache.
    with (
        made.connect(hnsw__ef_search=EF_SEARCH) as raw,
        made.connect(hnsw__ef_search=EF_SEARCH) as other,
        made.connect(hnsw__ef_search=EF_SEARCH) as view,
    ):
        asks = {
            "store": through_store(store, made),
            "prepared": through_nearest(raw, made, True),
            "planned": through_nearest(other, made, False),
            "view": made.asking(view, sql.Identifier("active_docs")),
        }
        times = alternating(asks, len(made.queries), 5 if lab.quick else 10)
        got = {name: recall(ask, made.truth)[0] for name, ask in asks.items()}
    close_shared_engines()
    details: dict[str, Any] = {**made.facts, "ef_search": EF_SEARCH, "recall": got}
    figures: list[Figure] = []
    for name, against, target in (
        ("prepared", "the same SQL by raw psycopg, prepared", TARGET),
        ("planned", "the same SQL by raw psycopg, not prepared", ""),
        ("view", "hand-written SQL through the routing view, prepared", ""),
    ):
        for percentile in (50, 95):
            figures.append(
                latency(
                    ROW,
                    f"p{percentile} of ChunkStore.search",
                    against,
                    times["store"],
                    times[name],
                    percentile,
                    target,
                    details,
                )
            )
    return figures


def through_store(store: ChunkStore, made: Reading) -> Ask:
    """The store's search with a ready vector."""

    def ask(number: int) -> Sequence[Sequence[Any]]:
        vector = QueryVector(made.queries[number], "v1")
        return [(hit.chunk_id,) for hit in store.search(vector, ef_search=EF_SEARCH)]

    return ask


def through_nearest(raw: Connection, made: Reading, prepare: bool) -> Ask:
    """The store's own statement by psycopg, with what the store binds."""
    query = sqlfiles.query("nearest")

    def ask(number: int) -> Sequence[Sequence[Any]]:
        values = {
            "collection": "docs",
            "query": made.packed[number],
            "model_version": "v1",
            "k": 10,
            "filter": None,
            "conditions": None,
            "ef_search": EF_SEARCH,
            "exact": False,
            "expect_active": True,
        }
        return raw.execute(query, values, prepare=prepare).fetchall()

    return ask
