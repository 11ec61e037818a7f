"""What a run writes: a table on the terminal, JSON, a plot, the generated part of the page."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from bench.figures import Figure

BEGIN = "<!-- begin: written by python -m bench.run -->"
END = "<!-- end: written by python -m bench.run -->"
_MET = {True: "yes", False: "no", None: "–"}
_HEAD = ("row", "what", "against", "ours", "theirs", "unit", "ratio", "target", "met")


def number(value: float | None) -> str:
    """Three figures that matter, thousands with commas."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cells(figure: Mapping[str, Any]) -> list[str]:
    return [
        figure["row"],
        figure["what"],
        figure["against"] or "–",
        number(figure["ours"]),
        number(figure["theirs"]),
        figure["unit"],
        "–" if figure["ratio"] is None else f"{figure['ratio']:.2f}",
        figure["target"] or "–",
        _MET[figure["met"]],
    ]


def figures_table(figures: Sequence[Figure]) -> Table:
    """The table for the terminal."""
    table = Table(box=box.SIMPLE)
    for name in _HEAD:
        right = name in ("ours", "theirs", "ratio")
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    for figure in figures:
        colour = {True: "green", False: "red", None: None}[figure.met]
        table.add_row(*_cells(figure.to_json()), style=colour)
    return table


def _details(figure: Mapping[str, Any]) -> str:
    details = {k: v for k, v in figure["details"].items() if not isinstance(v, (list, dict))}
    spread = figure["details"].get("spread")
    if isinstance(spread, dict) and spread.get("repeats", 1) > 1:
        least, most = number(spread["least"]), number(spread["most"])
        details["of"] = f"{spread['repeats']} runs, {least} to {most}"
    return ", ".join(
        f"{name.replace('_', ' ')} {number(v) if isinstance(v, float) else v}"
        for name, v in details.items()
    )


def page(results: Mapping[str, Any]) -> str:
    """The generated part of docs/benchmarks.md, between its two markers."""
    facts = results["facts"]
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    settings = ", ".join(f"{name} = {value}" for name, value in facts["settings"].items())
    quick = " This was a quick run: its figures are not for quoting." if facts["quick"] else ""
    lines = [
        BEGIN,
        "",
        f"Taken {results['taken']} on {facts['cores']} cores ({facts['processor']}),"
        f" {facts['memory_gb']:g} GB of memory, load {facts['load'][0]} at the end;"
        f" {versions}. {facts['rows']:,} rows unless a line says otherwise.{quick}",
        "",
        f"Server: {settings}.",
        "",
        "| " + " | ".join(_HEAD) + " | details |",
        "|" + "---|" * (len(_HEAD) + 1),
    ]
    for figure in results["figures"]:
        cells = [*_cells(figure), _details(figure)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for row, reason in results["failed"].items():
        lines += ["", f"**{row}** failed: {reason}"]
    lines += ["", "![Ratios and their targets](figures/benchmarks.svg)", "", END]
    return "\n".join(lines)


def plot(results: Mapping[str, Any]) -> str:
    """Every figure that has a ratio or a bound, as a share of its target. An SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    judged = [figure for figure in results["figures"] if figure["met"] is not None]
    height = 0.34 * max(len(judged), 1) + 1.0
    rc = {"svg.fonttype": "none", "svg.hashsalt": "pgvec", "font.size": 9.0}
    with mpl.rc_context(rc):
        shown, axes = pyplot.subplots(figsize=(8.6, height), layout="constrained")
        for place, figure in enumerate(judged):
            value = figure["ours"] if figure["ratio"] is None else figure["ratio"]
            bound = float(figure["target"][1:].split()[0].replace(",", ""))
            upward = figure["target"][0] in "≥>"
            share = value / bound if upward else bound / max(value, 1e-9)
            colour = "#2a7f62" if figure["met"] else "#b3453c"
            axes.plot([1.0, share], [place, place], color=colour, linewidth=1.8)
            axes.plot([share], [place], "o", color=colour, markersize=5)
        axes.axvline(1.0, color="#888888", linewidth=1.0)
        axes.set_xscale("log")
        axes.set_yticks(range(len(judged)))
        axes.set_yticklabels([f"{f['row']}: {f['what']} ({f['target']})" for f in judged])
        axes.invert_yaxis()
        axes.set_xlabel("how far beyond its target (1 = just met; right is better)")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        text = io.StringIO()
        shown.savefig(text, format="svg", metadata={"Date": None})
        pyplot.close(shown)
    return "".join(line.rstrip() + "\n" for line in text.getvalue().splitlines())


def write_docs(results: Mapping[str, Any], docs: Path) -> None:
    """Writes benchmarks.json and figures/benchmarks.svg, and replaces the generated part.

    What stands around the markers in benchmarks.md is by hand, and stays.
    """
    (docs / "figures").mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (docs / "figures" / "benchmarks.svg").write_text(plot(results), encoding="utf-8")
    target = docs / "benchmarks.md"
    text = target.read_text(encoding="utf-8") if target.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    target.write_text(before + page(results) + after, encoding="utf-8")
