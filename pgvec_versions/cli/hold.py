"""``pgvec hold``, ``pgvec release``, ``pgvec on-retire``: what operators say of retirement."""

from __future__ import annotations

from typing import Annotated

import typer

from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    emit,
    workplace,
)
from pgvec_versions.retirement.holds import hold_version, release_version, set_retirement

__all__ = ["register"]

VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="The label.")]


def hold(
    model_version: VersionArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever meets it later will ask.")],
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a version from retirement until pgvec release."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
        hold_version(here.engine, name, model_version, reason)
    emit(
        {"collection": name, "model_version": model_version, "reason": reason},
        as_json,
        f"{model_version} of {name} is held: {reason}",
    )


def release(
    model_version: VersionArgument,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold: the version retires when it is due."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
        was_held = release_version(here.engine, name, model_version)
    emit(
        {"collection": name, "model_version": model_version, "was_held": was_held},
        as_json,
        f"{model_version} of {name} " + ("is released." if was_held else "was not held."),
    )


def on_retire(
    what: Annotated[
        str | None,
        typer.Argument(help="drop, archive (detach, without the index) or export (a file first)."),
    ] = None,
    read_window: Annotated[
        str | None,
        typer.Option(
            help='A due version read within this time stays, "1 hour"; "0" looks at none.'
        ),
    ] = None,
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say, or show, what becomes of a version that retires."""
    with workplace(database_url, config, collection) as here:
        name = here.collection
        wish, window = set_retirement(here.engine, name, what, read_window)
    emit(
        {"collection": name, "on_retire": wish, "read_window": window},
        as_json,
        f"{name}: {wish}; a due version that was read within {window} stays.",
    )


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(hold)
    app.command()(release)
    app.command("on-retire")(on_retire)
