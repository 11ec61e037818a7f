"""What can go wrong, as one tree.

::

    PgvecError                      exit  SQLSTATE
    ├── UnknownName                    4
    │   ├── UnknownCollection          4  PV001
    │   └── UnknownVersion             4  PV002
    ├── InvalidInput                   2
    │   ├── InvalidName                2  PV003
    │   ├── InvalidArgument            2  PV007
    │   ├── InvalidVector              2  PV015
    │   ├── ConfigError                2
    │   └── UnreadableFile             2
    ├── Refused                        3
    │   ├── AlreadyExists              3  PV004
    │   ├── WrongState                 3  PV005
    │   ├── NotReady                   3  PV006
    │   ├── Busy                       3  PV009
    │   ├── Paused                     3  PV060
    │   ├── VersionNotWritable         3  PV023
    │   ├── ReadOnlyView               3  PV050
    │   ├── PoliciesChanged            3  PV051
    │   ├── LeaseLost                  3  PV031
    │   ├── NotArchived                3  PV040
    │   ├── ArchiveMismatch            3  PV041
    │   ├── FingerprintMissing         3  PV071
    │   ├── FingerprintTooLate         3  PV072
    │   └── GateRefused                3  PV080
    ├── GuardError                     6
    │   ├── QueryVersionMismatch       6  PV011
    │   ├── QueryVersionNotDeclared    6  PV012
    │   ├── VersionNotQueryable        6  PV013
    │   ├── EmbedderMismatch           6  PV014
    │   ├── EmbedderMissing            6
    │   ├── StaleVector                6  PV021
    │   ├── RelabelRefused             6  PV022
    │   ├── StaleSnapshot              6  40001
    │   └── FingerprintMismatch        6  PV070
    ├── EmbedderError                  7
    │   ├── EmbedderFailed             7
    │   ├── EmbedderUnavailable        7
    │   └── BadEmbedding               7
    └── ServerError                    5
        ├── DatabaseUnavailable        5
        ├── RequirementMissing         5  PV010
        ├── CatalogNotInstalled        5
        ├── CatalogMismatch            5  PV008
        ├── NotPermitted               5  42501
        └── LockTimeout                5  55P03

Exit 0 is success, 1 is a defect of this program, 130 is Ctrl-C.

Every error carries data: ``sqlstate``, ``detail`` (the JSON that the database sent, as a dict) and
``hint``. Codes are mapped, never message text.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import psycopg

__all__ = [
    "AlreadyExists",
    "ArchiveMismatch",
    "BadEmbedding",
    "Busy",
    "CatalogMismatch",
    "CatalogNotInstalled",
    "ConfigError",
    "DatabaseUnavailable",
    "EmbedderError",
    "EmbedderFailed",
    "EmbedderMismatch",
    "EmbedderMissing",
    "EmbedderUnavailable",
    "FingerprintMismatch",
    "FingerprintMissing",
    "FingerprintTooLate",
    "GateRefused",
    "GuardError",
    "InvalidArgument",
    "InvalidInput",
    "InvalidName",
    "InvalidVector",
    "LeaseLost",
    "LockTimeout",
    "NotArchived",
    "NotPermitted",
    "NotReady",
    "Paused",
    "PgvecError",
    "PoliciesChanged",
    "QueryVersionMismatch",
    "QueryVersionNotDeclared",
    "ReadOnlyView",
    "Refused",
    "RelabelRefused",
    "RequirementMissing",
    "ServerError",
    "StaleSnapshot",
    "StaleVector",
    "UnknownCollection",
    "UnknownName",
    "UnknownVersion",
    "UnreadableFile",
    "VersionNotQueryable",
    "VersionNotWritable",
    "WrongState",
    "error_for",
    "translated",
]


class PgvecError(Exception):
    """Any error this package raises on purpose.

    ``exit_code`` is what the command line ends with; ``code`` is the SQLSTATE of the class, if it
    has one; ``sqlstate`` is the one that this instance came with.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        detail: Mapping[str, Any] | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail: dict[str, Any] = dict(detail or {})
        self.sqlstate = sqlstate or self.code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UnknownName(PgvecError):
    """A collection or a version that the catalog does not know."""

    exit_code = 4


class UnknownCollection(UnknownName):
    """No collection of that name."""

    code = "PV001"


class UnknownVersion(UnknownName):
    """No version of that label in the collection."""

    code = "PV002"


class InvalidInput(PgvecError):
    """The caller's own words or data are off; nothing was changed."""

    exit_code = 2


class InvalidName(InvalidInput):
    """A collection name or a label that does not fit an identifier."""

    code = "PV003"


class InvalidArgument(InvalidInput):
    """A value outside what the argument takes."""

    code = "PV007"


class InvalidVector(InvalidInput):
    """Wrong number of dimensions, a zero vector, or one that is not finite."""

    code = "PV015"


class ConfigError(InvalidInput):
    """``pgvec.toml`` or the environment does not say what is needed."""


class UnreadableFile(InvalidInput):
    """A file that is missing or is not text."""


class Refused(PgvecError):
    """A verb that the present state does not allow; nothing was changed."""

    exit_code = 3


class AlreadyExists(Refused):
    """A collection, a table or a label that exists; labels are never used twice."""

    code = "PV004"


class WrongState(Refused):
    """The version is not in a state that the verb starts from."""

    code = "PV005"


class NotReady(Refused):
    """A check before ``ready`` or before the cut-over failed; ``detail`` says which."""

    code = "PV006"


class Busy(Refused):
    """Another session is at the same work."""

    code = "PV009"


class Paused(Refused):
    """An operator has paused the version's transition; nothing was changed."""

    code = "PV060"


class VersionNotWritable(Refused):
    """Rows of an unknown, abandoned or retired version have nowhere to go."""

    code = "PV023"


class ReadOnlyView(Refused):
    """A routing or pinned view is read, not written; ``detail`` names the collection."""

    code = "PV050"


class PoliciesChanged(Refused):
    """The chunk table's row-level security changed and a version does not have it yet.

    Nothing is read until ``pgvec.refresh_collection`` has run; ``detail`` names the version.
    """

    code = "PV051"


class LeaseLost(Refused):
    """A worker came back after its lease; what it brought was not written."""

    code = "PV031"


class NotArchived(Refused):
    """Nothing of the version was kept, so there is nothing to restore."""

    code = "PV040"


class ArchiveMismatch(Refused):
    """What was kept is not what it was recorded as, or the chunk table changed since."""

    code = "PV041"


class GateRefused(Refused):
    """The collection's gate stops the version; ``detail`` has the numbers in ``failures``."""

    code = "PV080"


class FingerprintMissing(Refused):
    """The version has no canaries, and what was asked for needs them."""

    code = "PV071"


class FingerprintTooLate(Refused):
    """The version has a fingerprint, or holds chunks that nobody compared with one."""

    code = "PV072"


class GuardError(PgvecError):
    """A query or a write that would have mixed two versions; it did not happen."""

    exit_code = 6


class QueryVersionMismatch(GuardError):
    """The query vector's version is not the version of the rows."""

    code = "PV011"


class QueryVersionNotDeclared(GuardError):
    """The session did not say which version made its query vector."""

    code = "PV012"


class VersionNotQueryable(GuardError):
    """That version is not ready, active or draining."""

    code = "PV013"


class EmbedderMismatch(GuardError):
    """The embedder at hand is not the one the version was registered with.

    ``differences`` maps each field to ``(stored, given)``.
    """

    code = "PV014"

    def __init__(
        self,
        message: str,
        *,
        differences: Mapping[str, tuple[Any, Any]] | None = None,
        **data: Any,
    ) -> None:
        super().__init__(message, **data)
        self.differences = dict(differences or {})


class EmbedderMissing(GuardError):
    """No embedder at hand for the version that is needed."""


class StaleVector(GuardError):
    """Content was changed without a new embedding."""

    code = "PV021"


class RelabelRefused(GuardError):
    """A row's ``model_version`` never changes."""

    code = "PV022"


class StaleSnapshot(GuardError):
    """The transaction's snapshot is older than the cut-over: run the transaction again."""

    code = "40001"


class FingerprintMismatch(GuardError):
    """The embedder bears the right name and does not make the version's vectors."""

    code = "PV070"


class EmbedderError(PgvecError):
    """The embedder, not the database, is at fault; nothing was written."""

    exit_code = 7


class EmbedderFailed(EmbedderError):
    """The model or the endpoint raised an error for these texts."""


class EmbedderUnavailable(EmbedderError):
    """The endpoint cannot be reached or keeps asking to wait."""


class BadEmbedding(EmbedderError):
    """Wrong number or shape of vectors, a zero vector, or one that is not finite."""


class ServerError(PgvecError):
    """The database is not there, not allowed, or not what is needed."""

    exit_code = 5


class DatabaseUnavailable(ServerError):
    """No connection to the database."""


class RequirementMissing(ServerError):
    """pgvector or PostgreSQL is missing or too old."""

    code = "PV010"


class CatalogNotInstalled(ServerError):
    """Schema ``pgvec`` is not in this database."""


class CatalogMismatch(ServerError):
    """The catalog is of another version than this package, or is in use."""

    code = "PV008"


class NotPermitted(ServerError):
    """The role lacks a privilege."""

    code = "42501"


class LockTimeout(ServerError):
    """A lock was not to be had in time; nothing was changed, try again."""

    code = "55P03"


def _descendants(cls: type[PgvecError]) -> Iterator[type[PgvecError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


_BY_CODE: dict[str, type[PgvecError]] = {c.code: c for c in _descendants(PgvecError) if c.code}

#: What the CHECKs of a leaf stand for.
_VECTOR_CHECKS = {
    "pgvec_dimensions": "a vector has another number of dimensions than its version.",
    "pgvec_not_zero": "a vector is all zeros: it has no direction to compare.",
}
#: No such schema, function, table.
_NO_SUCH_NAME = ("3F000", "42883", "42P01")
#: NUL, half a surrogate pair: text that PostgreSQL does not store.
_UNSTORABLE_TEXT = ("22021", "22P05")


def _json_detail(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # a host's own: ours is never so deep
        return {"text": text}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"value": value}


def error_for(exc: BaseException) -> PgvecError | None:
    """The error of this tree that a database exception stands for, or None for a foreign one.

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
    if state is None and not isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    if state is None or state.startswith(("08", "57P", "3D", "28")):
        first = (message.splitlines() or ["no connection"])[0]
        return DatabaseUnavailable(
            f"cannot use the database: {first.rstrip('.')}.",
            hint="Check that it runs and that --database-url or PGVEC_DATABASE_URL is right.",
            sqlstate=state,
        )
    cls = _BY_CODE.get(state)
    if cls is not None:
        hint = diag.message_hint
        if cls is NotPermitted:
            hint = hint or "Ask the owner of the collection for the privilege."
        if cls is LockTimeout:
            hint = hint or "Nothing was changed; try again, or find who holds the lock."
        return cls(message, hint=hint, detail=_json_detail(diag.message_detail), sqlstate=state)
    if state == "40P01":
        return LockTimeout(f"{message}.", hint="Nothing was changed; try again.", sqlstate=state)
    if state == "23514" and diag.constraint_name in _VECTOR_CHECKS:
        return InvalidVector(
            _VECTOR_CHECKS[diag.constraint_name],
            hint="Nothing was written. Was it made by another model?",
            detail={"constraint": diag.constraint_name, "leaf": diag.table_name},
            sqlstate=state,
        )
    if state == "23514" and diag.constraint_name is None:
        return VersionNotWritable(
            message,
            hint="Its model_version has no partition: unknown, or retired. Register it first.",
            sqlstate=state,
        )
    return None


def names_nothing(exc: BaseException) -> bool:
    """Whether a name that a statement used does not exist: then the catalog may not be there.

    Such an error does not say whose name it was: a host's own function that a trigger or a policy
    calls may be gone, too. Whoever has the connection asks the catalog; see ``database``.
    """
    return getattr(getattr(exc, "orig", None) or exc, "sqlstate", None) in _NO_SUCH_NAME


def catalog_not_installed(sqlstate: str | None = None) -> CatalogNotInstalled:
    """The error, with the way out."""
    return CatalogNotInstalled(
        "the pgvec catalog is not in this database.", hint="Run: pgvec init", sqlstate=sqlstate
    )


@contextmanager
def translated() -> Generator[None]:
    """Raise this tree's errors for the database's; let foreign ones through unchanged."""
    try:
        yield
    except Exception as exc:
        mine = translation(exc)
        if mine is None:
            raise
        raise mine from exc


def translation(exc: BaseException | None) -> PgvecError | None:
    """This tree's error for one of the database's; None for any other, ours among them."""
    if not isinstance(exc, Exception) or isinstance(exc, PgvecError):
        return None
    return error_for(exc)
