"""From a database error to one of this tree: by SQLSTATE, not by message text.

A refused connection is the one exception: it has no SQLSTATE.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg

from pgvec_versions.errors.classes import (
    CatalogNotInstalled,
    DatabaseUnavailable,
    DependentObjects,
    DiskFull,
    GateRefused,
    InvalidArgument,
    InvalidVector,
    LockTimeout,
    NotPermitted,
    OutOfMemory,
    OutOfResources,
    PgvecError,
    ReadOnlyDatabase,
    ServerError,
    StatementCancelled,
    TooManyConnections,
    UnknownObject,
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
#: The server ends the connection, or takes none yet; the database itself is all right.
_STOPPING = ("57P01", "57P02", "57P03")
#: A limit of the server's settings, such as ``temp_file_limit``, and other scarce resources.
_OUT_OF_RESOURCES = "53"
#: A file of the server that it cannot read or write.
_SYSTEM_ERROR = "58"
#: The transaction was open, or idle, for longer than a setting allows; the connection is gone.
_TRANSACTION_TIMEOUT = ("25P03", "25P04")
#: What a server says when it refuses a connection. libpq keeps no SQLSTATE of such a refusal, so
#: these texts tell the cause. In another language it is DatabaseUnavailable, with the same exit
#: code.
_NO_FREE_CONNECTION = (
    "too many connections for ",
    "too many clients already",
    "connection slots are reserved",
    "no more connections allowed",
)
_NOT_UP = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "the database system is not accepting connections",
)
#: No such schema, function, table.
_NO_SUCH_NAME = ("3F000", "42883", "42P01")
#: NUL, half a surrogate pair: text that PostgreSQL does not store.
_UNSTORABLE_TEXT = ("22021", "22P05")
#: Text that is no date, no time or no interval, or is out of its range.
_NO_TIME = ("22007", "22008", "22015")
_DEADLOCK = "40P01"
_CHECK_VIOLATION = "23514"
#: What a row broke, by the name of the leaf's CHECK.
_VECTOR_CHECKS = {
    "pgvec_dimensions": "a vector has another number of dimensions than its version.",
    "pgvec_not_zero": "a vector is all zeros: it has no direction to compare.",
}
#: The hint of a class, where the database sent none.
_HINTS: dict[type[PgvecError], str] = {
    NotPermitted: "Ask the owner of the collection, or a superuser, for the privilege.",
    LockTimeout: "Nothing was changed; try again, or find who holds the lock.",
    StatementCancelled: "The statement was undone; run it again. If a time limit ended it, raise "
    "statement_timeout or transaction_timeout for this role.",
    OutOfResources: "The statement was undone. Ask whoever runs the server to raise the limit.",
    DiskFull: "The statement was undone. Free space on the server, then try again.",
    OutOfMemory: "The statement was undone. Lower maintenance_work_mem and work_mem, or give the "
    "server more memory, then try again.",
    TooManyConnections: "Wait and try again, close connections that nobody uses, or raise the "
    "limit: max_connections, or CONNECTION LIMIT of the role or the database.",
    ReadOnlyDatabase: "Connect to the primary; on a primary, turn off "
    "default_transaction_read_only for this role or database.",
    DependentObjects: "Drop what depends on it first.",
    GateRefused: "Evaluate it with pgvec_versions.evaluation.measure.evaluate(…). Or, knowingly: "
    "cut_over(force=True, reason='…').",
    UnknownObject: "Check the name, or create it first.",
}
_STOPPING_HINT = (
    "The server is stopping or starting, or somebody ended the connection: wait and try again."
)


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


def _no_connection(message: str, state: str | None) -> ServerError:
    first = (message.splitlines() or ["no connection"])[0].rstrip(".")
    if state is None and any(text in message for text in _NO_FREE_CONNECTION):
        return TooManyConnections(
            f"cannot use the database: {first}.", hint=_HINTS[TooManyConnections]
        )
    hint = "Check that it runs and that --database-url or PGVEC_DATABASE_URL is right."
    if state in _STOPPING or (state is None and any(text in message for text in _NOT_UP)):
        return DatabaseUnavailable(
            f"cannot use the database: {first}.",
            hint=_STOPPING_HINT,
            detail={"try_again": True},
            sqlstate=state,
        )
    return DatabaseUnavailable(f"cannot use the database: {first}.", hint=hint, sqlstate=state)


def _by_code(state: str, message: str, diag: psycopg.errors.Diagnostic) -> PgvecError | None:
    cls = _BY_CODE.get(state)
    if cls is None and state in _TRANSACTION_TIMEOUT:
        cls = StatementCancelled
    if cls is None and state.startswith(_OUT_OF_RESOURCES):
        cls = OutOfResources
    if cls is not None:
        detail = _json_detail(diag.message_detail)
        return cls(message, hint=_hint(cls, diag, detail), detail=detail, sqlstate=state)
    if state.startswith(_SYSTEM_ERROR):
        return ServerError(message, hint="The server's log says more.", sqlstate=state)
    return _unnamed(state, message, diag)


def _hint(
    cls: type[PgvecError], diag: psycopg.errors.Diagnostic, detail: dict[str, Any]
) -> str | None:
    if cls is DependentObjects and "text" in detail:
        # PostgreSQL's own refusal: it advises CASCADE, which would drop what is yours.
        return f"{_HINTS[cls]} {detail['text']}."
    if cls is GateRefused and "failures" in detail:
        # The database's hint is for SQL.
        return _HINTS[cls]
    return diag.message_hint or _HINTS.get(cls)


def _unnamed(state: str, message: str, diag: psycopg.errors.Diagnostic) -> PgvecError | None:
    """The error for a SQLSTATE that no class names."""
    if state in _NO_TIME:
        return InvalidArgument(message, hint="Write an interval like '7 days'.", sqlstate=state)
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
