"""``pgvec evaluate``, ``gate`` and ``report``: whether a version is good enough."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    Workplace,
    console,
    emit,
    progress_bar,
    workplace,
)
from pgvec_versions.cli.plain import print_text
from pgvec_versions.cli.printing import print_lines
from pgvec_versions.errors import GateRefused, InvalidArgument, WrongState
from pgvec_versions.new_files import write_text
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State

if TYPE_CHECKING:
    from pgvec_versions.evaluation.records import Evaluation, Gate

__all__ = ["register"]

VersionArgument = Annotated[
    str | None,
    typer.Argument(help="The version; may be left out if only one is ready."),
]


def evaluate(
    version: VersionArgument = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            help='JSONL: {"query": …, "documents": […]} or "chunks"; without labels, recorded '
            "queries. Without a file, known-item queries are made from the chunks."
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Known-item queries to make.")] = 200,
    k: Annotated[int, typer.Option("-k", help="How many hits count.")] = 10,
    threshold: Annotated[
        list[float] | None,
        typer.Option(help="A distance of the active version, to be mapped; repeatable."),
    ] = None,
    seed: Annotated[str, typer.Option(help="The same seed takes the same chunks.")] = "1",
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a version against the active one, without touching traffic."""
    from pgvec_versions.evaluation.measure import evaluate as measure
    from pgvec_versions.evaluation.queries import load_queries
    from pgvec_versions.evaluation.records import check_gate

    asked = load_queries(queries) if queries is not None else None
    with workplace(database_url, config, collection) as here, progress_bar(as_json) as show:
        label = version or _candidate(here, "evaluate")
        made = measure(
            here.engine,
            here.collection,
            label,
            here.embedders(),
            queries=asked,
            count=count,
            k=k,
            thresholds=threshold or (),
            seed=seed,
            on_progress=show,
        )
        said = check_gate(here.engine, here.collection, label)
    if as_json:
        emit({**_as_data(made), "gate": said}, True)
        return
    console.print(_table(made))
    for mapped in made.detail.get("asked_thresholds", []):
        console.print(
            f"a distance of {mapped['old']:.4g} in {made.baseline_version} passes "
            f"{mapped['share']:.0%} of the results; in {made.model_version}, {mapped['new']:.4g} "
            f"does. They agree on {mapped['agreement']:.0%} of which."
        )
    if made.kind == "known_item":
        console.print(
            "known-item queries: sentences of the chunks themselves. They show damage, not fine "
            "differences; labelled queries (--queries) do."
        )
    print_lines(_gate_lines(said))


def gate(
    require: Annotated[
        list[str] | None,
        typer.Option(help="A bound: 'recall@10>=0.95', 'ndcg@10>=active-0.01'; repeatable."),
    ] = None,
    max_age: Annotated[str, typer.Option(help="How old the evaluation may be.")] = "7 days",
    min_queries: Annotated[int, typer.Option(help="Queries that it must rest on.")] = 20,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Only labelled queries count.")
    ] = False,
    max_changed: Annotated[
        float, typer.Option(help="By what share the chunks may have changed since.")
    ] = 0.1,
    remove: Annotated[bool, typer.Option("--remove", help="Take the gate away.")] = False,
    check: Annotated[
        str | None, typer.Option(help="Say what it says to this version; exit 3 if it stops it.")
    ] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set what an evaluation must show before a cut-over."""
    from pgvec_versions.evaluation import bounds, records

    if sum((bool(require), remove, check is not None)) > 1:
        raise InvalidArgument("gate takes one of --require, --remove and --check.")
    with workplace(database_url, config, collection) as here:
        name, engine = here.collection, here.engine
        if check is not None:
            said = records.check_gate(engine, name, check)
            if not said["passed"]:
                failures = "; ".join(bounds.failure_text(f) for f in said["failures"])
                raise GateRefused(f"the gate of {name} stops {check}: {failures}.", detail=said)
            emit(said, as_json, _gate_lines(said))
            return
        if remove:
            removed = records.drop_gate(engine, name)
            text = f"the gate of {name} is gone." if removed else f"{name} had no gate."
            emit({"collection": name, "removed": removed}, as_json, text)
            return
        if require:
            records.set_gate(
                engine,
                name,
                bounds.parse_bounds(require),
                max_age=max_age,
                min_queries=min_queries,
                labelled=labelled,
                max_changed=max_changed,
            )
        found = records.read_gate(engine, name)
    data = {"collection": name, "gate": _gate_data(found)}
    emit(data, as_json, _gate_text(name, found))


def report(
    version: VersionArgument = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one self-contained HTML file here.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write Markdown here; without both, it is printed.")
    ] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a version's newest evaluation."""
    from pgvec_versions.evaluation.report import as_html, as_markdown, gather

    with workplace(database_url, config, collection) as here:
        label = version or _candidate(here, "report", evaluated=True)
        gathered = gather(here.engine, here.collection, label)
    written: list[str] = []
    for path, render in ((html, as_html), (markdown, as_markdown)):
        if path is not None:
            write_text(path, render(gathered))
            written.append(str(path))
    data = {
        "collection": gathered.collection,
        "model_version": label,
        "verdict": gathered.verdict.word,
        "because": list(gathered.verdict.because),
        "evaluation_id": gathered.evaluation.evaluation_id,
        "written": written,
    }
    if as_json:
        emit(data, True)
    elif written:
        emit(data, False, f"{gathered.verdict.word}; written: {', '.join(written)}")
    else:
        print_text(as_markdown(gathered))


def _candidate(here: Workplace, verb: str, evaluated: bool = False) -> str:
    """The one version that is ready; to report on, the one that was evaluated last."""
    if evaluated:
        from pgvec_versions.evaluation.records import evaluations

        newest = evaluations(here.engine, here.collection, count=1)
        if newest:
            return newest[0].model_version
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        known = read_collection(raw, here.collection)
    ready = [v.model_version for v in known.versions if v.state == State.READY]
    if len(ready) == 1:
        return ready[0]
    if not ready and known.active is not None:
        return known.active.model_version
    states = ", ".join(f"{v.model_version} ({v.state})" for v in known.versions) or "none"
    raise WrongState(
        f"{verb}: which version of {here.collection}?", hint=f"Name it. There is: {states}."
    )


def _as_data(made: Evaluation) -> dict[str, Any]:
    return {
        "evaluation_id": made.evaluation_id,
        "collection": made.collection,
        "model_version": made.model_version,
        "baseline_version": made.baseline_version,
        "kind": made.kind,
        "at": made.at,
        "queries": made.queries,
        "metrics": made.metrics,
        "baseline": made.baseline,
        "significance": made.detail.get("significance", {}),
        "intervals": made.detail.get("intervals", {}),
        "thresholds": made.detail.get("thresholds", []),
        "asked_thresholds": made.detail.get("asked_thresholds", []),
    }


def _table(made: Evaluation) -> Table:
    from pgvec_versions.evaluation.report import metric_rows

    table = Table(
        title=f"{made.collection}: {made.queries} {made.kind.replace('_', '-')} queries",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for column in ("", made.baseline_version or "–", made.model_version, "difference"):
        table.add_column(column, justify="left" if not column else "right")
    for row in metric_rows(made):
        table.add_row(row.title, row.before, row.after, row.difference)
    return table


def _gate_lines(said: dict[str, Any]) -> list[str]:
    from pgvec_versions.evaluation.bounds import failure_text

    if not said["gated"]:
        return [f"{said['collection']} has no gate (pgvec gate --require …)."]
    if said["passed"]:
        return [f"the gate lets {said['model_version']} through."]
    return [
        f"the gate stops {said['model_version']}:",
        *(f"  - {failure_text(failure)}" for failure in said["failures"]),
    ]


def _gate_data(found: Gate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {name: getattr(found, name) for name in type(found).__slots__}


def _gate_text(name: str, found: Gate | None) -> str:
    from pgvec_versions.evaluation.bounds import written_bounds

    if found is None:
        return f"{name} has no gate: a cut-over needs no evaluation."
    days = f"{found.max_age.total_seconds() / 86400:g} days"
    return (
        f"{name}: a cut-over needs an evaluation not older than {days}, resting on at least "
        f"{found.min_queries} {'labelled ' if found.labelled else ''}queries, with "
        + ", ".join(written_bounds(found.bounds))
        + f". Set by {found.set_by} at {found.set_at:%Y-%m-%d %H:%M}."
    )


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(evaluate)
    app.command()(gate)
    app.command()(report)
