"""``pgvec pause`` and ``pgvec resume``."""

from __future__ import annotations

from typing import Any

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.dry_run import print_preview
from pgvec_versions.cli.next_step import when
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    ReasonOption,
    TransitionArgument,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.workplace import Workplace, version_states, workplace
from pgvec_versions.errors import WrongState
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import State
from pgvec_versions.upgrade import pausing


def _which(here: Workplace, version: str | None, verb: str) -> str:
    """The version that was named; else the only one that is paused, or that is under way.

    A version that is under way is building or ready. Any live version can be paused.
    """
    if version is not None:
        return version
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        known = read_collection(raw, here.collection)
    labels = [v.model_version for v in known.versions]
    stopped = list(pausing.paused(here.engine, here.collection, labels))
    under_way = [
        v.model_version for v in known.versions if v.state in (State.BUILDING, State.READY)
    ]
    wanted = stopped if verb == "resume" and stopped else under_way
    if len(wanted) == 1:
        return wanted[0]
    raise WrongState(
        f"{verb}: which version of {here.collection}?",
        hint=f"Name it. Versions: {version_states(known)}; paused: {', '.join(stopped) or 'none'}.",
        detail={"collection": here.collection, "under_way": under_way, "paused": stopped},
    )


def pause(
    version: TransitionArgument = None,
    reason: ReasonOption = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause a transition: workers claim no more work for it.

    This holds for workers in every process, until pgvec resume. They finish what they have claimed.
    """
    with workplace(database_url, config, collection, embedded=embedded) as here:
        label = _which(here, version, "pause")
        if dry:
            print_preview(here, "pause", as_json, label)
            return
        changed = pausing.pause(here.engine, here.collection, label, reason)
        found = pausing.pause_of(here.engine, here.collection, label)
        data: dict[str, Any] = {"collection": here.collection, "paused": label, "changed": changed}
        if found is not None:
            data |= {"since": found.since, "reason": found.reason}
        text = f"{label} of {here.collection} is paused"
        if changed:
            text += "; what is claimed is finished."
        else:
            text = f"Nothing was changed: {text} already{_said(found)}."
            if reason is not None:
                text += " The new reason was not recorded."
        text += f" To go on: {here.command('resume', label)}"
    emit(data, as_json, text)


def _said(found: pausing.Pause | None) -> str:
    if found is None:
        return ""
    words = f", since {when(found.since)}" + (f" by {found.who}" if found.who else "")
    return words + (f": {found.reason}" if found.reason else ", without a reason")


def resume(
    version: TransitionArgument = None,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume a paused transition."""
    with workplace(database_url, config, collection, embedded=embedded) as here:
        label = _which(here, version, "resume")
        if dry:
            print_preview(here, "resume", as_json, label)
            return
        found = pausing.pause_of(here.engine, here.collection, label)
        changed = pausing.resume(here.engine, here.collection, label)
        data: dict[str, Any] = {"collection": here.collection, "resumed": label, "changed": changed}
        if changed and found is not None:
            data |= {"since": found.since, "reason": found.reason}
        text = f"{label} of {here.collection} goes on; it was paused{_said(found)}."
        if not changed:
            with autocommitted(here.engine) as raw:
                state = read_collection(raw, here.collection).version(label).state
            text = (
                f"Nothing was changed: {label} of {here.collection} was not paused; it is {state}."
            )
    emit(data, as_json, text)
