"""``pgvec upgrade``."""

from __future__ import annotations

from typing import Annotated

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
    throttle_of,
)
from pgvec_versions.cli.printing import emit, messages
from pgvec_versions.cli.progress import Stopper, progress_bar, say_waiting
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.errors import UnknownVersion, WrongState
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State
from pgvec_versions.upgrade.estimates import LARGEST_GRAPH
from pgvec_versions.upgrade.preview import preview
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
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the version named in pgvec.toml until it is ready.

    Registers it, embeds every chunk, builds the index and checks it, while your app goes on. You
    can stop and repeat the command: it continues where it stopped.
    """
    with (
        workplace(database_url, config, collection, embedded=embedded) as here,
        Stopper() as stopper,
    ):
        name = here.collection
        wanted = here.config.collection(name)
        label = wanted.model_version
        if dry:
            _print_plan(here, label, cut_over, as_json)
            return
        _set_retire_after(here, wanted.retire_after)
        made = Transition(
            here.engine,
            name,
            label,
            here.embedder(label),
            m=m,
            ef_construction=ef_construction,
            max_attempts=max_attempts,
            throttle=throttle_of(rows_per_second, max_lag_mb, max_active_sessions),
            on_wait=say_waiting,
        )
        state, previous = made.state, None
        if state in (State.DRAINING, State.RETIRED, State.ABANDONED):
            raise _too_late(name, label, state)
        if state == State.ACTIVE:
            text = f"{name} is on {label} already: nothing to do."
        else:
            if not as_json:
                _say_size(made)
            state = _prepare(made, stopper, as_json)
            stopper.check("pgvec upgrade" + (" --cut-over" if cut_over else ""))
            text = f"{label} of {name} is {state}. Next: pgvec cut-over."
            if cut_over and state == State.READY:
                previous = made.cut_over()
                state = State.ACTIVE
                text = f"{name} is on {label}."
                if previous:
                    text += f" {previous} drains for {wanted.retire_after}."
    emit(
        {"collection": name, "model_version": label, "state": str(state), "previous": previous},
        as_json,
        text,
    )


def _too_late(collection: str, label: str, state: State | None) -> WrongState:
    back = "Choose a new label in pgvec.toml."
    if state == State.DRAINING:
        back = "Go back to it with: pgvec roll-back."
    return WrongState(f"{collection}: pgvec.toml names {label}, which is {state}.", hint=back)


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


def _print_plan(here: Workplace, label: str, cut_over: bool, as_json: bool) -> None:
    """Prints the steps that are left, and the obstacles that no earlier step removes."""
    engine, name = here.engine, here.collection
    with autocommitted(engine) as raw:
        require_catalog(raw)
        known = read_collection(raw, name)
    try:
        state = known.version(label).state
    except UnknownVersion:
        state = None
    does: list[str] = []
    blocks: list[str] = []
    if state is None:
        found = preview(engine, "register_version", name, label)
        does += found.does
        blocks += found.in_the_way
        does += [f"embeds every chunk of {known.active.model_version}"] if known.active else []
        does += ["builds the index", "checks every row and makes it ready"]
    elif state in (State.BUILDING, State.READY):
        for verb in ("plan_backfill", "build_index", "make_ready"):
            found = preview(engine, verb, name, label)
            does += found.does
            for line, detail in zip(
                found.in_the_way, found.details[len(found.does) :], strict=True
            ):
                if detail.keys() & {"paused_at", "set_aside"} and line not in blocks:
                    blocks.append(line)
    elif state != State.ACTIVE:
        blocks.append(f"{label} is {state}")
    if cut_over and state in (None, State.BUILDING, State.READY):
        does.append(f"cuts {name} over to {label}")
    print_plan(does, blocks, as_json)


def _set_retire_after(here: Workplace, retire_after: str) -> None:
    with transaction(here.engine) as raw:
        require_catalog(raw)
        read_collection(raw, here.collection)
        raw.execute(
            sqlfiles.query("set_retire_after"),
            {"collection": here.collection, "retire_after": retire_after},
        )
