"""From a database error to one of this tree: by SQLSTATE, never by message text."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg

from pgvec_versions.errors.classes import (
    CatalogNotInstalled,
    DatabaseUnavailable,
    InvalidArgument,
    InvalidVector,
    LockTimeout,
    NotPermitted,
    PgvecError,
    VersionNotWritable,
)


def _descendants(cls: type[PgvecError]) -> Iterator[type[PgvecError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


_BY_CODE: dict[str, type[PgvecError]] = {c.code: c for c in _descendants(PgvecError) if c.code}

#: Classes of SQLSTATE, by how they begin: connection lost, server shutting down, no such
#: database, login refused.
_NO_CONNECTION = ("08", "57P", "3D", "28")
#: No such schema, function, table.
_NO_SUCH_NAME = ("3F000", "42883", "42P01")
#: NUL, half a surrogate pair: text that PostgreSQL does not store.
_UNSTORABLE_TEXT = ("22021", "22P05")
_DEADLOCK = "40P01"
_CHECK_VIOLATION = "23514"
#: What a row broke, by the name of the leaf's CHECK.
_VECTOR_CHECKS = {
    "pgvec_dimensions": "a vector has another number of dimensions than its version.",
    "pgvec_not_zero": "a vector is all zeros: it has no direction to compare.",
}
#: The hint of a class, where the database sent none.
_HINTS: dict[type[PgvecError], str] = {
    NotPermitted: "Ask the owner of the collection for the privilege.",
    LockTimeout: "Nothing was changed; try again, or find who holds the lock.",
}


def error_for(exc: BaseException) -> PgvecError | None:
    """This package's error for a database exception, or None for any other exception.

    Takes a psycopg error or a SQLAlchemy wrapper of one.
    """
    if isinstance(exc, PgvecError):
        return exc
    origin = getattr(exc, "orig", None) or exc
    diag = getattr(origin, "diag", None)
    state: str | None = getattr(origin, "sqlstate", None)
    if diag is None:
        return None
    message = diag.message_primary or str(origin).strip()
    if state in _UNSTORABLE_TEXT or (state is None and isinstance(origin, psycopg.DataError)):
        return InvalidArgument(
            f"a value cannot be stored: {message}.", hint="Is it binary data?", sqlstate=state
        )
    if state is None:
        if isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError):
            return _no_connection(message, None)
        return None
    if state.startswith(_NO_CONNECTION):
        return _no_connection(message, state)
    return _by_code(state, message, diag)


def _no_connection(message: str, state: str | None) -> DatabaseUnavailable:
    first = (message.splitlines() or ["no connection"])[0]
    return DatabaseUnavailable(
        f"cannot use the database: {first.rstrip('.')}.",
        hint="Check that it runs and that --database-url or PGVEC_DATABASE_URL is right.",
        sqlstate=state,
    )


def _by_code(state: str, message: str, diag: psycopg.errors.Diagnostic) -> PgvecError | None:
    cls = _BY_CODE.get(state)
    if cls is not None:
        hint = diag.message_hint or _HINTS.get(cls)
        return cls(message, hint=hint, detail=_json_detail(diag.message_detail), sqlstate=state)
    if state == _DEADLOCK:
        return LockTimeout(f"{message}.", hint="Nothing was changed; try again.", sqlstate=state)
    if state == _CHECK_VIOLATION and diag.constraint_name in _VECTOR_CHECKS:
        return InvalidVector(
            _VECTOR_CHECKS[diag.constraint_name],
            hint="Nothing was written. Was it made by another model?",
            detail={"constraint": diag.constraint_name, "leaf": diag.table_name},
            sqlstate=state,
        )
    if state == _CHECK_VIOLATION and diag.constraint_name is None:
        return VersionNotWritable(
            message,
            hint="Its model_version has no partition: unknown, or retired. Register it first.",
            sqlstate=state,
        )
    return None


def _json_detail(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # from a function of the host: ours is never so deep
        return {"text": text}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"value": value}


def names_nothing(exc: BaseException) -> bool:
    """Whether the statement named something that does not exist, perhaps the catalog itself.

    The error does not say whose name it was: a function that a trigger or a policy of the host
    calls may be missing too. ``postgres.database`` asks the server whether there is a catalog.
    """
    return getattr(getattr(exc, "orig", None) or exc, "sqlstate", None) in _NO_SUCH_NAME


def catalog_not_installed(sqlstate: str | None = None) -> CatalogNotInstalled:
    """The error, with its hint."""
    return CatalogNotInstalled(
        "the pgvec catalog is not in this database.", hint="Run: pgvec init", sqlstate=sqlstate
    )


@contextmanager
def translated() -> Generator[None]:
    """Raises this package's errors for those of the database; others pass unchanged."""
    try:
        yield
    except Exception as exc:
        mine = translation(exc)
        if mine is None:
            raise
        raise mine from exc


def translation(exc: BaseException | None) -> PgvecError | None:
    """This package's error for one of the database; None for any other, its own included."""
    if not isinstance(exc, Exception) or isinstance(exc, PgvecError):
        return None
    return error_for(exc)
