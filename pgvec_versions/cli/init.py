"""``pgvec init``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pgvec_versions.catalog import collection_names
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import install, installed_version
from pgvec_versions.postgres.locks import unlimited
from pgvec_versions.postgres.sqlfiles import latest_catalog_version
from pgvec_versions.upgrade.preview import preview

#: The default of pgvec.create_collection.
_RETIRE_AFTER = "7 days"


def init(
    collection: Annotated[
        str | None, typer.Argument(metavar="COLLECTION", help="Name of a collection to create.")
    ] = None,
    distance: Annotated[
        str, typer.Option(help="Distance: cosine, l2 or inner_product.")
    ] = "cosine",
    storage: Annotated[
        str, typer.Option(help="Type of vectors: vector, or halfvec for half the size.")
    ] = "vector",
    id_type: Annotated[str, typer.Option(help="Type of chunk_id: uuid, bigint or text.")] = "uuid",
    retire_after: Annotated[
        str | None,
        typer.Option(
            help="Grace period of a previous version; by default as in pgvec.toml, else 7 days."
        ),
    ] = None,
    require_query_version: Annotated[
        bool, typer.Option(help="Make every query declare the version that made its vector.")
    ] = True,
    follow_while_draining: Annotated[
        bool,
        typer.Option(help="Let a draining version follow writes, for a roll-back without delay."),
    ] = True,
    dry: DryRunOption = False,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install or upgrade the catalog; with a name, create a collection."""
    with workplace(database_url, config, collection, embedded=embedded) as here:
        if dry:
            options = {"distance": distance, "storage": storage, "id_type": id_type}
            _print_plan(here, collection, options, as_json)
            return
        with unlimited(here.engine) as raw:
            before, after = install(raw)
        here.say_where(f"collection: {collection}" if collection else "the catalog")
        created = False
        if collection is not None:
            configured = here.config.collections.get(collection)
            parameters: dict[str, Any] = {
                "collection": collection,
                "distance": distance,
                "storage": storage,
                "id_type": id_type,
                "retire_after": retire_after
                or (configured.retire_after if configured else _RETIRE_AFTER),
                "require_query_version": require_query_version,
                "follow_while_draining": follow_while_draining,
            }
            with unlimited(here.engine) as raw:
                created = collection not in collection_names(raw)
                if created:
                    raw.execute(sqlfiles.query("create_collection"), parameters)
    lines = [_catalog_line(before, after)]
    if collection is not None:
        outcome = "created; next: pgvec upgrade --cut-over." if created else "existed; unchanged."
        lines.append(f"collection {collection}: {outcome}")
    emit(
        {"catalog_version": after, "before": before, "collection": collection, "created": created},
        as_json,
        lines,
    )


def _catalog_line(before: int, after: int) -> str:
    """What became of the catalog; version 0 stands for none."""
    if before == 0:
        return f"catalog version {after}: installed."
    if before == after:
        return f"catalog version {after}: up to date."
    return f"catalog version {after}: upgraded from {before}."


def _print_plan(
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
    print_plan(does, blocks, as_json)
