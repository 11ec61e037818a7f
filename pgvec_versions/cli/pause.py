"""``pgvec pause`` and ``pgvec resume``."""

from __future__ import annotations

from typing import Any

from pgvec_versions.catalog import read_collection
from pgvec_versions.cli.dry_run import print_preview
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


def _under_way(here: Workplace, version: str | None, verb: str) -> str:
    """The version that was named, else the only one that is building or ready."""
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
    raise WrongState(
        f"{verb}: which version of {here.collection}?",
        hint=f"Name it. Versions: {version_states(known)}.",
        detail={"collection": here.collection, "under_way": under_way},
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
        label = _under_way(here, version, "pause")
        if dry:
            print_preview(here, "pause", as_json, label)
            return
        changed = pausing.pause(here.engine, here.collection, label, reason)
        data: dict[str, Any] = {"collection": here.collection, "paused": label, "changed": changed}
    text = f"{label} of {data['collection']} is paused" + (
        "; what is claimed is finished. Go on with: pgvec resume." if changed else " already."
    )
    emit(data, as_json, text)


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
        label = _under_way(here, version, "resume")
        if dry:
            print_preview(here, "resume", as_json, label)
            return
        changed = pausing.resume(here.engine, here.collection, label)
        data: dict[str, Any] = {"collection": here.collection, "resumed": label, "changed": changed}
    emit(data, as_json, f"{label} {'goes on' if changed else 'was not paused'}.")
