"""Runs one backfill in its own process, and prints the most memory that it took.

Run by bench.rows.memory: ``python -m bench.memory_worker URL ROWS DIMENSIONS``.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

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
    print(json.dumps({"peak_mb": peak_mb(), "rows": rows}))


def peak_mb() -> float:
    """The largest resident set of this process.

    Not getrusage on Linux: what it says begins with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main()
