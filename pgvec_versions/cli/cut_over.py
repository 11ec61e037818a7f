"""``pgvec cut-over``, ``pgvec roll-back`` and ``pgvec abandon``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import typer

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.dry_run import print_preview
from pgvec_versions.cli.options import (
    BackArgument,
    CandidateArgument,
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    ReasonOption,
    TakeOverOption,
    VersionArgument,
    need_positive,
)
from pgvec_versions.cli.printing import emit, messages
from pgvec_versions.cli.progress import Stopper, say_waiting
from pgvec_versions.cli.workplace import Workplace, version_states, workplace
from pgvec_versions.errors import ConfigError, GateRefused, NotReady, Paused, WrongState
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.locks import unlimited
from pgvec_versions.postgres.notices import heard
from pgvec_versions.postgres.rows import read_rows, read_value
from pgvec_versions.states import State
from pgvec_versions.upgrade import transition
from pgvec_versions.upgrade.preview import Preview, wait_until_ready

#: Between two attempts of --when-ready. Units: seconds.
_POLL_SECONDS = 1.0


def cut_over(
    version: CandidateArgument = None,
    lock_timeout_ms: Annotated[
        int, typer.Option(help="Milliseconds that readers may wait for one attempt.")
    ] = 200,
    attempts: Annotated[int, typer.Option(help="Attempts before it gives up.")] = 20,
    longest_pause_ms: Annotated[
        int, typer.Option(help="Milliseconds that writers may wait for the last work items.")
    ] = 5000,
    when_ready: Annotated[
        bool, typer.Option("--when-ready", help="Wait until nothing is in the way, then cut over.")
    ] = False,
    timeout_s: Annotated[
        float | None,
        typer.Option(help="Seconds that --when-ready waits; without it, there is no limit."),
    ] = None,
    dry: DryRunOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Cut over even if the gate refuses; needs --reason.")
    ] = False,
    reason: ReasonOption = None,
    take_over: TakeOverOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Route queries to a ready version, in one transaction.

    The previous version drains: it stays for its grace period, and you can roll back to it.
    """
    need_positive(longest_pause_ms, "--longest-pause-ms")
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        label = version or _only_ready(here, building_too=when_ready or dry)
        if dry:
            print_preview(here, "cut_over", as_json, label, force=force)
            return
        options: dict[str, Any] = {
            "lock_timeout": timedelta(milliseconds=lock_timeout_ms),
            "attempts": attempts,
            "force": force,
            "reason": reason,
        }
        configured = here.config.collections.get(name)
        ours = configured is not None and label in configured.embedders

        def attempt() -> str | None:
            if ours:
                made = transition.Transition(
                    here.engine,
                    name,
                    label,
                    here.embedder(label),
                    on_wait=lambda wait: say_waiting(
                        wait, f"To take them over now: pgvec cut-over {label} --take-over."
                    ),
                    take_over=take_over,
                )
                return made.cut_over(
                    **options, longest_pause=timedelta(milliseconds=longest_pause_ms)
                )
            # Another client filled it: we have no embedder for the last work items.
            with unlimited(here.engine) as raw, heard(raw, say_waiting):
                return read_value(
                    raw,
                    sqlfiles.query("cut_over"),
                    {"collection": name, "model_version": label, **options},
                )

        previous = (
            _cut_over_when_ready(here, label, timeout_s, ours, force, attempt)
            if when_ready
            else attempt()
        )
        text = f"{name} is on {label}."
        if previous:
            text += f" {previous} drains; to go back: {here.command('roll-back', previous)}"
    emit({"collection": name, "active": label, "previous": previous}, as_json, text)


def _cut_over_when_ready(
    here: Workplace,
    label: str,
    timeout_s: float | None,
    ours: bool,
    force: bool,
    attempt: Callable[[], str | None],
) -> str | None:
    """Waits until nothing is in the way and attempts it; waits again if something came up."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    shown: tuple[str, ...] | None = None

    def on_wait(found: Preview) -> None:
        nonlocal shown
        if found.in_the_way != shown:
            shown = found.in_the_way
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
                stopper.check(here.command("cut-over", label, "--when-ready"))
            try:
                return attempt()
            except (GateRefused, NotReady, Paused):
                if left is not None and left.total_seconds() <= 0:
                    raise
                stopper.event.wait(_POLL_SECONDS)


def _only_ready(here: Workplace, *, building_too: bool = False) -> str:
    with autocommitted(here.engine) as raw:
        known = read_collection(raw, here.collection)
    ready = [v.model_version for v in known.versions if v.state == State.READY]
    if building_too and not ready:
        ready = [v.model_version for v in known.versions if v.state == State.BUILDING]
    if len(ready) == 1:
        return ready[0]
    raise WrongState(
        f"cut-over: {here.collection} has no version that is ready."
        if not ready
        else f"cut-over: which one? Ready are {', '.join(ready)}.",
        hint=f"Versions: {version_states(known)}. To make one ready: {here.command('upgrade')}"
        if not ready
        else "Name it.",
        detail={"collection": here.collection, "ready": ready},
    )


def _previous(here: Workplace, toggle: bool) -> str | None:
    """The version to go back to, or None without one. Asks before it undoes a roll-back."""
    with autocommitted(here.engine) as raw:
        (found,) = read_rows(
            raw, sqlfiles.query("roll_back_target"), {"collection": here.collection}
        )
    if not found.undoes or toggle:
        return found.label
    undone = f"roll-back: {here.collection} was rolled back from {found.label} before"
    if sys.stdin.isatty() and typer.confirm(f"{undone}. Make it active again?", err=True):
        return found.label
    raise WrongState(
        f"{undone}, and this would make it active again. Nothing was changed.",
        hint=f"If you want that, give --toggle, or: {here.command('roll-back', found.label)}",
        detail={"collection": here.collection, "model_version": found.label},
    )


def roll_back(
    version: BackArgument = None,
    toggle: Annotated[
        bool,
        typer.Option("--toggle", help="Without VERSION: also undo an earlier roll-back."),
    ] = False,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Go back at once, even if that version still lacks chunks written since.",
        ),
    ] = False,
    take_over: TakeOverOption = False,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Route queries back to the version that was active last, or to VERSION.

    With VERSION you can repeat it: if that version is active already, nothing happens. Without
    VERSION it asks before it undoes an earlier roll-back, or needs --toggle where it cannot ask.
    No row is rewritten. Chunks that were written since are embedded for that version first, those
    too that a dead worker had claimed.
    """
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        if dry:
            print_preview(here, "roll_back", as_json, version)
            return
        try:
            embedders = here.embedders()
        except ConfigError:
            embedders = {}
        with autocommitted(here.engine) as raw:
            active = read_collection(raw, name).active
        back = version if version is not None else _previous(here, toggle)
        again = f"pgvec roll-back {back}"
        label = transition.roll_back(
            here.engine,
            name,
            back,
            embedders,
            allow_missing=allow_missing,
            on_wait=lambda wait: say_waiting(
                wait,
                f"To take them over now: {again} --take-over. "
                f"To go back without them: {again} --allow-missing.",
            ),
            take_over=take_over,
        )
    changed = active is None or label != active.model_version
    emit(
        {"collection": name, "active": label, "changed": changed},
        as_json,
        f"{name} is back on {label}."
        if changed
        else f"Nothing to do: {label} is the active version of {name} already.",
    )


def abandon(
    version: VersionArgument,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up a version that was never active.

    You cannot use its label again. Its leaf is dropped at once; if a session uses the leaf, or it
    still feeds another version, the next pgvec retire drops it.
    """
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        if dry:
            print_preview(here, "abandon", as_json, version)
            return
        leaf_dropped = transition.abandon(here.engine, name, version, say_waiting)
    leaf = "its leaf is dropped" if leaf_dropped else "its leaf goes with the next pgvec retire"
    emit(
        {"collection": name, "abandoned": version, "leaf_dropped": leaf_dropped},
        as_json,
        f"{version} of {name} is abandoned; {leaf}.",
    )
