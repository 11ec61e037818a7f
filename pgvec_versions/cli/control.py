"""``pgvec pause`` and ``resume``; what ``--dry-run`` of the other verbs prints."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    Workplace,
    emit,
    workplace,
)
from pgvec_versions.errors import WrongState
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State
from pgvec_versions.upgrade.pausing import pause, resume
from pgvec_versions.upgrade.preview import preview
from pgvec_versions.upgrade.throttle import Throttle

__all__ = [
    "DryRunOption",
    "LagOption",
    "RateOption",
    "SessionsOption",
    "dry_run",
    "plan",
    "register",
    "throttle_of",
]

DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what it would do and what is in the way; change nothing."),
]
RateOption = Annotated[
    float | None, typer.Option("--rows-per-second", help="Chunks that a worker embeds, at most.")
]
LagOption = Annotated[
    int | None,
    typer.Option("--max-lag-mb", help="Wait while a standby lacks more WAL than that."),
]
SessionsOption = Annotated[
    int | None,
    typer.Option("--max-active-sessions", help="Wait while more sessions than that are at work."),
]


def throttle_of(rate: float | None, lag_mb: int | None, sessions: int | None) -> Throttle:
    """The throttle that the options stand for. Raises: InvalidArgument."""
    return Throttle(rate, None if lag_mb is None else lag_mb * 1024**2, sessions)


def plan(does: list[str], in_the_way: list[str], as_json: bool) -> None:
    """Prints a dry run. Ends with exit code 3 when something is in the way."""
    lines = [f"would: {line}" for line in does] or ["would: do nothing"]
    lines += [f"in the way: {line}" for line in in_the_way]
    emit({"dry_run": True, "does": does, "in_the_way": in_the_way}, as_json, lines)
    if in_the_way:
        raise typer.Exit(WrongState.exit_code)


def dry_run(
    here: Workplace,
    verb: str,
    as_json: bool,
    version: str | None = None,
    *,
    all_of: bool = False,
    force: bool = False,
) -> None:
    """Prints the dry run of one verb of the SQL surface."""
    collection = None if all_of else here.collection
    found = preview(here.engine, verb, collection, version, {"force": force})
    plan(list(found.does), list(found.in_the_way), as_json)


def _meant(here: Workplace, version: str | None, *, is_paused: bool) -> str:
    if version is not None:
        return version
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        known = read_collection(raw, here.collection)
    under_way = [
        v.model_version for v in known.versions if v.state in (State.BUILDING, State.READY)
    ]
    if len(under_way) == 1:
        return under_way[0]
    states = ", ".join(f"{v.model_version} ({v.state})" for v in known.versions) or "none"
    raise WrongState(
        f"{'resume' if is_paused else 'pause'}: which version of {here.collection}?",
        hint=f"Name it. Versions: {states}.",
        detail={"collection": here.collection, "under_way": under_way},
    )


VersionArgument = Annotated[
    str | None,
    typer.Argument(help="The version; may be left out if only one transition is under way."),
]


def pause_verb(
    version: VersionArgument = None,
    reason: Annotated[str | None, typer.Option(help="Kept with the event.")] = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a transition: no worker, in any process, claims work for it until pgvec resume."""
    with workplace(database_url, config, collection) as here:
        label = _meant(here, version, is_paused=False)
        if dry:
            dry_run(here, "pause", as_json, label)
            return
        changed = pause(here.engine, here.collection, label, reason)
        data: dict[str, Any] = {"collection": here.collection, "paused": label, "changed": changed}
    text = f"{label} of {data['collection']} is paused" + (
        "; what is claimed is finished. Go on with: pgvec resume." if changed else " already."
    )
    emit(data, as_json, text)


def resume_verb(
    version: VersionArgument = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused transition go on."""
    with workplace(database_url, config, collection) as here:
        label = _meant(here, version, is_paused=True)
        if dry:
            dry_run(here, "resume", as_json, label)
            return
        changed = resume(here.engine, here.collection, label)
        data: dict[str, Any] = {"collection": here.collection, "resumed": label, "changed": changed}
    emit(data, as_json, f"{label} {'goes on' if changed else 'was not paused'}.")


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command("pause")(pause_verb)
    app.command("resume")(resume_verb)
