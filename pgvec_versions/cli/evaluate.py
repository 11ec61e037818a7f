"""``pgvec evaluate``, ``pgvec gate`` and ``pgvec report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.options import (
    CandidateArgument,
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.plain import print_text
from pgvec_versions.cli.printing import console, emit, print_lines
from pgvec_versions.cli.progress import progress_bar
from pgvec_versions.cli.workplace import Workplace, version_states, workplace
from pgvec_versions.errors import GateRefused, InvalidArgument, WrongState
from pgvec_versions.new_files import write_text
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State

if TYPE_CHECKING:
    from pgvec_versions.evaluation.records import Evaluation, Gate


def evaluate(
    version: CandidateArgument = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            help='JSONL file of queries: {"query": "…", "documents": ["…"]}. Without it, sentences '
            "of the chunks are the queries."
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(help="Number of sentences to take, without --queries.")
    ] = 200,
    k: Annotated[int, typer.Option("-k", help="Number of hits that count.")] = 10,
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            help="Distance in the active version to translate to the new one; repeatable."
        ),
    ] = None,
    seed: Annotated[
        str, typer.Option(help="Seed of the sample: the same one takes the same chunks.")
    ] = "1",
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a version against the active one; queries are not affected.

    Nothing is routed, and no lock is held while a model runs.
    """
    from pgvec_versions.evaluation.measure import evaluate as measure
    from pgvec_versions.evaluation.power import proof
    from pgvec_versions.evaluation.queries import load_queries
    from pgvec_versions.evaluation.records import check_gate

    asked = load_queries(queries) if queries is not None else None
    with (
        workplace(database_url, config, collection, embedded=embedded) as here,
        progress_bar(as_json) as show,
    ):
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
        verdict = check_gate(here.engine, here.collection, label)
        lines = [here.with_collection(line) for line in _gate_lines(verdict)]
    proven = proof(made)
    sentences = list(proven.sentences) if proven else []
    if as_json:
        emit({**_as_data(made), "proof": sentences, "gate": verdict}, True)
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
    if sentences:
        console.print(" ".join(sentences))
    print_lines(lines)


def gate(
    require: Annotated[
        list[str] | None,
        typer.Option(
            help="Bound, such as 'recall@10>=0.95' or 'ndcg@10>=active-0.01'; repeatable."
        ),
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option(help="Age that the evaluation may have.", show_default="7 days"),
    ] = None,
    min_queries: Annotated[
        int | None,
        typer.Option(help="Number of queries that it must have asked.", show_default="20"),
    ] = None,
    labelled: Annotated[
        bool | None,
        typer.Option(
            "--labelled/--any-queries",
            help="Accept labelled queries only.",
            show_default="--any-queries",
        ),
    ] = None,
    max_changed: Annotated[
        float | None,
        typer.Option(
            help="Share of chunks that may have changed since, 0 to 1.", show_default="0.1"
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the gate.")] = False,
    check: Annotated[
        str | None, typer.Option(help="Version to check now; exits with 3 if the gate stops it.")
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set the bounds that a version must meet before a cut-over.

    New bounds replace all old ones. An option that you do not give keeps its value.
    """
    from pgvec_versions.evaluation import bounds, records

    options: dict[str, Any] = {
        "max_age": max_age,
        "min_queries": min_queries,
        "labelled": labelled,
        "max_changed": max_changed,
    }
    setting = bool(require) or any(value is not None for value in options.values())
    if sum((setting, remove, check is not None)) > 1:
        raise InvalidArgument(
            "gate takes one of --require, --remove and --check.",
            hint="The other options go with --require.",
        )
    replaced: Gate | None = None
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name, engine = here.collection, here.engine
        if check is not None:
            verdict = records.check_gate(engine, name, check)
            if not verdict["passed"]:
                failures = "; ".join(bounds.failure_text(f) for f in verdict["failures"])
                raise GateRefused(f"the gate of {name} stops {check}: {failures}.", detail=verdict)
            emit(verdict, as_json, [here.with_collection(line) for line in _gate_lines(verdict)])
            return
        if remove:
            removed = records.drop_gate(engine, name)
            text = f"the gate of {name} is gone." if removed else f"{name} had no gate."
            emit({"collection": name, "removed": removed}, as_json, text)
            return
        if setting:
            new = bounds.parse_bounds(require) if require else None
            if new is None and records.read_gate(engine, name) is None:
                raise InvalidArgument(
                    f"{name} has no gate yet, so it needs bounds.",
                    hint="Give one or more, such as --require 'recall@10>=0.95'.",
                )
            replaced = records.set_gate(engine, name, new, **options)
        found = records.read_gate(engine, name)
    data: dict[str, Any] = {"collection": name, "gate": _gate_data(found)}
    lines = [_gate_text(name, found)]
    if setting:
        data["replaced"] = _gate_data(replaced)
        lines += [] if replaced is None else [f"it replaces: {_gate_terms(replaced)}"]
    emit(data, as_json, lines)


def report(
    version: CandidateArgument = None,
    html: Annotated[Path | None, typer.Option(help="File for the report as one HTML page.")] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="File for the report as Markdown; without either, it is printed."),
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a report on a version's newest evaluation."""
    from pgvec_versions.evaluation.power import proof
    from pgvec_versions.evaluation.report import as_html, as_markdown, gather

    with workplace(database_url, config, collection, embedded=embedded) as here:
        label = version or _candidate(here, "report", evaluated=True)
        gathered = gather(here.engine, here.collection, label)
    written: list[str] = []
    for path, render in ((html, as_html), (markdown, as_markdown)):
        if path is not None:
            write_text(path, render(gathered))
            written.append(str(path))
    proven = proof(gathered.evaluation)
    data = {
        "collection": gathered.collection,
        "model_version": label,
        "verdict": gathered.verdict.word,
        "because": list(gathered.verdict.because),
        "proof": list(proven.sentences) if proven else [],
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
    """The version that was not named: the only ready one, else the active one.

    ``evaluated``: the one that was evaluated last, if there is one.
    """
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
    raise WrongState(
        f"{verb}: which version of {here.collection}?",
        hint=f"Name it. Versions: {version_states(known)}.",
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
    from pgvec_versions.evaluation.metric_table import metric_rows

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


def _gate_lines(verdict: dict[str, Any]) -> list[str]:
    from pgvec_versions.evaluation.bounds import failure_text

    if not verdict["gated"]:
        return [f"{verdict['collection']} has no gate (pgvec gate --require …)."]
    if verdict["passed"]:
        return [f"the gate lets {verdict['model_version']} through."]
    return [
        f"the gate stops {verdict['model_version']}:",
        *(f"  - {failure_text(failure)}" for failure in verdict["failures"]),
    ]


def _gate_data(found: Gate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {name: getattr(found, name) for name in type(found).__slots__}


def _gate_text(name: str, found: Gate | None) -> str:
    if found is None:
        return f"{name} has no gate: a cut-over needs no evaluation."
    return f"{name}: a cut-over needs {_gate_terms(found)}"


def _gate_terms(found: Gate) -> str:
    from pgvec_versions.evaluation.bounds import written_bounds

    days = f"{found.max_age.total_seconds() / 86400:g} days"
    return (
        f"an evaluation not older than {days}, resting on at least "
        f"{found.min_queries} {'labelled ' if found.labelled else ''}queries, with at most "
        f"{found.max_changed:.0%} of the chunks changed since, and with "
        + ", ".join(written_bounds(found.bounds))
        + f". Set by {found.set_by} at {found.set_at:%Y-%m-%d %H:%M}."
    )
