"""``pgvec upgrade``."""

from __future__ import annotations

from typing import Annotated

import psycopg
import typer
from rich.filesize import decimal

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    MAX_ATTEMPTS,
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    LagOption,
    MaxAttemptsOption,
    RateOption,
    SessionsOption,
    need_positive,
    throttle_of,
)
from pgvec_versions.cli.printing import emit, messages
from pgvec_versions.cli.progress import Stopper, duration, progress_bar, say_waiting
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.embedders import require_same
from pgvec_versions.errors import ConfigError, GateRefused, WrongState
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State
from pgvec_versions.upgrade.estimates import LARGEST_GRAPH
from pgvec_versions.upgrade.rehearsal import Rehearsal, rehearse
from pgvec_versions.upgrade.transition import Progress as Step
from pgvec_versions.upgrade.transition import Transition


def upgrade(
    cut_over: Annotated[
        bool, typer.Option("--cut-over", help="Cut over when the version is ready.")
    ] = False,
    m: Annotated[int, typer.Option(help="HNSW m: links of an element.")] = 16,
    ef_construction: Annotated[
        int, typer.Option(help="HNSW ef_construction: candidates while building.")
    ] = 64,
    max_attempts: MaxAttemptsOption = MAX_ATTEMPTS,
    rows_per_second: RateOption = None,
    max_lag_mb: LagOption = None,
    max_active_sessions: SessionsOption = None,
    without_active: Annotated[
        bool,
        typer.Option(
            "--without-active-embedder",
            help="Go on although pgvec.toml has no embedder for the active version.",
        ),
    ] = False,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the version named in pgvec.toml until it is ready.

    Registers it, embeds every chunk, builds the index and checks it, while your app goes on. You
    can stop and repeat the command: it continues where it stopped. --dry-run checks all that the
    upgrade would check, embeds a few texts with the new model, and says how long it will take.
    """
    with (
        workplace(database_url, config, collection, embedded=embedded, works_as="upgrade") as here,
        Stopper() as stopper,
    ):
        name = here.collection
        wanted = here.config.collection(name)
        label = wanted.model_version
        # The dry run and the upgrade itself check the same up to here.
        made = Transition(
            here.engine,
            name,
            label,
            here.embedder(label),
            m=m,
            ef_construction=ef_construction,
            max_attempts=need_positive(max_attempts, "--max-attempts"),
            throttle=throttle_of(rows_per_second, max_lag_mb, max_active_sessions),
            on_wait=say_waiting,
        )
        state, previous = made.state, None
        if state in (State.DRAINING, State.RETIRED, State.ABANDONED):
            raise _too_late(here, label, state)
        if state != State.ACTIVE and not without_active:
            _need_active_embedder(here, label)
        _set_retire_after(here, wanted.retire_after, keep=not dry)
        if dry:
            stopper.orderly = False
            _print_plan(here, made, state, cut_over, rows_per_second, as_json)
            return
        if state == State.ACTIVE:
            text = f"{name} is on {label} already: nothing to do."
        else:
            if not as_json:
                _say_size(made)
            state = _prepare(made, stopper, as_json)
            stopper.check(here.command("upgrade", *(["--cut-over"] if cut_over else [])))
            text = f"{label} of {name} is {state}. Next: {here.command('cut-over', label)}"
            if cut_over and state == State.READY:
                previous = made.cut_over()
                state = State.ACTIVE
                text = f"{name} is on {label}."
                if previous:
                    text += (
                        f" {previous} drains for {wanted.retire_after}; "
                        f"to go back: {here.command('roll-back', previous)}"
                    )
    emit(
        {"collection": name, "model_version": label, "state": str(state), "previous": previous},
        as_json,
        text,
    )


def _need_active_embedder(here: Workplace, label: str) -> None:
    """Checks that pgvec.toml has the embedder of the active version, and that it is the same.

    Without it, nothing can be searched or added from here until the cut-over.
    Raises: ConfigError, EmbedderMismatch.
    """
    with autocommitted(here.engine) as raw:
        active = read_collection(raw, here.collection).active
    # Without a recorded identity, other clients fill and ask that version.
    if active is None or active.model_version == label or not active.embedder:
        return
    if active.model_version not in here.config.collection(here.collection).embedders:
        raise ConfigError(
            f"{here.config.path} has no embedder for {active.model_version}, the active version "
            f"of {here.collection}: until the cut-over, nothing can be searched or added with it.",
            hint=f"Add it under [collections.{here.collection}.previous]. If that model is gone, "
            "or only others use it: --without-active-embedder.",
            detail={"collection": here.collection, "model_version": active.model_version},
        )
    require_same(
        active.embedder,
        here.embedder(active.model_version).identity,
        collection=here.collection,
        model_version=active.model_version,
        equivalents=active.equivalents,
    )


def _too_late(here: Workplace, label: str, state: State | None) -> WrongState:
    back = "Choose a new label in pgvec.toml."
    if state == State.DRAINING:
        back = f"To go back to it: {here.command('roll-back', label)}"
    return WrongState(f"{here.collection}: pgvec.toml names {label}, which is {state}.", hint=back)


def _prepare(made: Transition, stopper: Stopper, as_json: bool) -> State:
    """Brings the version to ready, with a progress bar, unless a signal stops it before."""
    with progress_bar(as_json) as show:

        def on_progress(step: Step) -> None:
            # The server builds the index in one statement: only an interrupt stops it.
            stopper.orderly = step.step != "build index" or step.done > 0
            show(step)

        return made.prepare(on_progress, stopper.event)


def _say_size(made: Transition) -> None:
    """Says what the upgrade will take. Of a first version nothing is known."""
    size = made.estimate()
    if not size["chunks"]:
        return
    disk, graph = size["leaf_bytes"] + size["index_bytes"], size["graph_bytes"]
    messages.print(
        f"{made.model_version}: about {size['chunks']:,} chunks, {decimal(disk)} of disk."
    )
    if graph > LARGEST_GRAPH:
        messages.print(
            f"The index's graph needs {decimal(graph)} of memory, it gets "
            f"{decimal(LARGEST_GRAPH)}: the build will be several times slower. With more memory: "
            "SELECT pgvec.build_index(…, maintenance_work_mem => '…')."
        )


def _print_plan(
    here: Workplace,
    made: Transition,
    state: State | None,
    cut_over: bool,
    rows_per_second: float | None,
    as_json: bool,
) -> None:
    """Prints the steps that are left, how long they take, and what no earlier step removes.

    Exits with the code that the upgrade itself would end with.
    """
    if state == State.ACTIVE:
        print_plan([], [], as_json)
        return
    found = rehearse(made, rows_per_second)
    exit_code = found.refusal.exit_code if found.refusal else GateRefused.exit_code
    does, blocks = [*found.does, *_how_long(found)], list(found.in_the_way)
    if cut_over:
        does.append(f"cuts {made.collection} over to {made.model_version}")
        blocks += _gate_in_the_way(here, made.model_version, state)
    figures = {
        "size": found.size,
        "chunks": found.chunks,
        "chunks_per_second": found.rate,
        "embedding_seconds": found.embedding_seconds,
        "index_seconds": found.index_seconds,
    }
    print_plan(does, blocks, as_json, exit_code=exit_code, figures={"estimate": figures})


def _how_long(found: Rehearsal) -> list[str]:
    if not found.chunks or found.rate is None or found.embedding_seconds is None:
        return []
    disk = decimal(found.size["leaf_bytes"] + found.size["index_bytes"])
    index = (
        "the index build comes on top"
        if found.index_seconds is None
        else f"then {duration(found.index_seconds)} for the index, by the speed of the last build"
    )
    return [
        f"takes about {duration(found.embedding_seconds)} for {found.chunks:,} chunks with one "
        f"worker ({found.rate:,.3g} a second, measured with {found.texts} texts), {index}; "
        f"{disk} of disk"
    ]


def _gate_in_the_way(here: Workplace, label: str, state: State | None) -> list[str]:
    """What the gate would say at the cut-over of this run."""
    from pgvec_versions.evaluation.bounds import failure_text
    from pgvec_versions.evaluation.records import check_gate, read_gate

    if state is not None:
        verdict = check_gate(here.engine, here.collection, label)
        return [f"the gate stops {label}: {failure_text(f)}" for f in verdict["failures"]]
    if read_gate(here.engine, here.collection) is None:
        return []
    return [
        f"the gate of {here.collection} needs an evaluation of {label} before the cut-over: "
        "leave out --cut-over, evaluate it, then cut over"
    ]


def _set_retire_after(here: Workplace, retire_after: str, *, keep: bool) -> None:
    """Gives the collection the file's ``retire_after``. Without ``keep``, only tries to."""
    with transaction(here.engine) as raw:
        require_catalog(raw)
        read_collection(raw, here.collection)
        raw.execute(
            sqlfiles.query("set_retire_after"),
            {"collection": here.collection, "retire_after": retire_after},
        )
        if not keep:
            raise psycopg.Rollback
