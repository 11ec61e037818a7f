"""Search through the routing view and its guard, against a plain table with one version.

The same hand-written statement on both, the same ``ef_search``: the smallest at which both reach
the recall. Latencies by psycopg with a binary parameter, each query on both sides in turn; queries
a second by pgbench.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from psycopg import sql

from bench.clients import Clients, literal
from bench.figures import Figure, Spread, judged
from bench.lab import Lab
from bench.reading import (
    K,
    Reading,
    alternating,
    latency,
    reading,
    recall,
    smallest_ef,
)

ROW = "search-view"
TARGET = "≤ 1.05 ×"
AGAINST = "plain table, one version, hand-written SQL, same ef_search"
SOURCES = {"ours": sql.Identifier("active_docs"), "theirs": sql.Identifier("plain")}
SAME_LEAF = "the same leaf and graph, without view and guard"
BARE = sql.SQL(
    "(SELECT chunk_id, document_id, content, metadata, model_version, embedding::vector(384)"
    " FROM pgvec_leaves.docs__v1 WHERE model_version = 'v1') leaf"
)
SCRIPT = (
    "SELECT chunk_id, document_id, content, metadata, model_version, embedding <=> {vector}"
    " AS distance FROM {source} ORDER BY embedding <=> {vector} LIMIT {k};"
)


def measure(lab: Lab) -> list[Figure]:
    """Latency and queries a second at both recalls."""
    made = reading(lab)
    figures: list[Figure] = []
    before: int | None = None
    for wanted in (0.95, 0.99):
        with made.connect() as ours, made.connect() as theirs:
            both = {"ours": (ours, made.asking(ours, SOURCES["ours"]))}
            both["theirs"] = (theirs, made.asking(theirs, SOURCES["theirs"]))
            ef, got = smallest_ef(both, made.truth, wanted)
        details: dict[str, Any] = {**made.facts, "recall": got, "ef_search": ef}
        figures.append(_recalls(wanted, got, details))
        if ef is None or ef == before:
            # Nothing new to time: not reached, or reached by the same ef_search as before.
            details["note"] = "not reached" if ef is None else "the ef_search of the figures above"
            continue
        before = ef
        name = f"recall@{K} ≥ {wanted}"
        figures += _latencies(lab, made, name, ef, details)
        for clients in (1, 8):
            figures += _rates(lab, made, name, ef, clients, details)
    return figures


def _recalls(wanted: float, got: dict[str, float], details: dict[str, Any]) -> Figure:
    return Figure(
        row=ROW,
        what=f"recall@{K}, wanted ≥ {wanted}",
        against=AGAINST,
        ours=got["ours"],
        theirs=got.get("theirs"),
        unit="recall",
        ratio=got["ours"] / got["theirs"] if got.get("theirs") else None,
        target=f"≥ {wanted} on both, and not lower by more than 0.01",
        # Two graphs over the same rows differ by chance: HNSW draws its levels.
        met=got["ours"] >= max(wanted, got.get("theirs", 1.0) - 0.01),
        details=details,
    )


def _latencies(
    lab: Lab, made: Reading, name: str, ef: int, details: dict[str, Any]
) -> list[Figure]:
    figures: list[Figure] = []
    for prepare in (True, False):
        settings = {"hnsw__ef_search": ef}
        with (
            made.connect(**settings) as ours,
            made.connect(**settings) as theirs,
            made.connect(**settings) as bare,
        ):
            asks = {
                "ours": made.asking(ours, SOURCES["ours"], prepare),
                "theirs": made.asking(theirs, SOURCES["theirs"], prepare),
                # Two graphs of one table differ by chance, and their speed too: this is one graph.
                "bare": made.asking(bare, BARE, prepare),
            }
            times = alternating(asks, len(made.queries), 5 if lab.quick else 10)
            assert recall(asks["ours"], made.truth)[1] == K
        how = "prepared" if prepare else "planned each time"
        references = (("theirs", AGAINST, TARGET, (50, 95)), ("bare", SAME_LEAF, "", (50,)))
        figures += [
            latency(
                ROW,
                f"p{percentile}, {how}, {name}",
                against,
                times["ours"],
                times[side],
                percentile,
                target,
                details | {"by": "psycopg, binary parameter"},
            )
            for side, against, target, percentiles in references
            for percentile in percentiles
        ]
    return figures


def _rates(
    lab: Lab, made: Reading, name: str, ef: int, clients: int, details: dict[str, Any]
) -> list[Figure]:
    settings = {"pgvec.query_version.docs": "v1", "hnsw.ef_search": str(ef)}
    sources = {"ours": "active_docs", "theirs": "plain", "bare": BARE.as_string()}
    rates: dict[str, list[float]] = {side: [] for side in sources}
    for turn in range(2 if lab.quick else 4):
        for side in sources if turn % 2 else reversed(sources):
            scripts = [
                SCRIPT.format(vector=literal(query), source=sources[side], k=K)
                for query in made.queries
            ]
            load = Clients(
                made.url,
                scripts,
                clients=clients,
                seconds=1 if lab.quick else 3,
                settings=settings,
            ).result()
            rates[side].append(load.per_second)
    figures: list[Figure] = []
    for side, against, target in (("theirs", AGAINST, TARGET), ("bare", SAME_LEAF, "")):
        # As time a query, so that it reads like the latencies.
        ratios = Spread.of(np.divide(rates[side], rates["ours"]).tolist())
        figures.append(
            Figure(
                row=ROW,
                what=f"queries a second, {clients} client{'s' * (clients > 1)}, {name}",
                against=against,
                ours=median(rates["ours"]),
                theirs=median(rates[side]),
                unit="1/s",
                ratio=ratios.median,
                target=target,
                met=judged(ratios.median, target) if target else None,
                details=details
                | {"clients": clients, "by": "pgbench, prepared", "by_round": ratios.to_json()},
            )
        )
    return figures
