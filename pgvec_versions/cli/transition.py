"""``pgvec upgrade``, ``cut-over``, ``roll-back`` and ``abandon``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    Stopper,
    UrlOption,
    Workplace,
    emit,
    messages,
    need_positive,
    progress_bar,
    workplace,
)
from pgvec_versions.cli.control import (
    DryRunOption,
    LagOption,
    RateOption,
    SessionsOption,
    dry_run,
    plan,
    throttle_of,
)
from pgvec_versions.errors import (
    ConfigError,
    GateRefused,
    NotReady,
    Paused,
    UnknownVersion,
    WrongState,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State
from pgvec_versions.upgrade.estimates import LARGEST_GRAPH
from pgvec_versions.upgrade.preview import Preview, preview, wait_until_ready
from pgvec_versions.upgrade.transition import Progress as Step
from pgvec_versions.upgrade.transition import Transition, abandon, roll_back

__all__ = ["register"]

_RESUME = "pgvec upgrade"


def upgrade(
    cut_over: Annotated[
        bool, typer.Option("--cut-over", help="Go on through the cut-over.")
    ] = False,
    m: Annotated[int, typer.Option(help="HNSW: neighbours of an element.")] = 16,
    ef_construction: Annotated[int, typer.Option(help="HNSW: candidates while building.")] = 64,
    max_attempts: Annotated[
        int, typer.Option(help="Failures of a work item before it is set aside.")
    ] = 3,
    rows_per_second: RateOption = None,
    max_lag_mb: LagOption = None,
    max_active_sessions: SessionsOption = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the collection to the version that pgvec.toml names."""
    with workplace(database_url, config, collection) as here, Stopper() as stopper:
        name = here.collection
        wanted = here.config.collection(name)
        label = wanted.model_version
        if dry:
            _dry_upgrade(here, label, cut_over, as_json)
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
        )
        state, previous = made.state, None
        if state in (State.DRAINING, State.RETIRED, State.ABANDONED):
            back = (
                "Go back to it with: pgvec roll-back."
                if state == State.DRAINING
                else "Choose a new label in pgvec.toml."
            )
            raise WrongState(f"{name}: pgvec.toml names {label}, which is {state}.", hint=back)
        if state != State.ACTIVE:
            if not as_json:
                _say_size(made)
            with progress_bar(as_json) as show:

                def on_progress(step: Step) -> None:
                    # The index is built by the server in one statement: only an interrupt stops it.
                    stopper.orderly = step.step != "build index" or step.done > 0
                    show(step)

                state = made.prepare(on_progress, stopper.event)
                stopper.check(_RESUME + (" --cut-over" if cut_over else ""))
            if cut_over and state == State.READY:
                previous = made.cut_over()
                state = State.ACTIVE
                text = f"{name} is on {label}." + (
                    f" {previous} drains for {wanted.retire_after}." if previous else ""
                )
            else:
                text = f"{label} of {name} is {state}. Next: pgvec cut-over."
        else:
            text = f"{name} is on {label} already: nothing to do."
    emit(
        {"collection": name, "model_version": label, "state": str(state), "previous": previous},
        as_json,
        text,
    )


def _say_size(made: Transition) -> None:
    """What it will take, before it starts; of a first version nothing is known."""
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


def _dry_upgrade(here: Workplace, label: str, cut_over: bool, as_json: bool) -> None:
    """The steps that are left, one after the other, and what no step of its own would mend."""
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
    plan(does, blocks, as_json)


def _set_retire_after(here: Workplace, retire_after: str) -> None:
    with transaction(here.engine) as raw:
        require_catalog(raw)
        read_collection(raw, here.collection)
        raw.execute(
            sqlfiles.query("set_retire_after"),
            {"collection": here.collection, "retire_after": retire_after},
        )


def cut_over(
    version: Annotated[
        str | None, typer.Argument(help="The version; may be left out if only one is ready.")
    ] = None,
    lock_timeout_ms: Annotated[
        int, typer.Option(help="How long one try may keep readers waiting.")
    ] = 200,
    attempts: Annotated[int, typer.Option(help="Tries before giving up.")] = 20,
    longest_pause_ms: Annotated[
        int, typer.Option(help="How long writers may wait while the last work items are drained.")
    ] = 5000,
    when_ready: Annotated[
        bool, typer.Option("--when-ready", help="Wait until nothing is in the way, then cut over.")
    ] = False,
    timeout_s: Annotated[
        float | None, typer.Option(help="With --when-ready: give up after that; never, without.")
    ] = None,
    dry: DryRunOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Through the gate all the same; needs --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it is recorded.")] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Route queries to a ready version, in one transaction. The version before it drains."""
    need_positive(longest_pause_ms, "--longest-pause-ms")
    with workplace(database_url, config, collection) as here:
        name = here.collection
        label = version or _only_ready(here, building_too=when_ready or dry)
        if dry:
            dry_run(here, "cut_over", as_json, label, force=force)
            return
        options: dict[str, Any] = {
            "lock_timeout": timedelta(milliseconds=lock_timeout_ms),
            "attempts": attempts,
            "force": force,
            "reason": reason,
        }
        configured = here.config.collections.get(name)
        ours = configured is not None and label in configured.embedders

        def go() -> str | None:
            if ours:
                made = Transition(here.engine, name, label, here.embedder(label))
                return made.cut_over(
                    **options, longest_pause=timedelta(milliseconds=longest_pause_ms)
                )
            # Filled by another client: there is no embedder of ours to drain with.
            with transaction(here.engine) as raw:
                row = raw.execute(
                    sqlfiles.query("cut_over"),
                    {"collection": name, "model_version": label, **options},
                ).fetchone()
            return row[0] if row else None

        previous = _patient(here, label, timeout_s, ours, force, go) if when_ready else go()
    emit(
        {"collection": name, "active": label, "previous": previous},
        as_json,
        f"{name} is on {label}."
        + (f" {previous} drains; pgvec roll-back goes back to it." if previous else ""),
    )


def _patient(
    here: Workplace,
    label: str,
    timeout_s: float | None,
    ours: bool,
    force: bool,
    go: Callable[[], str | None],
) -> str | None:
    """Waits for the cut-over to be possible, and again when it was not after all."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    told: list[tuple[str, ...]] = []

    def on_wait(found: Preview) -> None:
        if found.in_the_way not in told[-1:]:
            told.append(found.in_the_way)
            messages.print(f"waiting: {'; '.join(found.in_the_way)}")

    with Stopper() as stopper:
        while True:
            left = None if deadline is None else timedelta(seconds=deadline - time.monotonic())
            if not wait_until_ready(
                here.engine,
                here.collection,
                label,
                timeout=left,
                stop=stopper.event,
                open_items_too=ours,
                on_wait=on_wait,
                force=force,
            ):
                stopper.check(f"pgvec cut-over {label} --when-ready")
            try:
                return go()
            except (GateRefused, NotReady, Paused):
                if left is not None and left.total_seconds() <= 0:
                    raise
                stopper.event.wait(1.0)


def _only_ready(here: Workplace, *, building_too: bool = False) -> str:
    with autocommitted(here.engine) as raw:
        known = read_collection(raw, here.collection)
    ready = [v.model_version for v in known.versions if v.state == State.READY]
    if building_too and not ready:
        ready = [v.model_version for v in known.versions if v.state == State.BUILDING]
    if len(ready) == 1:
        return ready[0]
    states = ", ".join(f"{v.model_version} ({v.state})" for v in known.versions) or "none"
    raise WrongState(
        f"cut-over: {here.collection} has no version that is ready."
        if not ready
        else f"cut-over: which one? Ready are {', '.join(ready)}.",
        hint=f"Versions: {states}. Make one ready with: pgvec upgrade."
        if not ready
        else "Name it.",
        detail={"collection": here.collection, "ready": ready},
    )


def roll_back_verb(
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Go back at once, even if chunks written since are still missing there.",
        ),
    ] = False,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Route queries back to the version that was active last. No row is rewritten."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
        if dry:
            dry_run(here, "roll_back", as_json)
            return
        try:
            embedders = here.embedders()
        except ConfigError:
            embedders = {}
        label = roll_back(here.engine, name, embedders, allow_missing=allow_missing)
    emit({"collection": name, "active": label}, as_json, f"{name} is back on {label}.")


def abandon_verb(
    version: Annotated[str, typer.Argument(help="The version to give up.")],
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up a version that was never active. Its label is not used again."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
        if dry:
            dry_run(here, "abandon", as_json, version)
            return
        abandon(here.engine, name, version)
    emit(
        {"collection": name, "abandoned": version},
        as_json,
        f"{version} of {name} is abandoned; its leaf goes with the next pgvec retire.",
    )


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command(
        help="Bring the collection to the version that pgvec.toml names: "
        "to ready, and with --cut-over through it."
    )(upgrade)
    app.command("cut-over")(cut_over)
    app.command("roll-back")(roll_back_verb)
    app.command("abandon")(abandon_verb)
