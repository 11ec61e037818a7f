"""Whether search, cut-over and retirement stay flat as rows and versions ever used grow.

Rows from 10,000 to 1,000,000 in one collection; then one small collection that goes through up to
50 versions, each registered, filled, indexed, cut over to and retired.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import psycopg

from bench.figures import Figure, Spread
from bench.lab import Lab
from bench.moving import (
    DIMENSIONS,
    DUE,
    RETIRE,
    collection,
    fill,
    gone,
    milliseconds,
    moved,
)
from bench.reading import activate, stage
from bench.rows.cut_over import sizes
from pgvec_versions.postgres.vectors import pack, register

ROW = "growth"
FLAT = "≤ 1.5 ×"
ROWS = 1_000
SEARCHES = 60
THROUGH_VIEW = (
    "SELECT chunk_id, content FROM active_docs ORDER BY embedding <=> %s::vector LIMIT 10"
)
THROUGH_NEAREST = "SELECT n.chunk_id, n.content FROM pgvec.nearest('docs', %s, %s) n"


@dataclass
class Lives:
    """What each version in turn took. Units: milliseconds, a number a version."""

    steps: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, step: str, taken: float) -> None:
        self.steps.setdefault(step, []).append(taken)


def measure(lab: Lab) -> list[Figure]:
    """Flat or not: over rows, then over versions."""
    figures: list[Figure] = []
    smallest, *larger = [moved(lab, rows) for rows in sizes(lab)]
    for each in larger:
        for step, ours, base in (
            ("cut-over", each.cut_over, smallest.cut_over),
            ("retire, while it holds locks", each.retire_held, smallest.retire_held),
            ("retire, with the deletion of the files", each.retire, smallest.retire),
        ):
            what = f"{step}, {each.rows:,} rows"
            against = f"{smallest.rows:,} rows"
            figures.append(_flat(what, against, ours, base, {"rows": each.rows}))
    versions = 12 if lab.quick else 50
    lives = live(lab, versions)
    few = max(versions // 10, 3)
    for step, taken in lives.steps.items():
        details = {"rows": ROWS, "versions": versions, "each_ms": [round(t, 2) for t in taken]}
        # The very first of everything has nothing to replace or to retire.
        what, against = f"{step}, the last {few} of {versions} versions", f"the first {few}"
        figures.append(_flat(what, against, taken[-few:], taken[1 : few + 1], details))
    return figures


def _flat(
    what: str,
    against: str,
    ours: list[float],
    base: list[float],
    details: dict[str, object],
) -> Figure:
    return Figure.compared(
        ROW,
        what,
        against,
        float(np.median(ours)),
        float(np.median(base)),
        "ms",
        FLAT,
        dimensions=DIMENSIONS,
        clients=1,
        cache="warm",
        spread=Spread.of(ours).to_json(),
        **details,
    )


def live(lab: Lab, versions: int) -> Lives:
    """One collection through so many versions."""
    lives = Lives()
    url = lab.url()
    vectors = lab.vectors(ROWS, DIMENSIONS)
    queries = pack(vectors[:SEARCHES])
    with psycopg.connect(url, autocommit=True) as admin:
        collection(admin, lab)
        stage(admin, vectors)
        for number in range(versions):
            version = f"v{number}"
            fill(admin, version)
            activate(admin, version, cut_over=False)
            lives.add(
                "cut-over", milliseconds(admin, f"SELECT pgvec.cut_over('docs', '{version}')")
            )
            _search(url, version, queries, lives)
            if number:
                admin.execute(DUE)
                lives.add("retire", milliseconds(admin, RETIRE))
                assert gone(admin, f"v{number - 1}")
    return lives


def _search(url: str, version: str, queries: list[object], lives: Lives) -> None:
    """Searches of a new session: its first, the median of those that follow, the fastest."""
    for name, statement in (("view", THROUGH_VIEW), ("nearest", THROUGH_NEAREST)):
        with psycopg.connect(url, autocommit=True) as reader:
            register(reader)
            reader.execute("SELECT set_config('pgvec.query_version.docs', %s, false)", (version,))
            taken: list[float] = []
            for query in queries:
                values = (query,) if name == "view" else (query, version)
                began = time.perf_counter()
                reader.execute(statement.encode(), values).fetchall()
                taken.append((time.perf_counter() - began) * 1000)
        lives.add(f"search, {name}, a session's first", taken[0])
        lives.add(f"search, {name}, median", float(np.median(taken[5:])))
        lives.add(f"search, {name}, fastest", min(taken))
