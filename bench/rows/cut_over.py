"""What eight readers notice of a cut-over, at 10,000, 100,000 and 1,000,000 rows.

Readers search the routing view through pgbench at a steady rate, with prepared statements: each
must plan again after a switch. A stall is the time of a query that was on its way while a switch
was, counted from when the query was due.
"""

from __future__ import annotations

import numpy as np

from bench.figures import Figure, Spread, judged
from bench.lab import Lab
from bench.moving import DIMENSIONS, RATE, READERS, Moved, moved

ROW = "cut-over"
TARGET = "≤ 50 ms"
INDEPENDENT = "≤ 1.5 ×"
SIZES = (10_000, 100_000, 1_000_000)


def sizes(lab: Lab) -> tuple[int, ...]:
    """The numbers of rows; with ``quick`` the smallest."""
    return SIZES[:1] if lab.quick else SIZES


def measure(lab: Lab) -> list[Figure]:
    """p99 and maximum of the stall at each size, and the switch itself."""
    all_moved = [moved(lab, rows) for rows in sizes(lab)]
    return [figure for each in all_moved for figure in _figures(each, all_moved[0])]


def _figures(each: Moved, smallest: Moved) -> list[Figure]:
    size = f"{each.rows:,} rows"
    details = {
        "rows": each.rows,
        "dimensions": DIMENSIONS,
        "clients": READERS,
        "queries_a_second": RATE,
        "by": "pgbench, prepared",
        "cache": "warm",
        "switches": len(each.cut_over),
        "queries_that_met_one": len(each.stalls),
        "other_queries_p50_ms": percentile(each.calm, 50),
        "other_queries_p99_ms": percentile(each.calm, 99),
        "other_queries_max_ms": percentile(each.calm, 100),
        "stalls_ms": Spread.of(each.stalls.tolist()).to_json() if len(each.stalls) else {},
    }
    stall = percentile(each.stalls, 99)
    switch, base = float(np.median(each.cut_over)), float(np.median(smallest.cut_over))
    return [
        Figure(
            row=ROW,
            what=f"stall of {READERS} readers, p99, {size}",
            against="–",
            ours=stall,
            theirs=None,
            unit="ms",
            ratio=None,
            target=TARGET,
            met=judged(stall, TARGET),
            details=details,
        ),
        Figure(
            row=ROW,
            what=f"stall of {READERS} readers, maximum, {size}",
            against="–",
            ours=percentile(each.stalls, 100),
            theirs=None,
            unit="ms",
            ratio=None,
            target="",
            met=None,
            details=details,
        ),
        Figure(
            row=ROW,
            what=f"the switch, median, {size}",
            against=f"{smallest.rows:,} rows",
            ours=switch,
            theirs=base,
            unit="ms",
            ratio=switch / base,
            target=INDEPENDENT,
            met=None if each is smallest else judged(switch / base, INDEPENDENT),
            details=details | {"switches_ms": Spread.of(each.cut_over).to_json()},
        ),
    ]


def percentile(values: np.ndarray, at: float) -> float:
    """A percentile; 0 where there is nothing."""
    return float(np.percentile(values, at)) if len(values) else 0.0
