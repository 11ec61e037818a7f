"""``pgvec declare-equivalent``: the same model, served elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from pgvec_versions.cli.common import (
    CollectionOption,
    ConfigOption,
    JsonOption,
    UrlOption,
    emit,
    named_embedder,
    workplace,
)
from pgvec_versions.embedders.fingerprints import declare_equivalent as declare

__all__ = ["register"]


def declare_equivalent(
    version: Annotated[str, typer.Argument(help="The version whose model it is.")],
    embedder: Annotated[
        str | None,
        typer.Option(
            help="The embedder, as JSON or as a label of pgvec.toml; without it, what pgvec.toml "
            "says of the version."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Is kept in pgvec.version_event.")] = "",
    collection: CollectionOption = None,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare that an embedder is a version's model served elsewhere; its canaries must agree."""
    with workplace(database_url, config, collection) as here:
        given = named_embedder(here, embedder or version)
        found = declare(here.engine, here.collection, version, given, reason)
        name = here.collection
    data = {
        "collection": name,
        "model_version": version,
        "embedder": given.identity.to_json(),
        "canaries": len(found.cosines),
        "least_cosine": found.least_cosine,
    }
    text = (
        f"{given.identity} may be used for version {version} of {name}: {len(found.cosines)} "
        f"canaries agree (least cosine {found.least_cosine:.4f}, {found.worst})."
    )
    emit(data, as_json, text)


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command("declare-equivalent")(declare_equivalent)
