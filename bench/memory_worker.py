"""One backfill in a process of its own; says how much memory it took at most.

Run by bench.rows.memory: ``python -m bench.memory_worker URL ROWS DIMENSIONS``.
"""

from __future__ import annotations

import json
import resource
import sys

import numpy as np

from bench.lab import Ready
from pgvec_versions import Transition


def main() -> None:
    url, rows, dimensions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    vectors = np.random.default_rng(3).standard_normal((1_000, dimensions)).astype(np.float32)
    upgrade = Transition(url, "docs", "v2", Ready("new", vectors))
    upgrade.begin()
    report = upgrade.backfill()
    assert report.written == rows, report
    # Linux counts in kB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": peak, "rows": rows}))


if __name__ == "__main__":
    main()
