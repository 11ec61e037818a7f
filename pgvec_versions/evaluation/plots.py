"""The report's plots, as SVG. Pure.

The colours are placeholders that become CSS variables (``--ink``, ``--old``, …), so that one file
follows the reader's light or dark theme. Text stays text.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pgvec_versions.safe_text import visible

#: The name of each colour, and the placeholder that matplotlib draws.
_COLOURS = {
    "ink": "#010203",
    "muted": "#040506",
    "grid": "#070809",
    "old": "#0a0b0c",
    "new": "#0d0e0f",
    "good": "#101112",
    "bad": "#131415",
    "building": "#161718",
    "ready": "#191a1b",
    "active": "#1c1d1e",
    "draining": "#1f2021",
    "paper": "#222324",
}
_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pgvec",
    # A $ in a name does not begin a formula.
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.edgecolor": _COLOURS["grid"],
    "axes.labelcolor": _COLOURS["muted"],
    "axes.titlecolor": _COLOURS["ink"],
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": _COLOURS["grid"],
    "grid.linewidth": 0.6,
    "text.color": _COLOURS["ink"],
    "xtick.color": _COLOURS["grid"],
    "ytick.color": _COLOURS["grid"],
    "xtick.labelcolor": _COLOURS["muted"],
    "ytick.labelcolor": _COLOURS["muted"],
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.0,
}
_SIDES = (("baseline", "old"), ("candidate", "new"))
#: Units: inches.
_WIDTH = 8.6


@dataclass(frozen=True, slots=True)
class Segment:
    """The time that a version spent in a state."""

    version: str
    state: str
    since: datetime
    until: datetime


def curves(sweep: Mapping[str, Sequence[Mapping[str, float]]], labels: Mapping[str, str]) -> str:
    """Recall and latency of the index as ef_search grows, for both versions."""

    def draw(figure: Any) -> None:
        recalls, times = figure.subplots(1, 2)
        for side, colour in _SIDES:
            rows = sweep.get(side)
            if not rows:
                continue
            efs = [row["ef_search"] for row in rows]
            line: dict[str, Any] = {"color": _COLOURS[colour], "marker": "o"}
            recalls.plot(efs, [row["recall"] for row in rows], label=labels[side], **line)
            times.plot(efs, [row["p50_ms"] for row in rows], label=labels[side], **line)
            times.fill_between(
                efs,
                [row["p50_ms"] for row in rows],
                [row["p95_ms"] for row in rows],
                color=_COLOURS[colour],
                alpha=0.15,
                linewidth=0,
            )
        ticks = [row["ef_search"] for row in sweep.get("candidate", [])]
        for axes in (recalls, times):
            axes.set_xscale("log")
            axes.set_xticks(ticks, [f"{ef:g}" for ef in ticks])
            axes.minorticks_off()
            axes.set_xlabel("ef_search")
            axes.grid(True, axis="y")
        worst = min((row["recall"] for rows in sweep.values() for row in rows), default=1.0)
        # The axis begins at 0.9 or lower: a tiny difference must not look large.
        recalls.set_ylim(min(0.9, worst - 0.03), 1.01)
        recalls.set_title("recall of the index")
        times.set_ylim(bottom=0)
        times.set_title("ms a search: median to 95th percentile")
        recalls.legend(loc="lower right")

    return _svg(draw, 3.0)


def quality(
    names: Sequence[str],
    intervals: Mapping[str, Mapping[str, Sequence[float]]],
    means: Mapping[str, Mapping[str, float]],
    labels: Mapping[str, str],
) -> str:
    """Old against new, a line for each metric, with 95% confidence intervals."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for side, colour in _SIDES:
            if side not in means:
                continue
            shift = 0.13 if side == "candidate" else -0.13
            for row, name in enumerate(names):
                low, high = intervals[side][name]
                axes.plot([low, high], [row + shift] * 2, color=_COLOURS[colour], alpha=0.55)
                axes.plot(
                    [means[side][name]],
                    [row + shift],
                    marker="o",
                    markersize=7,
                    linestyle="none",
                    color=_COLOURS[colour],
                    label=labels[side] if row == 0 else None,
                )
        axes.set_yticks(range(len(names)), list(names))
        axes.set_ylim(len(names) - 0.5, -0.5)
        lowest = min(low for side in means for low, _ in (intervals[side][n] for n in names))
        axes.set_xlim(max(min(lowest - 0.05, 0.8), -0.02), 1.02)
        axes.grid(True, axis="x")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.14 + 0.1 / len(names)), ncols=2)

    return _svg(draw, 0.9 + 0.5 * len(names))


def changes(values: Sequence[float], measure: str) -> str:
    """The change for each query, from the worst loss to the best win."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        colours = [_COLOURS["good" if v > 0 else "bad" if v < 0 else "grid"] for v in values]
        axes.bar(range(len(values)), values, color=colours, width=1.0)
        axes.axhline(0, color=_COLOURS["muted"], linewidth=0.8)
        axes.set_ylim(-1.05, 1.05)
        axes.set_xlim(-0.5, max(len(values), 1) - 0.5)
        axes.set_xticks([])
        axes.set_xlabel(f"{len(values)} queries, from the worst loss to the best win")
        axes.set_title(f"change of {measure}")
        axes.grid(True, axis="y")

    return _svg(draw, 2.4)


def distances(histograms: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    """How the distances of each version spread: nearest, first k, random pairs."""
    shown = [(side, colour) for side, colour in _SIDES if histograms.get(side, {}).get("edges")]

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, max(len(shown), 1), sharex=True, squeeze=False)[0]
        for axes, (side, colour) in zip(panels, shown, strict=False):
            edges, counts = histograms[side]["edges"], histograms[side]["counts"]
            styles: tuple[tuple[str, str, dict[str, Any]], ...] = (
                ("random", "random pairs", {"color": _COLOURS["muted"], "linestyle": ":"}),
                ("top", "the first k", {"color": _COLOURS[colour], "alpha": 0.3, "fill": True}),
                ("nearest", "the nearest", {"color": _COLOURS[colour]}),
            )
            for group, words, style in styles:
                total = sum(counts[group]) or 1
                shares = [count / total for count in counts[group]]
                axes.stairs(shares, edges, linewidth=1.5, label=words, **style)
            axes.set_title(labels[side])
            axes.set_xlabel("distance")
            axes.set_yticks([])
            axes.set_ylim(bottom=0)
            axes.legend(loc="upper right")

    return _svg(draw, 2.8)


def timeline(segments: Sequence[Segment]) -> str:
    """Which version was in which state, and when."""
    from matplotlib import dates

    versions = list(dict.fromkeys(segment.version for segment in segments))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        number = cast("Any", dates).date2num
        seen: set[str] = set()
        span = number(max(s.until for s in segments)) - number(min(s.since for s in segments))
        for segment in segments:
            start, end = number(segment.since), number(segment.until)
            axes.barh(
                versions.index(segment.version),
                max(end - start, span / 300),
                left=start,
                height=0.5,
                color=_COLOURS.get(segment.state, _COLOURS["muted"]),
                label=segment.state if segment.state not in seen else None,
            )
            seen.add(segment.state)
        axes.set_yticks(range(len(versions)), versions)
        axes.set_ylim(len(versions) - 0.4, -0.6)
        locator: Any = dates.AutoDateLocator(minticks=3, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        axes.grid(True, axis="x")
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=max(len(seen), 1), borderaxespad=0.2
        )

    return _svg(draw, 1.1 + 0.36 * len(versions))


def _svg(draw: Any, height: float) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with cast("Any", matplotlib).rc_context(_RC):
        figure: Any = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    # Without XML prolog and metadata: both name addresses on the net.
    text = out.getvalue()
    text = text[text.index("<svg") :]
    start, end = text.find("<metadata>"), text.find("</metadata>")
    if start >= 0:
        text = text[:start] + text[end + len("</metadata>") :]
    for name, stand_in in _COLOURS.items():
        text = text.replace(stand_in, f"var(--{name})")
    return visible(text)
