"""``pgvec declare-equivalent``."""

from __future__ import annotations

from typing import Annotated

import typer

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
from pgvec_versions.cli.workplace import named_embedder, workplace
from pgvec_versions.embedders import fingerprints


def declare_equivalent(
    version: VersionArgument,
    embedder: Annotated[
        str | None,
        typer.Option(
            help="Embedder, as a label in pgvec.toml or as JSON; by default the one that "
            "pgvec.toml names for the version."
        ),
    ] = None,
    reason: RequiredReasonOption = "",
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare that another embedder serves a version's model.

    Refused unless that embedder makes the same vectors of the version's canaries.
    """
    with workplace(database_url, config, collection, embedded=embedded) as here:
        name = here.collection
        given = named_embedder(here, embedder or version)
        found = fingerprints.declare_equivalent(here.engine, name, version, given, reason)
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
