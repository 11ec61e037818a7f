"""The report's plots, as SVG. Pure.

Each plot is one or more panels, and a panel is as wide as a phone: on a wide screen the page puts
them side by side, on a phone one below the other, and their text is legible on both. What a line or
a colour means is said by the page and not here, because a label of a version can be long.

The colours are placeholders that become CSS variables (``--ink``, ``--old``, …), so that one file
follows the reader's light or dark theme. Text stays text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
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
#: A panel shrinks to about 335 CSS pixels on a phone: a point is then a little more than a pixel.
#: Units: inches, points.
_WIDTH, _TEXT = 4.2, 10.0
_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pgvec",
    # A $ in a name does not begin a formula.
    "text.parse_math": False,
    "font.size": _TEXT,
    "axes.edgecolor": _COLOURS["grid"],
    "axes.labelcolor": _COLOURS["muted"],
    "axes.titlecolor": _COLOURS["ink"],
    "axes.titlesize": _TEXT + 0.5,
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
#: As much of a name as a panel shows. Units: characters.
_NAME, _TITLE = 18, 40


@dataclass(frozen=True, slots=True)
class Segment:
    """The time that a version spent in a state."""

    version: str
    state: str
    since: datetime
    until: datetime


def curves(sweep: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    """Recall and latency of the index as ef_search grows, for both versions."""
    shown = [(colour, sweep[side]) for side, colour in _SIDES if sweep.get(side)]
    ticks = sorted({row["ef_search"] for _, rows in shown for row in rows})
    worst = min((row["recall"] for _, rows in shown for row in rows), default=1.0)

    def prepare(axes: Any, title: str) -> None:
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{ef:g}" for ef in ticks])
        axes.minorticks_off()
        axes.set_xlabel("ef_search")
        axes.grid(True, axis="y")
        axes.set_title(title)

    def draw_recall(axes: Any) -> None:
        for colour, rows in shown:
            axes.plot(
                [row["ef_search"] for row in rows],
                [row["recall"] for row in rows],
                color=_COLOURS[colour],
                marker="o",
            )
        prepare(axes, "recall of the index")
        # The axis begins at 0.9 or lower: a tiny difference must not look large.
        axes.set_ylim(min(0.9, worst - 0.03), 1.01)

    def draw_times(axes: Any) -> None:
        for colour, rows in shown:
            efs = [row["ef_search"] for row in rows]
            middle = [row["p50_ms"] for row in rows]
            axes.plot(efs, middle, color=_COLOURS[colour], marker="o")
            axes.fill_between(
                efs,
                middle,
                [row["p95_ms"] for row in rows],
                color=_COLOURS[colour],
                alpha=0.15,
                linewidth=0,
            )
        prepare(axes, "ms a search, median to 95th percentile")
        axes.set_ylim(bottom=0)

    return [
        _svg(draw_recall, 2.7, "Recall of the index by ef_search"),
        _svg(draw_times, 2.7, "Milliseconds of a search by ef_search"),
    ]


def quality(
    names: Sequence[str],
    intervals: Mapping[str, Mapping[str, Sequence[float]]],
    means: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """Old against new, a line for each metric, with 95% confidence intervals."""

    def draw(axes: Any) -> None:
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
                )
        axes.set_yticks(range(len(names)), [_short(name, _NAME) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        lowest = min(low for side in means for low, _ in (intervals[side][n] for n in names))
        axes.set_xlim(max(min(lowest - 0.05, 0.8), -0.02), 1.02)
        axes.grid(True, axis="x")

    return [_svg(draw, 0.5 + 0.45 * len(names), "Means with confidence intervals")]


def changes(values: Sequence[float], measure: str) -> list[str]:
    """The change for each query, from the worst loss to the best win."""

    def draw(axes: Any) -> None:
        colours = [_COLOURS["good" if v > 0 else "bad" if v < 0 else "grid"] for v in values]
        axes.bar(range(len(values)), values, color=colours, width=1.0)
        axes.axhline(0, color=_COLOURS["muted"], linewidth=0.8)
        axes.set_ylim(-1.05, 1.05)
        axes.set_xlim(-0.5, max(len(values), 1) - 0.5)
        axes.set_xticks([])
        axes.set_xlabel(f"{len(values)} queries, worst loss to best win")
        axes.set_title(f"change of {_short(measure, _NAME)}")
        axes.grid(True, axis="y")

    return [_svg(draw, 2.4, "Change of each query")]


def distances(histograms: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]) -> list[str]:
    """How the distances of each version spread: a line for the nearest, filled the first k.

    Random pairs of chunks are dotted.
    """
    shown = [(side, colour) for side, colour in _SIDES if histograms.get(side, {}).get("edges")]
    every = [edge for side, _ in shown for edge in histograms[side]["edges"]]

    def panel(side: str, colour: str) -> str:
        edges, counts = histograms[side]["edges"], histograms[side]["counts"]
        styles: tuple[tuple[str, dict[str, Any]], ...] = (
            ("random", {"color": _COLOURS["muted"], "linestyle": ":"}),
            ("top", {"color": _COLOURS[colour], "alpha": 0.3, "fill": True}),
            ("nearest", {"color": _COLOURS[colour]}),
        )

        def draw(axes: Any) -> None:
            for group, style in styles:
                total = sum(counts[group]) or 1
                shares = [count / total for count in counts[group]]
                axes.stairs(shares, edges, linewidth=1.5, **style)
            axes.set_title(_short(labels[side], _TITLE))
            axes.set_xlabel("distance")
            # The same scale in both: they are to be compared.
            margin = 0.04 * ((max(every) - min(every)) or 1)
            axes.set_xlim(min(every) - margin, max(every) + margin)
            axes.set_yticks([])
            axes.set_ylim(bottom=0)

        return _svg(draw, 2.4, f"Distances in {_short(labels[side], _TITLE)}")

    return [panel(side, colour) for side, colour in shown]


def timeline(segments: Sequence[Segment]) -> list[str]:
    """Which version was in which state, and when."""
    from matplotlib import dates

    versions = list(dict.fromkeys(segment.version for segment in segments))

    def draw(axes: Any) -> None:
        number = cast("Any", dates).date2num
        first = number(min(s.since for s in segments))
        span = number(max(s.until for s in segments)) - first
        for segment in segments:
            start, end = number(segment.since), number(segment.until)
            axes.barh(
                versions.index(segment.version),
                max(end - start, span / 150),
                left=start,
                height=0.4,
                color=_COLOURS.get(segment.state, _COLOURS["muted"]),
            )
        # Above its bar a label has the whole width.
        for row, version in enumerate(versions):
            axes.text(first, row - 0.3, _short(version, _TITLE), va="bottom")
        axes.set_yticks([])
        axes.set_ylim(len(versions) - 0.6, -0.85)
        axes.spines["left"].set_visible(False)
        locator: Any = dates.AutoDateLocator(minticks=2, maxticks=4)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        axes.grid(True, axis="x")

    return [_svg(draw, 0.6 + 0.5 * len(versions), "States of the versions over time")]


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _svg(draw: Callable[[Any], None], height: float, title: str) -> str:
    """A panel. ``height``: inches. ``title``: for readers who do not see it."""
    import matplotlib
    from matplotlib.figure import Figure

    with cast("Any", matplotlib).rc_context(_RC):
        figure: Any = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    # Without XML prolog and metadata: both name addresses on the net.
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = f'<svg role="img" aria-label="{escape(title, quote=True)}"{text[len("<svg") :]}'
    start, end = text.find("<metadata>"), text.find("</metadata>")
    if start >= 0:
        text = text[:start] + text[end + len("</metadata>") :]
    for name, stand_in in _COLOURS.items():
        text = text.replace(stand_in, f"var(--{name})")
    return visible(text)
