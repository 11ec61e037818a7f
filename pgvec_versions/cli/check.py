"""``pgvec check``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import typer
from sqlalchemy import Engine

from pgvec_versions.catalog import Collection
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import console, emit, styled
from pgvec_versions.cli.which_database import chosen_url, named_by
from pgvec_versions.cli.workplace import Workplace
from pgvec_versions.config import Config, load_config
from pgvec_versions.doctor.quick import (
    Line,
    attempt,
    check_clock,
    check_embedder,
    check_rights,
    check_versions,
    problem,
    read_known,
)
from pgvec_versions.embedders import build_embedder
from pgvec_versions.errors import PgvecError
from pgvec_versions.postgres.database import engine_for, psycopg_url

#: The exit code if there is a problem, the same as of doctor.
_FOUND_SOMETHING = 3
_COLOURS = {"ok": "green", "unknown": "yellow", "problem": "red"}
#: How long a host may take to answer, unless you say something else. Units: seconds.
_CONNECT_TIMEOUT = "10"


def check(
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check in a few lines what a verb needs, also before anything is there.

    The configuration, the database, versions, rights, embedders and the clock: ok, a problem with
    what to do, or unknown because something else is missing. Changes nothing; loads the models and
    embeds a line with them. Exits with 3 if there is a problem, else with 0.
    """
    settings, line = _configuration(config)
    found = [line]
    with ExitStack() as opened:
        where = f"collection: {collection}" if collection else "all collections"
        engine, line = _database(opened, database_url, settings, where, embedded=embedded)
        found.append(line)
        if engine is None:
            found += [Line("unknown", what, "no database.") for what in ("versions", "rights")]
        else:
            found.append(attempt("versions", lambda: check_versions(engine)))
            found.append(attempt("rights", lambda: check_rights(engine)))
        found += _embedders(engine, settings, collection)
        if engine is None:
            found.append(Line("unknown", "clock", "no database."))
        else:
            found.append(attempt("clock", lambda: check_clock(engine)))
    if as_json:
        emit(list(found), True)
    else:
        _print(found)
    if any(line.level == "problem" for line in found):
        raise typer.Exit(_FOUND_SOMETHING)


def _print(found: list[Line]) -> None:
    wide = max(len(line.what) for line in found)
    for line in found:
        text = " ".join(part for part in (line.evidence, line.to_do) if part)
        console.print(
            styled(
                f"{line.what:<{wide}}  ", (f"{line.level:<7}", _COLOURS[line.level]), f"  {text}"
            ),
            soft_wrap=True,
        )


def _configuration(given: Path | None) -> tuple[Config, Line]:
    """The configuration, empty if it cannot be read, and the line about it."""
    try:
        settings = load_config(given)
    except PgvecError as exc:
        return Config(), problem("configuration", exc)
    if settings.path is None:
        hint = "pgvec init writes one."
        return settings, Line("unknown", "configuration", "no pgvec.toml in this folder.", hint)
    names = ", ".join(settings.collections) or "none"
    seen = f"{settings.path.absolute()}; collections: {names}."
    return settings, Line("ok", "configuration", seen)


# --- The database ---


def _database(
    opened: ExitStack, given: str | None, settings: Config, where: str, *, embedded: bool
) -> tuple[Engine | None, Line]:
    """An engine on the database if it answers, and the line about it."""
    try:
        url = chosen_url(given, embedded, settings)
        folder = None
        if url is None:
            url, folder = _embedded_url(opened)
            if url is None:
                seen = f"the embedded server in {folder} was never started."
                return None, Line("unknown", "database", seen, "pgvec init --embedded starts it.")
        engine = engine_for(_patient(url))
        opened.callback(engine.dispose)
        here = Workplace(engine, settings, None, folder)
        seen = f"{here.database}, named by {named_by(given, embedded, settings)}."
        here.say_where(where)
    except PgvecError as exc:
        return None, problem("database", exc)
    return engine, Line("ok", "database", seen)


def _embedded_url(opened: ExitStack) -> tuple[str | None, Path]:
    """The URL of the embedded server, and its data folder. No URL if the folder has no data yet."""
    from pgvec_versions.postgres.embedded import default_path, embedded_server

    folder = default_path()
    if not (folder / "PG_VERSION").exists():
        return None, folder
    server = opened.enter_context(embedded_server())
    return server.url(), server.pgdata


def _patient(url: str) -> str:
    """The URL with a bound for the time that a host may take to answer."""
    parsed = psycopg_url(url)
    if "connect_timeout" in parsed.query or os.environ.get("PGCONNECT_TIMEOUT"):
        return url
    bounded = parsed.update_query_dict({"connect_timeout": _CONNECT_TIMEOUT})
    return bounded.render_as_string(hide_password=False)


# --- Embedders ---


def _embedders(engine: Engine | None, settings: Config, collection: str | None) -> list[Line]:
    names = [collection] if collection else None
    known: dict[str, Collection] = {}
    if engine is not None:
        try:
            known = read_known(engine, names)
        except PgvecError as exc:
            # An older catalog or a missing right: the lines above say so.
            return [Line("unknown", "embedder", f"the catalog cannot be read: {exc.message}")]
    named = [name for name in (*settings.collections, *known) if names is None or name in names]
    found = [
        line
        for name in dict.fromkeys(named)
        for line in _of_collection(engine, settings, name, known.get(name))
    ]
    if not found and collection:
        seen = f"there is no collection {collection!r}, neither in pgvec.toml nor in the database."
        return [Line("problem", "embedder", seen, "pgvec init NAME creates one.")]
    return found or [Line("unknown", "embedder", "no collection to look at.")]


def _of_collection(
    engine: Engine | None, settings: Config, name: str, known: Collection | None
) -> Iterator[Line]:
    """The lines about the version that pgvec.toml names, and about the active one."""
    configured = settings.collections.get(name)
    labels = [configured.model_version] if configured else []
    if known is not None and known.active is not None:
        labels.append(known.active.model_version)
    if not labels:
        yield Line("unknown", f"embedder of {name}", "neither configured nor active.")
    for label in dict.fromkeys(labels):
        what = f"embedder {label} of {name}"
        if configured is None:
            hint = "A machine that neither adds nor searches needs none."
            yield Line("unknown", what, f"no pgvec.toml names one for {name}.", hint)
        elif label not in configured.embedders:
            yield Line(
                "problem",
                what,
                f"{settings.path} has none for the active version.",
                f"Add it under [collections.{name}.previous].",
            )
        else:
            yield attempt(what, partial(_checked, engine, settings, name, known, label, what))


def _checked(
    engine: Engine | None,
    settings: Config,
    name: str,
    known: Collection | None,
    label: str,
    what: str,
) -> Line:
    table = settings.collections[name].embedders[label]
    embedder = build_embedder(table, where=str(settings.path))
    return check_embedder(what, embedder, engine, known, label)
