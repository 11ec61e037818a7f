"""``pgvec hold``, ``pgvec release`` and ``pgvec on-retire``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pgvec_versions.cli.next_step import when
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
    RequiredReasonOption,
    VersionArgument,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.workplace import workplace
from pgvec_versions.retirement.holds import hold_of, hold_version, release_version, set_retirement


def hold(
    version: VersionArgument,
    reason: RequiredReasonOption,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a version from retiring until you release it."""
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        before = hold_of(here.engine, name, version)
        hold_version(here.engine, name, version, reason)
    text = f"{version} of {name} is held: {reason}"
    data: dict[str, Any] = {"collection": name, "model_version": version, "reason": reason}
    lines = [text]
    if before is not None:
        data["replaced"] = before._asdict()
        was = f"by {before.held_by} since {when(before.held_at)}: {before.reason}"
        lines.append(f"it replaces a hold {was}")
    emit(data, as_json, lines)


def release(
    version: VersionArgument,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold, so that the version retires when it is due."""
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        was_held = release_version(here.engine, name, version)
    emit(
        {"collection": name, "model_version": version, "was_held": was_held},
        as_json,
        f"{version} of {name} " + ("is released." if was_held else "was not held."),
    )


def on_retire(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="drop, archive (keep the table, detached, without its index), or export (refuse "
            "until pgvec export has written a file).",
        ),
    ] = None,
    read_window: Annotated[
        str | None,
        typer.Option(
            help='Interval such as "1 hour": a due version that was read within it stays; "0" '
            "turns this off."
        ),
    ] = None,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set what happens to a version that retires."""
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        setting = set_retirement(here.engine, name, what, read_window)
    emit(
        {
            "collection": name,
            "on_retire": setting.on_retire,
            "read_window": setting.read_window,
        },
        as_json,
        f"{name}: {setting.on_retire}; a due version that was read within "
        f"{setting.read_window} stays.",
    )
