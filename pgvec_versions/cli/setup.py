"""``pgvec init``: installs or upgrades the catalog and, with a name, creates the collection."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pgvec_versions.catalog import collection_names
from pgvec_versions.cli.common import (
    ConfigOption,
    JsonOption,
    UrlOption,
    Workplace,
    emit,
    workplace,
)
from pgvec_versions.cli.control import DryRunOption, plan
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.postgres.install import install, installed_version
from pgvec_versions.postgres.sqlfiles import latest_catalog_version
from pgvec_versions.upgrade.preview import preview

__all__ = ["register"]


def init(
    collection: Annotated[str | None, typer.Argument(help="The collection to create.")] = None,
    distance: Annotated[str, typer.Option(help="cosine, l2 or inner_product.")] = "cosine",
    storage: Annotated[
        str, typer.Option(help="vector, or halfvec for half the size and up to 4,000 dimensions.")
    ] = "vector",
    id_type: Annotated[
        str, typer.Option(help="The type of chunk_id: uuid, bigint or text.")
    ] = "uuid",
    retire_after: Annotated[
        str | None,
        typer.Option(
            help="How long a previous version stays; by default as in pgvec.toml, or 7 days."
        ),
    ] = None,
    require_query_version: Annotated[
        bool, typer.Option(help="Whether a query must declare the version that made its vector.")
    ] = True,
    follow_while_draining: Annotated[
        bool,
        typer.Option(
            help="Whether a previous version goes on following writes, "
            "for a roll-back without delay."
        ),
    ] = True,
    dry: DryRunOption = False,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install or upgrade the catalog; with a name, create the collection too."""
    with workplace(database_url, config) as here:
        if dry:
            options = {"distance": distance, "storage": storage, "id_type": id_type}
            _dry_init(here, collection, options, as_json)
            return
        with transaction(here.engine) as raw:
            before, after = install(raw)
        created = False
        if collection is not None:
            configured = here.config.collections.get(collection)
            parameters: dict[str, Any] = {
                "collection": collection,
                "distance": distance,
                "storage": storage,
                "id_type": id_type,
                "retire_after": retire_after
                or (configured.retire_after if configured else "7 days"),
                "require_query_version": require_query_version,
                "follow_while_draining": follow_while_draining,
            }
            with transaction(here.engine) as raw:
                created = collection not in collection_names(raw)
                if created:
                    raw.execute(sqlfiles.query("create_collection"), parameters)
    lines = [
        f"catalog version {after}: "
        + (
            "installed."
            if before == 0
            else "up to date."
            if before == after
            else f"upgraded from {before}."
        )
    ]
    if collection is not None:
        lines.append(
            f"collection {collection}: "
            + (
                "created; next: pgvec upgrade --cut-over."
                if created
                else "was there already, unchanged."
            )
        )
    emit(
        {"catalog_version": after, "before": before, "collection": collection, "created": created},
        as_json,
        lines,
    )


def _dry_init(
    here: Workplace, collection: str | None, options: dict[str, str], as_json: bool
) -> None:
    newest = latest_catalog_version()
    does: list[str] = []
    blocks: list[str] = []
    with autocommitted(here.engine) as raw:
        found = installed_version(raw)
        names = collection_names(raw) if found else []
    if found > newest:
        blocks.append(f"the catalog has version {found}, this package brings {newest}")
    elif found < newest:
        does.append(f"brings the catalog from version {found or 'none'} to {newest}")
    else:
        does.append(f"replaces the functions and views of catalog version {found}")
    if collection is not None and collection not in names:
        if found == newest:
            made = preview(here.engine, "create_collection", collection, arguments=options)
            does += made.does
            blocks += made.in_the_way
        else:
            does.append(f"creates the collection {collection}")
    plan(does, blocks, as_json)


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(init)
