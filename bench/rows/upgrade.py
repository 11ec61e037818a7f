"""A whole upgrade, load and then build, against the same rows into a table with its index."""

from __future__ import annotations

import psycopg

from bench.figures import Figure
from bench.lab import Lab, timed
from bench.writing import PLAIN, collection, filled, load, raw_copy
from pgvec_versions import Transition

ROW = "upgrade"
#: Inserting into an HNSW index takes minutes for more.
MOST_ROWS = 20_000
INDEX = "CREATE INDEX ON plain USING hnsw (embedding vector_cosine_ops)"


def measure(lab: Lab) -> list[Figure]:
    """From registering to being active; the other side is one COPY, without a worker or checks."""
    rows = load(lab, min(lab.rows, MOST_ROWS))
    new = rows.embedder("new")

    def ours() -> float:
        upgrade = Transition(filled(lab, rows), "docs", "v2", new)
        lab.checkpoint()
        return timed(lambda: upgrade.run(cut_over=True))

    def indexed() -> float:
        url = collection(lab, ("v1", rows.embedder("old")))
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(INDEX)
        lab.checkpoint()
        return raw_copy(url, PLAIN, rows)

    whole, into = lab.alternate(ours, indexed, count=1)
    return [
        Figure.compared(
            ROW,
            "whole upgrade: begin to cut-over",
            "COPY of the same rows into a table with an HNSW index",
            whole.median,
            into.median,
            "s",
            "≥ 4",
            faster=True,
            rows=len(rows),
        )
    ]
