"""``pgvec init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pgvec_versions.catalog import Collection, collection_names, read_collection
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.starter_file import starter_path, starter_text, write_starter
from pgvec_versions.cli.workplace import Workplace, version_states, workplace
from pgvec_versions.config import INTERVAL
from pgvec_versions.errors import AlreadyExists
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, autocommitted
from pgvec_versions.postgres.install import install, installed_version
from pgvec_versions.postgres.locks import unlimited
from pgvec_versions.postgres.rows import read_value
from pgvec_versions.postgres.sqlfiles import latest_catalog_version
from pgvec_versions.upgrade.preview import preview

#: The defaults of pgvec.create_collection.
_DEFAULTS: dict[str, Any] = {
    "distance": "cosine",
    "storage": "vector",
    "id_type": "uuid",
    "retire_after": "7 days",
    "require_query_version": True,
    "follow_while_draining": True,
}


def init(
    collection: Annotated[
        str | None, typer.Argument(metavar="COLLECTION", help="Name of a collection to create.")
    ] = None,
    distance: Annotated[
        str | None, typer.Option(help="Distance: cosine (the default), l2 or inner_product.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Type of vectors: vector (the default), or halfvec for half the size."),
    ] = None,
    id_type: Annotated[
        str | None, typer.Option(help="Type of chunk_id: uuid (the default), bigint or text.")
    ] = None,
    retire_after: Annotated[
        str | None,
        typer.Option(
            help="Grace period of a previous version; by default as in pgvec.toml, else 7 days."
        ),
    ] = None,
    require_query_version: Annotated[
        bool | None,
        typer.Option(
            "--require-query-version/--no-require-query-version",
            help="Make every query declare the version that made its vector; the default.",
        ),
    ] = None,
    follow_while_draining: Annotated[
        bool | None,
        typer.Option(
            "--follow-while-draining/--no-follow-while-draining",
            help="Let a draining version follow writes, for a quick roll-back; the default.",
        ),
    ] = None,
    no_config: Annotated[
        bool, typer.Option("--no-config", help="Write no pgvec.toml where there is none.")
    ] = False,
    dry: DryRunOption = False,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install or upgrade the catalog; with a name, create a collection.

    Writes a starter pgvec.toml if there is none. A second run changes neither the file nor the
    collection. Options that differ from those of the collection are refused.
    """
    typed = {
        "distance": distance,
        "storage": storage,
        "id_type": id_type,
        "retire_after": retire_after,
        "require_query_version": require_query_version,
        "follow_while_draining": follow_while_draining,
    }
    given = {name: value for name, value in typed.items() if value is not None}
    file = None if no_config else starter_path(config)
    with workplace(
        database_url, config, collection, embedded=embedded, no_file=file is not None
    ) as here:
        if dry:
            _print_plan(here, collection, given, file, as_json)
            return
        with unlimited(here.engine) as raw:
            before, after = install(raw)
        here.say_where(f"collection: {collection}" if collection else "the catalog")
        lines = [_catalog_line(before, after)]
        created, known = False, None
        if collection is not None:
            with unlimited(here.engine) as raw:
                created, known = _create(raw, here, collection, given)
            lines.append(_collection_line(known, created))
    written = False
    if file is None and here.config.path is not None:
        lines.append(_file_line(here, collection))
    elif file is not None:
        text = starter_text(collection, _retire_after(given, known), database_url, embedded)
        written, line = _write(file, text, known)
        lines.append(line)
    emit(
        {
            "catalog_version": after,
            "before": before,
            "collection": collection,
            "created": created,
            "config": str(file or here.config.path or "") or None,
            "config_written": written,
        },
        as_json,
        lines,
    )


def _create(
    raw: PgConnection, here: Workplace, name: str, given: dict[str, Any]
) -> tuple[bool, Collection]:
    """Creates the collection, or compares it with the options that you gave.

    Returns whether it was created, and what it is.
    Raises: AlreadyExists if one of these options differs.
    """
    created = name not in collection_names(raw)
    if created:
        configured = here.config.collections.get(name)
        values = {**_DEFAULTS, **given, "collection": name}
        if configured is not None and "retire_after" not in given:
            values["retire_after"] = configured.retire_after
        raw.execute(sqlfiles.query("create_collection"), values)
    known = read_collection(raw, name)
    if not created and (other := _differences(raw, known, given)):
        is_, asked = zip(*other.values(), strict=True)
        raise AlreadyExists(
            f"collection {name} is already there with {_listed(dict(zip(other, is_, strict=True)))}"
            f", and you asked for {_listed(dict(zip(other, asked, strict=True)))}.",
            hint="It was not changed. Leave out what differs to keep it as it is, or create another"
            " collection.",
            detail={"collection": name, "differs": sorted(other)},
        )
    return created, known


def _differences(
    raw: PgConnection, known: Collection, given: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """The options that differ: what the collection has, and what was given."""
    found: dict[str, tuple[Any, Any]] = {}
    for option, value in given.items():
        has: Any = getattr(known, option)
        if option == "retire_after":
            wanted = read_value(raw, sqlfiles.query("as_interval"), {"value": value})
            if has != wanted:
                found[option] = (has, value)
        elif has != value:
            found[option] = (has, value)
    return found


def _listed(options: dict[str, Any]) -> str:
    return ", ".join(f"{option} {_shown(value)}" for option, value in options.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value).removesuffix(", 0:00:00")


def _collection_line(known: Collection, created: bool) -> str:
    options = _listed({option: getattr(known, option) for option in _DEFAULTS})
    if created:
        return (
            f"collection {known.collection}: created, with {options}; "
            "next: pgvec upgrade --cut-over."
        )
    return (
        f"collection {known.collection}: already there, with {options}; "
        f"versions: {version_states(known)}; unchanged."
    )


def _catalog_line(before: int, after: int) -> str:
    """What became of the catalog; version 0 stands for none."""
    if before == 0:
        return f"catalog version {after}: installed."
    if before == after:
        return f"catalog version {after}: up to date."
    return f"catalog version {after}: upgraded from {before}."


def _retire_after(given: dict[str, Any], known: Collection | None) -> Any:
    """The grace period as the file can say it."""
    text = str(given.get("retire_after", _DEFAULTS["retire_after"]))
    if known is None or ("retire_after" in given and INTERVAL.match(text)):
        return text if INTERVAL.match(text) else _DEFAULTS["retire_after"]
    return known.retire_after


def _write(file: Path, text: str, known: Collection | None) -> tuple[bool, str]:
    """Writes the starter file. Returns whether it did, and what to say."""
    if known is not None and known.versions:
        return False, (
            f"{file.name}: there is none here, and {known.collection} has versions already: "
            f"take the file that they were made with to {file}."
        )
    if why := write_starter(file, text):
        return False, f"{file.name}: not written to {file.parent}: {why}."
    return True, f"{file.name}: written to {file}; it says which model makes the vectors."


def _file_line(here: Workplace, collection: str | None) -> str:
    """About a file that is there."""
    assert here.config.path is not None
    line = f"{here.config.path.name}: {here.config.path.absolute()} is there; unchanged."
    if collection is not None and collection not in here.config.collections:
        line += (
            f" It has no [collections.{collection}] yet: add it, with model_version and embedder."
        )
    return line


def _print_plan(
    here: Workplace,
    collection: str | None,
    given: dict[str, Any],
    file: Path | None,
    as_json: bool,
) -> None:
    newest = latest_catalog_version()
    does: list[str] = []
    blocks: list[str] = []
    known = None
    with autocommitted(here.engine) as raw:
        found = installed_version(raw)
        names = collection_names(raw) if found else []
        if collection in names:
            known = read_collection(raw, str(collection))
            blocks += [
                f"{collection} has {_listed({option: has})}, not {_shown(asked)}"
                for option, (has, asked) in _differences(raw, known, given).items()
            ]
    if found > newest:
        blocks.append(f"the catalog has version {found}, this package brings {newest}")
    elif found < newest:
        does.append(f"brings the catalog from version {found or 'none'} to {newest}")
    else:
        does.append(f"replaces the functions and views of catalog version {found}")
    if collection is not None and collection not in names:
        if found == newest:
            options = {
                option: given.get(option, _DEFAULTS[option])
                for option in ("distance", "storage", "id_type")
            }
            made = preview(here.engine, "create_collection", collection, arguments=options)
            does += made.does
            blocks += made.in_the_way
        else:
            does.append(f"creates the collection {collection}")
    if file is not None and not (known and known.versions):
        does.append(f"writes a starter {file.name} to {file.parent}")
    print_plan(does, blocks, as_json)
