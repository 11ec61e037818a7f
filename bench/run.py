"""Every figure of docs/benchmarks.md: ratios, each measured in one run on the same data.

Run: ``python -m bench.run [--quick] [--only add,search-view] [--rows N] [--json FILE]``.
A full run writes its table, its JSON and its plots into ``docs/``. A quick run, or one with only
some rows, writes into the folder that you name, or nowhere.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

import bench.rows
from bench.figures import Figure
from bench.lab import Lab
from bench.output import figures_table, write_docs

_ROOT = Path(__file__).parent.parent
DOCS, WORK = _ROOT / "docs", _ROOT / ".bench"
FULL_ROWS, QUICK_ROWS = 100_000, 5_000


def modules() -> list[str]:
    """The rows that are there, in their order."""
    found = [each.name for each in pkgutil.iter_modules(bench.rows.__path__)]
    order = {name: place for place, name in enumerate(bench.rows.ORDER)}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def run(lab: Lab, names: Sequence[str], console: Console) -> dict[str, Any]:
    """Row after row; one that fails is reported and stops none of the others."""
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for name in names:
        row = name.replace("_", "-")
        began = time.monotonic()
        try:
            with console.status(f"{row} …"):
                measured = importlib.import_module(f"bench.rows.{name}").measure(lab)
            figures += measured
        except Exception as exc:
            traceback.print_exc(file=sys.stderr)
            failed[row] = f"{type(exc).__name__}: {(str(exc).splitlines() or [''])[0]}"[:200]
            measured = []
        finally:
            lab.clean()
        seconds[row] = round(time.monotonic() - began, 1)
        console.print(f"{row}: {seconds[row]:.0f} s", highlight=False)
        if measured:
            console.print(figures_table(measured))
    return {
        "taken": datetime.now(UTC).isoformat(timespec="minutes"),
        "facts": lab.facts(),
        "figures": [figure.to_json() for figure in figures],
        "failed": failed,
        "seconds": seconds,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the rows. 1 when one failed; a target that is not met is no failure."""
    parser = argparse.ArgumentParser(prog="bench.run", description="Every figure, as a ratio.")
    parser.add_argument("--quick", action="store_true", help="small, in minutes; not for quoting")
    parser.add_argument("--only", help="rows, with commas between them")
    parser.add_argument("--rows", type=int, help="rows of the large tables")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--docs", type=Path, help="where table, JSON and plots go")
    parser.add_argument(
        "--work",
        type=Path,
        default=WORK,
        help="keeps vectors and the peers' environments (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    names = modules()
    if options.only:
        wanted = [name.strip().replace("-", "_") for name in options.only.split(",")]
        if unknown := set(wanted) - set(names):
            parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        names = [name for name in names if name in wanted]
    rows = options.rows or (QUICK_ROWS if options.quick else FULL_ROWS)
    docs = options.docs or (None if options.quick or options.only else DOCS)
    console = Console()
    with Lab(options.quick, rows, options.work) as lab:
        results = run(lab, names, console)
    for row, reason in results["failed"].items():
        console.print(f"{row}: failed: {reason}", highlight=False, markup=False)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if docs:
        write_docs(results, docs)
        console.print(f"written to {docs}", highlight=False)
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
