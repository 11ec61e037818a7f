"""``pgvec upgrade``, ``cut-over``, ``roll-back`` and ``abandon``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from pgvec_versions import sqlfiles
from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    Stopper,
    UrlOption,
    Workplace,
    emit,
    progress_bar,
    workplace,
)
from pgvec_versions.database import autocommitted, transaction
from pgvec_versions.errors import ConfigError, WrongState
from pgvec_versions.install import require_catalog
from pgvec_versions.states import State
from pgvec_versions.transition import Progress as Step
from pgvec_versions.transition import Transition, abandon, roll_back

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
        _set_retire_after(here, wanted.retire_after)
        made = Transition(
            here.engine,
            name,
            label,
            here.embedder(label),
            m=m,
            ef_construction=ef_construction,
            max_attempts=max_attempts,
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
    with workplace(database_url, config, collection) as here:
        name = here.collection
        label = version or _only_ready(here)
        options: dict[str, Any] = {
            "lock_timeout": timedelta(milliseconds=lock_timeout_ms),
            "attempts": attempts,
            "force": force,
            "reason": reason,
        }
        configured = here.config.collections.get(name)
        if configured is not None and label in configured.embedders:
            made = Transition(here.engine, name, label, here.embedder(label))
            previous = made.cut_over(**options)
        else:
            # Filled by another client: there is no embedder of ours to drain with.
            with transaction(here.engine) as raw:
                row = raw.execute(
                    sqlfiles.query("cut_over"),
                    {"collection": name, "model_version": label, **options},
                ).fetchone()
            previous = row[0] if row else None
    emit(
        {"collection": name, "active": label, "previous": previous},
        as_json,
        f"{name} is on {label}."
        + (f" {previous} drains; pgvec roll-back goes back to it." if previous else ""),
    )


def _only_ready(here: Workplace) -> str:
    with autocommitted(here.engine) as raw:
        known = read_collection(raw, here.collection)
    ready = [v.model_version for v in known.versions if v.state == State.READY]
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
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Route queries back to the version that was active last. No row is rewritten."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
        try:
            embedders = here.embedders()
        except ConfigError:
            embedders = {}
        label = roll_back(here.engine, name, embedders, allow_missing=allow_missing)
    emit({"collection": name, "active": label}, as_json, f"{name} is back on {label}.")


def abandon_verb(
    version: Annotated[str, typer.Argument(help="The version to give up.")],
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up a version that was never active. Its label is not used again."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
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
