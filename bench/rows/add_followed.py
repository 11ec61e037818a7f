"""Adding while a transition runs: every write is carried to the next version as a work item."""

from __future__ import annotations

import psycopg

from bench.figures import Figure
from bench.lab import Lab
from bench.writing import add, collection, load

ROW = "add-followed"


def measure(lab: Lab) -> list[Figure]:
    """The same chunks into a version that is alone, and into one that another follows."""
    rows = load(lab, lab.rows)
    old, new = rows.embedder("old"), rows.embedder("new")

    def alone() -> float:
        url = collection(lab, ("v1", old))
        lab.checkpoint()
        return add(url, rows)

    def followed() -> float:
        url = collection(lab, ("v1", old), ("v2", new))
        lab.checkpoint()
        seconds = add(url, rows)
        with psycopg.connect(url) as connection:
            waiting = connection.execute(
                "SELECT count(*) FROM pgvec.missing_chunks('docs', 'v2')"
            ).fetchone()
        assert waiting == (len(rows),), "the writes were not followed"
        return seconds

    ours, theirs = (spread.rates(len(rows)) for spread in lab.alternate(followed, alone))
    return [
        Figure.compared(
            ROW,
            "ChunkStore.add while a transition runs",
            "ChunkStore.add with one version",
            ours.median,
            theirs.median,
            "rows/s",
            "≥ 0.5",
            rows=len(rows),
            spread=ours.to_json(),
        )
    ]
