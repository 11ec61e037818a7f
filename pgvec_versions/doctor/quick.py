"""Quick checks of a door that may be closed: ``pgvec check``. They change nothing.

Unlike the doctor's, they need neither the catalog nor any right, and a check that fails says so in
one line and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine

from pgvec_versions.catalog import Collection, Version, collection_names, read_collection
from pgvec_versions.doctor.finding import reading
from pgvec_versions.doctor.server import OLDEST_PGVECTOR, OLDEST_SERVER, version_number
from pgvec_versions.embedders import Embedder, checked
from pgvec_versions.embedders.fingerprints import agreement, read_fingerprints
from pgvec_versions.embedders.identity import require_same
from pgvec_versions.errors import NotPermitted, PgvecError, error_for
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.install import installed_version, mismatch
from pgvec_versions.postgres.rows import read_row, read_value
from pgvec_versions.postgres.sqlfiles import latest_catalog_version

#: Clocks that differ by more are a problem: the server's decides when versions retire and leases
#: end, ours is in your logs.
_CLOCKS_DIFFER = timedelta(seconds=10)
#: What an embedder is asked to embed.
_TEXT = "pgvec check"


@dataclass(frozen=True, slots=True)
class Line:
    """One result. ``unknown`` is what could not be checked, because something else is missing."""

    level: Literal["ok", "problem", "unknown"]
    what: str
    evidence: str
    to_do: str = ""


def attempt(what: str, check: Callable[[], Line]) -> Line:
    """The line of a check, or the line about the error that it ended with."""
    try:
        return check()
    except Exception as exc:
        known = error_for(exc)
        if known is None:
            first = (str(exc).splitlines() or [""])[0]
            return Line("problem", what, f"{type(exc).__name__}: {first}")
        return problem(what, known)


def problem(what: str, error: PgvecError) -> Line:
    """The line about an error."""
    return Line("problem", what, error.message, error.hint or "")


# --- The server ---


def check_versions(engine: Engine) -> Line:
    """Checks the versions of PostgreSQL, pgvector, the catalog and pg_cron."""
    with reading(engine) as raw:
        found = read_row(raw, sqlfiles.query("check_versions"))
        try:
            catalog = installed_version(raw) if found.vector_version else 0
        except NotPermitted:
            # Only who has a grant reads the catalog; check_rights says so.
            catalog = None
    seen = [
        f"PostgreSQL {found.server_version}",
        f"pgvector {found.vector_version or 'none'}",
        f"catalog {'not readable' if catalog is None else catalog or 'none'}",
        f"pg_cron {_cron(found)}",
    ]
    to_do = _what_is_old(found, catalog)
    return Line("problem" if to_do else "ok", "versions", ", ".join(seen), to_do)


def _cron(found: Any) -> str:
    if found.cron_version:
        return str(found.cron_version)
    return f"in database {found.cron_database}" if found.cron_database else "none"


def _what_is_old(found: Any, catalog: int | None) -> str:
    """What to do about the versions; empty if they are fine."""
    if found.server_version_num < OLDEST_SERVER:
        return "PostgreSQL 15 or later is needed."
    if not found.vector_version and not found.vector_available:
        return "Ask whoever runs the server to install pgvector 0.8.0 or later."
    version = found.vector_version or found.vector_available
    if version_number(version) < OLDEST_PGVECTOR:
        update = "ALTER EXTENSION vector UPDATE;" if found.vector_version else "pgvec init."
        return f"Ask a superuser to install pgvector 0.8.0 or later, not {version}; then: {update}"
    if catalog == 0:
        return "Run: pgvec init"
    if catalog is not None and catalog != latest_catalog_version():
        return mismatch(catalog, latest_catalog_version()).hint or ""
    return ""


def check_rights(engine: Engine) -> Line:
    """Checks what the role may do, and says who can give it what is missing."""
    with reading(engine) as raw:
        found = read_row(raw, sqlfiles.query("check_rights"))
        names = _collections(raw) if found.uses_catalog else []
    if found.owner is not None and not found.owns_catalog:
        return _as_guest(found, names)
    if found.owner is not None and found.superuser and found.owner != found.role:
        seen = f"{found.role} is a superuser; the catalog belongs to {found.owner}"
        return Line("ok", "rights", seen, f"For pgvec init, take on that role: {found.owner}.")
    seen, to_do = _missing(found, bool(names))
    if not seen:
        what = "owns the catalog" if found.owner else "may install the catalog"
        text = f"{found.role} {what} in database {found.database}"
        if found.creates_tables:
            and_may = "and may" if found.owner else "and"
            text += f" {and_may} create collections in schema {found.host_schema}"
        if not found.uses_cron:
            text += "; it may not use pg_cron"
        give = (
            f"Ask a superuser to run: GRANT USAGE ON SCHEMA cron TO {found.role}; "
            f"GRANT EXECUTE ON FUNCTION cron.alter_job TO {found.role};"
        )
        return Line("ok", "rights", f"{text}.", "" if found.uses_cron else give)
    return Line("problem", "rights", f"{found.role} {', and '.join(seen)}.", " ".join(to_do))


def _missing(found: Any, has_collections: bool) -> tuple[list[str], list[str]]:
    """What the owner, or the one who will install, lacks; and whom to ask for it."""
    seen: list[str] = []
    to_do: list[str] = []
    makes_vector = found.superuser or (found.vector_trusted and found.creates_schemas)
    if not found.has_vector and not makes_vector:
        seen.append("may not create extension vector")
        to_do.append(
            f"Ask a superuser to run in database {found.database}: CREATE EXTENSION vector;"
        )
    if found.closed_vector_schema:
        seen.append(f"may not use schema {found.closed_vector_schema}, where extension vector is")
        to_do.append(
            "Ask a superuser to run: "
            f"GRANT USAGE ON SCHEMA {found.closed_vector_schema} TO {found.role};"
        )
    if found.owner is None and not found.creates_schemas:
        seen.append(f"may not create schemas in database {found.database}")
        to_do.append(
            f"Ask the owner of the database ({found.database_owner}) or a superuser to run: "
            f"GRANT CREATE ON DATABASE {found.database} TO {found.role};"
        )
    if found.host_schema is None:
        seen.append(f"has the search_path {found.search_path}, which names no schema it may use")
        to_do.append(
            "Ask a superuser to run: "
            f"CREATE SCHEMA app AUTHORIZATION {found.role}; "
            f"ALTER ROLE {found.role} SET search_path = app, public;"
        )
    elif not found.creates_tables and not has_collections:
        seen.append(f"may not create tables in schema {found.host_schema}")
        to_do.append(
            f"Ask the owner of the schema ({found.host_schema_owner}) or a superuser to run: "
            f"GRANT USAGE, CREATE ON SCHEMA {found.host_schema} TO {found.role};"
        )
    return seen, to_do


def _as_guest(found: Any, names: list[str]) -> Line:
    """About a role that is not the owner of the catalog."""
    if names:
        seen = f"{found.role} has grants on {', '.join(names)}; {found.owner} owns the catalog."
        return Line("ok", "rights", seen)
    return Line(
        "problem",
        "rights",
        f"{found.role} has no grant; {found.owner} owns the catalog.",
        f"Ask {found.owner} to run: SELECT pgvec.grant_read('COLLECTION', '{found.role}');",
    )


def _collections(raw: PgConnection) -> list[str]:
    try:
        with raw.transaction():
            return collection_names(raw)
    except Exception:
        # An older catalog, or a schema that is not ours: check_versions says so.
        return []


def check_clock(engine: Engine) -> Line:
    """Compares the server's clock with this machine's."""
    with reading(engine) as raw:
        before = datetime.now(UTC)
        there: datetime = read_value(raw, sqlfiles.query("check_clock"))
        after = datetime.now(UTC)
    # Between the two moments there is no difference that we could see.
    apart = there - after if there > after else min(there - before, timedelta(0))
    if abs(apart) <= _CLOCKS_DIFFER:
        seen = f"the server's and this machine's are {abs(apart).total_seconds():.1f} s apart."
        return Line("ok", "clock", seen)
    ahead = "ahead of" if apart > timedelta(0) else "behind"
    return Line(
        "problem",
        "clock",
        f"the server's is {abs(apart).total_seconds():.0f} s {ahead} this machine's.",
        "Set the wrong one right: the server's says when versions retire and leases end.",
    )


# --- Embedders ---


def read_known(engine: Engine, names: list[str] | None = None) -> dict[str, Collection]:
    """The collections in the catalog, all or those; none without a catalog that can be read."""
    with reading(engine) as raw:
        there = _collections(raw) if read_value(raw, sqlfiles.query("catalog_exists")) else []
        return {
            name: read_collection(raw, name) for name in there if names is None or name in names
        }


def check_embedder(
    what: str, embedder: Embedder, engine: Engine | None, known: Collection | None, label: str
) -> Line:
    """Loads an embedder, embeds one text, and compares it with what the version records.

    Raises: PgvecError where it does not load, does not answer or is another model.
    """
    version = _version(known, label)
    if version is not None and known is not None:
        require_same(
            version.embedder,
            embedder.identity,
            collection=known.collection,
            model_version=label,
            equivalents=version.equivalents,
        )
    dimensions = embedder.dimensions
    checked(
        embedder.embed_queries([_TEXT]),
        count=1,
        dimensions=dimensions,
        what=str(embedder.identity),
    )
    answers = f"{embedder.identity} answers with {dimensions} dimensions"
    if version is None:
        if engine is None:
            return Line("ok", what, f"{answers}; not compared, without a database.")
        return Line("ok", what, f"{answers}; {label} is not registered yet.")
    if dimensions != version.dimensions:
        return Line(
            "problem",
            what,
            f"{answers}, and {label} has {version.dimensions}.",
            "Give it the embedder that the version was registered with.",
        )
    assert engine is not None
    assert known is not None
    with reading(engine) as raw:
        kept = read_fingerprints(raw, known.collection, [label])
    if label not in kept:
        return Line("ok", what, f"{answers}; {label} has no fingerprint to compare with.")
    agreed = agreement(kept[label], embedder)
    seen = f"{answers}; least cosine to the fingerprint {agreed.least_cosine:.4f}"
    if agreed.agrees:
        return Line("ok", what, f"{seen}.")
    return Line(
        "problem",
        what,
        f"{seen}: it is another model.",
        "Has the model changed behind its name? Check revision, prefix and truncation.",
    )


def _version(known: Collection | None, label: str) -> Version | None:
    if known is None:
        return None
    return next((v for v in known.versions if v.model_version == label), None)
