"""The report on a version's newest evaluation: the verdict first, then its reasons."""

from __future__ import annotations

import shlex
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
from pgvec_versions.evaluation.metric_table import metric_rows
from pgvec_versions.evaluation.plots import Segment
from pgvec_versions.evaluation.power import proof
from pgvec_versions.evaluation.records import (
    JUDGED,
    Evaluation,
    Gate,
    check_gate,
    evaluations,
    read_gate,
)
from pgvec_versions.evaluation.verdict import Verdict, judge
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.safe_text import visible
from pgvec_versions.states import State

_GONE = ("retired", "abandoned")
#: How many a report shows, the newest: earlier evaluations, shadow rows, events.
_EARLIER, _SHADOWS, _EVENTS = 10, 20, 40


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that a report shows. ``gate_check``: what ``check_gate`` returned."""

    collection: str
    evaluation: Evaluation
    gate: Gate | None
    gate_check: dict[str, Any]
    verdict: Verdict
    earlier: tuple[Evaluation, ...]
    shadows: tuple[Evaluation, ...]
    segments: tuple[Segment, ...]
    canaries: tuple[CanaryLine, ...]
    events: tuple[dict[str, Any], ...]


def gather(engine: Engine, collection: str, model_version: str) -> Gathered:
    """Reads what a report shows. Raises: NotReady (no evaluation), UnknownVersion."""
    gate_check = check_gate(engine, collection, model_version)
    found = _sound(evaluations(engine, collection, model_version))
    # An evaluation that knows the right answers is worth more than one that only compares.
    found.sort(key=lambda e: (e.kind not in JUDGED, -e.evaluation_id))
    if not found:
        raise NotReady(
            f"version {model_version} of {collection} was never evaluated.",
            hint=f"Evaluate it: pgvec evaluate {shlex.quote(model_version)}.",
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
        gate_check,
        judge(newest, gate_check),
        tuple(found[1 : 1 + _EARLIER]),
        tuple(_sound(evaluations(engine, collection, model_version, ("shadow",), _SHADOWS))),
        tuple(segments(events)),
        tuple(canary_history(events, _sound(evaluations(engine, collection)), standing)),
        tuple(e for e in events if e["to_state"] or "gate" in e["verb"])[-_EVENTS:],
    )


def _sound(found: Sequence[Evaluation]) -> list[Evaluation]:
    """The same evaluations, with every part of their detail that a report reads."""
    return [
        replace(
            evaluation,
            metrics={n: v for n, v in evaluation.metrics.items() if is_number(v)},
            baseline={n: v for n, v in evaluation.baseline.items() if is_number(v)},
            detail=sound_detail(evaluation.detail),
        )
        for evaluation in found
    ]


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


# --- Rendering ---


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
    proven = proof(evaluation)
    return {
        "report": gathered,
        "evaluation": evaluation,
        "detail": evaluation.detail,
        "rows": metric_rows(evaluation),
        "kind": _kind_words(evaluation),
        "bounds": written_bounds(gathered.gate.bounds) if gathered.gate else [],
        "failures": [failure_text(failure) for failure in gathered.gate_check.get("failures", ())],
        "old": evaluation.baseline_version,
        "new": evaluation.model_version,
        "proof": proven,
        "smallest": {} if proven is None else dict(proven.smallest),
        "states": [s for s in State if any(s == shown.state for shown in gathered.segments)],
        "least_cosine": LEAST_COSINE,
    }


def _figures(gathered: Gathered) -> dict[str, list[str]]:
    """The panels of each plot for which this evaluation has data, by name."""
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
    made: dict[str, list[str]] = {}
    if any(detail.get("sweep", {}).values()):
        made["curves"] = plots.curves(detail["sweep"])
    if intervals:
        # Only metrics that every side has: any client may have written the detail.
        drawn = [set(intervals.get(side, {})) & set(means[side]) for side in means]
        names = [row.name for row in metric_rows(evaluation) if all(row.name in d for d in drawn)]
        if names:
            made["quality"] = plots.quality(names, intervals, means)
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

    # Markup: these are our own plots, made of escaped text.
    figures = {name: [Markup(svg) for svg in svgs] for name, svgs in _figures(gathered).items()}
    return _render("report.html.j2", True, figures=figures, **_context(gathered))


def as_markdown(gathered: Gathered) -> str:
    """The report as Markdown, for a pull request; without plots."""
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
    """Makes invisible characters in a text visible. Our plots are Markup and stay as they are."""
    return visible(value) if type(value) is str else value


def _cell(value: object, length: int = 160) -> str:
    """Text for a cell of a Markdown table, with nothing in it that Markdown would interpret."""
    text = visible(" ".join(str(value).split()))
    text = text[:length] + ("…" if len(text) > length else "")
    for sign in "\\`*_|[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace(">", "&gt;")
