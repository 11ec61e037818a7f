"""The report on a version's newest evaluation: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from typing import Any, cast

from psycopg.rows import dict_row
from sqlalchemy import Engine

from pgvec_versions.embedders.canaries import LEAST_COSINE
from pgvec_versions.errors import NotReady
from pgvec_versions.evaluation.bounds import failure_text, written_bounds
from pgvec_versions.evaluation.canary_history import CanaryLine, canary_history
from pgvec_versions.evaluation.detail import is_number, sound_detail
from pgvec_versions.evaluation.plots import Segment
from pgvec_versions.evaluation.records import (
    JUDGED,
    Evaluation,
    Gate,
    check_gate,
    evaluations,
    read_gate,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.safe_text import visible

__all__ = ["Gathered", "Row", "Verdict", "as_html", "as_markdown", "gather", "metric_rows"]

_GONE = ("retired", "abandoned")
#: A version whose embedder makes less of what is stored than this is not what its label says.
_REPRODUCED = 0.95
_SURE = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table old against new, as text; ``better`` is None where nothing is shown."""

    name: str
    title: str
    before: str
    after: str
    difference: str
    better: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures say. ``tone``: good, bad or plain."""

    word: str
    tone: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that a report shows."""

    collection: str
    evaluation: Evaluation
    gate: Gate | None
    said: dict[str, Any]
    verdict: Verdict
    earlier: tuple[Evaluation, ...]
    shadows: tuple[Evaluation, ...]
    segments: tuple[Segment, ...]
    canaries: tuple[CanaryLine, ...]
    events: tuple[dict[str, Any], ...]


def gather(engine: Engine, collection: str, model_version: str) -> Gathered:
    """Reads what the report shows. Raises: NotReady without an evaluation, UnknownVersion."""
    said = check_gate(engine, collection, model_version)
    found = _sound(evaluations(engine, collection, model_version))
    # What was judged is worth more than what was only compared.
    found.sort(key=lambda e: (e.kind not in JUDGED, -e.evaluation_id))
    if not found:
        raise NotReady(
            f"version {model_version} of {collection} was never evaluated.",
            hint=f"Evaluate it: pgvec evaluate {model_version}.",
            detail={"collection": collection, "model_version": model_version},
        )
    with autocommitted(engine) as raw, raw.cursor(row_factory=dict_row) as cursor:
        named = {"collection": collection}
        events = cursor.execute(sqlfiles.query("events"), named).fetchall()
        standing = cursor.execute(sqlfiles.query("standing_fingerprints"), named).fetchall()
    newest = found[0]
    return Gathered(
        collection,
        newest,
        read_gate(engine, collection),
        said,
        judge(newest, said),
        tuple(found[1:11]),
        tuple(_sound(evaluations(engine, collection, model_version, ("shadow",), 20))),
        tuple(segments(events)),
        tuple(canary_history(events, _sound(evaluations(engine, collection)), standing)),
        tuple(e for e in events if e["to_state"] or "gate" in e["verb"])[-40:],
    )


def _sound(found: Sequence[Evaluation]) -> list[Evaluation]:
    """The same with everything in their detail that a report reads."""
    return [
        replace(
            evaluation,
            metrics={n: v for n, v in evaluation.metrics.items() if is_number(v)},
            baseline={n: v for n, v in evaluation.baseline.items() if is_number(v)},
            detail=sound_detail(evaluation.detail),
        )
        for evaluation in found
    ]


def judge(evaluation: Evaluation, said: Mapping[str, Any]) -> Verdict:
    """The verdict: the gate's where there is one, else what the figures show. Pure."""
    k, new = evaluation.detail.get("k", 10), evaluation.metrics
    name = f"ndcg@{k}"
    change = evaluation.detail.get("significance", {}).get(name)
    because: list[str] = [failure_text(failure) for failure in said.get("failures", ())]
    reproduced = new.get("reproduced", 1.0)
    foreign = reproduced < _REPRODUCED
    if foreign:
        because.append(
            f"only {reproduced:.0%} of the stored vectors that were tried are what the version's "
            "own embedder makes of their text"
        )
    worse = better = False
    if change is not None:
        sure = change["p"] < _SURE
        worse, better = sure and change["delta"] < 0, sure and change["delta"] > 0
        because.append(
            f"{name} {evaluation.baseline.get(name, 0):.3f} → {new.get(name, 0):.3f} "
            f"({change['delta']:+.3f}, p = {change['p']:.2g}) over {evaluation.queries} queries"
        )
    elif name in new:
        because.append(f"{name} is {new[name]:.3f} over {evaluation.queries} queries")
    recall = new.get(f"recall@{k}")
    if recall is not None:
        because.append(f"the index finds {recall:.1%} of what an exact search finds")
    if said.get("gated"):
        word, tone = (
            (f"The gate lets {evaluation.model_version} through", "good")
            if said["passed"]
            else (f"The gate stops {evaluation.model_version}", "bad")
        )
        if said["passed"] and foreign:
            tone = "bad"
    elif foreign:
        word, tone = f"{evaluation.model_version} does not hold its own vectors", "bad"
    elif worse:
        word, tone = f"{evaluation.model_version} is worse", "bad"
    elif better:
        word, tone = f"{evaluation.model_version} is better", "good"
    elif change is not None:
        word, tone = "No difference in quality is shown", "plain"
    else:
        word, tone = f"{evaluation.model_version} was measured", "plain"
    return Verdict(word, tone, tuple(because))


def segments(events: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """The times that versions spent in their states, from the events. Pure."""
    last: dict[str, tuple[str, datetime]] = {}
    made: list[Segment] = []
    end = max((event["at"] for event in events), default=None)
    for event in events:
        label, state = event["model_version"], event["to_state"]
        if label is None or state is None:
            continue
        if label in last:
            before, since = last[label]
            if state == before:
                continue
            made.append(Segment(label, before, since, event["at"]))
        last[label] = (state, event["at"])
    for label, (state, since) in last.items():
        if state not in _GONE and end is not None:
            made.append(Segment(label, state, since, end))
    order = list(last)
    return sorted(
        (s for s in made if s.state not in _GONE), key=lambda s: (order.index(s.version), s.since)
    )


# ------------------------------------------------------------------ the table

_TITLES = {
    "recall": "recall of the index",
    "hit_rate": "hit rate",
    "mrr": "MRR",
    "ndcg": "nDCG",
    "overlap": "overlap of old and new",
    "rank_correlation": "rank correlation of old and new",
    "reproduced": "stored vectors reproduced",
    "search_ms_p50": "search, median",
    "search_ms_p95": "search, 95th percentile",
    "embed_ms_p50": "embedding a query, median",
    "embed_ms_p95": "embedding a query, 95th percentile",
    "index_bytes": "index",
    "table_bytes": "table",
}
_ORDER = list(_TITLES)


def metric_rows(evaluation: Evaluation) -> list[Row]:
    """The figures, old against new, in a fixed order."""
    significance = evaluation.detail.get("significance", {})
    names = sorted(
        evaluation.metrics, key=lambda n: (_ORDER.index(b) if (b := _base(n)) in _ORDER else 99, n)
    )
    return [_row(name, evaluation, significance.get(name)) for name in names]


def _base(name: str) -> str:
    return name.split("@")[0]


def _row(name: str, evaluation: Evaluation, change: Mapping[str, float] | None) -> Row:
    after, before = evaluation.metrics[name], evaluation.baseline.get(name)
    base = _base(name)
    title = _TITLES.get(base, base.replace("_", " ")) + (
        f" @{name.split('@')[1]}" if "@" in name else ""
    )
    difference, better = "", None
    if before is not None:
        delta = after - before
        if change is not None:
            better = None if change["p"] >= _SURE else delta > 0
            difference = f"{delta:+.3f} (p = {change['p']:.2g})"
        elif base.endswith("bytes") or "_ms_" in base:
            difference = f"× {after / before:.2f}" if before else ""
        else:
            difference = f"{delta:+.3f}"
    return Row(name, title, _figure(base, before), _figure(base, after), difference, better)


def _figure(base: str, value: float | None) -> str:
    if value is None:
        return "–"
    if base.endswith("bytes"):
        small = value < 1024**2
        return f"{value / 1024:,.0f} kB" if small else f"{value / 1024**2:,.1f} MB"
    if "_ms_" in base:
        return f"{value:.1f} ms"
    return f"{value:.3f}"


# ------------------------------------------------------------------ rendering


def _kind_words(evaluation: Evaluation) -> str:
    source = evaluation.detail.get("source", "")
    return {
        "labelled": f"labelled queries of {source}",
        "known_item": f"known-item queries: {source}, searched for with the chunk as the right "
        "answer. They show damage, not fine differences",
        "recorded": f"recorded queries of {source}, without labels: they say how alike old and "
        "new are, not which is better",
    }.get(evaluation.kind, evaluation.kind)


def _context(gathered: Gathered) -> dict[str, Any]:
    evaluation = gathered.evaluation
    return {
        "report": gathered,
        "evaluation": evaluation,
        "detail": evaluation.detail,
        "rows": metric_rows(evaluation),
        "kind": _kind_words(evaluation),
        "bounds": written_bounds(gathered.gate.bounds) if gathered.gate else [],
        "failures": [failure_text(failure) for failure in gathered.said.get("failures", ())],
        "old": evaluation.baseline_version,
        "new": evaluation.model_version,
        "least_cosine": LEAST_COSINE,
    }


def _figures(gathered: Gathered) -> dict[str, str]:
    """The plots that this evaluation has something for, by name."""
    from pgvec_versions.evaluation import plots

    evaluation, detail = gathered.evaluation, gathered.evaluation.detail
    labels = {
        "baseline": f"{evaluation.baseline_version} (active)",
        "candidate": evaluation.model_version,
    }
    means = {"candidate": evaluation.metrics}
    if evaluation.baseline_version is not None:
        means["baseline"] = evaluation.baseline
    intervals = detail.get("intervals", {})
    made: dict[str, str] = {}
    if any(detail.get("sweep", {}).values()):
        made["curves"] = plots.curves(detail["sweep"], labels)
    if intervals:
        # On every side that there is: a detail may be anybody's.
        drawn = [set(intervals.get(side, {})) & set(means[side]) for side in means]
        names = [row.name for row in metric_rows(evaluation) if all(row.name in d for d in drawn)]
        if names:
            made["quality"] = plots.quality(names, intervals, means, labels)
    if detail.get("changes"):
        made["changes"] = plots.changes(detail["changes"], f"ndcg@{detail['k']}")
    if any(h.get("edges") for h in detail.get("distances", {}).values()):
        made["distances"] = plots.distances(detail["distances"], labels)
    if gathered.segments:
        made["timeline"] = plots.timeline(gathered.segments)
    return made


def as_html(gathered: Gathered) -> str:
    """One self-contained HTML file, light and dark."""
    from markupsafe import Markup

    # Our own drawings, made of escaped text.
    figures = {name: Markup(svg) for name, svg in _figures(gathered).items()}
    return _render("report.html.j2", True, figures=figures, **_context(gathered))


def as_markdown(gathered: Gathered) -> str:
    """The same for a pull request, without the plots."""
    return _render("report.md.j2", False, **_context(gathered))


def _render(template: str, escape: bool, **context: Any) -> str:
    from jinja2 import BaseLoader, Environment, StrictUndefined

    environment = Environment(
        loader=BaseLoader(),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_text,
    )
    cast("Any", environment).filters["cell"] = _cell
    text = files("pgvec_versions.evaluation").joinpath("templates", template).read_text("utf-8")
    return environment.from_string(text).render(**context)


def _text(value: object) -> object:
    """Text, without signs that cannot be seen; drawings of ours are Markup, and stay."""
    return visible(value) if type(value) is str else value


def _cell(value: object, length: int = 160) -> str:
    """Text that stays inside a Markdown table cell, and is not read as markup."""
    text = visible(" ".join(str(value).split()))
    text = text[:length] + ("…" if len(text) > length else "")
    for sign in "\\`*_|[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace(">", "&gt;")
