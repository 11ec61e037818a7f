"""The classes of the tree that is drawn in ``pgvec_versions.errors``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

_ENDS_OF_SENTENCE = (".", "!", "?", ":")


class PgvecError(Exception):
    """Any error this package raises on purpose.

    ``exit_code`` is the exit code of the command line; ``code`` is the SQLSTATE of the class, if it
    has one; ``sqlstate`` is the one the database sent with this error.
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
        if not self.hint:
            return self.message
        # PostgreSQL's own messages have no full stop.
        stop = "" if self.message.endswith(_ENDS_OF_SENTENCE) else "."
        return f"{self.message}{stop} {self.hint}"


class UnknownName(PgvecError):
    """A collection or a version that the catalog does not know."""

    exit_code = 4


class UnknownCollection(UnknownName):
    """No collection of that name."""

    code = "PV001"


class UnknownVersion(UnknownName):
    """No version of that label in the collection."""

    code = "PV002"


class UnknownObject(UnknownName):
    """A role, or another object of PostgreSQL, that does not exist."""

    code = "42704"


class InvalidInput(PgvecError):
    """A name, a value or a file that you gave is wrong; nothing was changed."""

    exit_code = 2


class InvalidName(InvalidInput):
    """A collection name or a label that cannot be an identifier."""

    code = "PV003"


class InvalidArgument(InvalidInput):
    """A value that the argument does not take."""

    code = "PV007"


class InvalidVector(InvalidInput):
    """A vector has the wrong number of dimensions, is all zeros, or is not finite."""

    code = "PV015"


class ConfigError(InvalidInput):
    """A setting in ``pgvec.toml`` or the environment is missing or wrong."""


class UnreadableFile(InvalidInput):
    """A file that is missing or is not text."""


class Refused(PgvecError):
    """The current state does not allow the verb; nothing was changed."""

    exit_code = 3


class AlreadyExists(Refused):
    """The collection, table or label exists already; a label is never used twice."""

    code = "PV004"


class WrongState(Refused):
    """The version is in a state from which the verb does not start."""

    code = "PV005"


class NotReady(Refused):
    """A check before ``ready`` or before the cut-over failed; ``detail`` says which."""

    code = "PV006"


class Busy(Refused):
    """Another session is doing the same work."""

    code = "PV009"


class Paused(Refused):
    """An operator has paused the version's transition; nothing was changed."""

    code = "PV060"


class VersionNotWritable(Refused):
    """The version is unknown, abandoned or retired: there is no leaf for its rows."""

    code = "PV023"


class ReadOnlyView(Refused):
    """Routing views and pinned views are read-only; ``detail`` names the collection."""

    code = "PV050"


class PoliciesChanged(Refused):
    """The chunk table's row-level security changed, and a version does not have the change yet.

    Reads are refused until you run ``pgvec.refresh_collection``; ``detail`` names the version.
    """

    code = "PV051"


class LeaseLost(Refused):
    """The worker's lease has run out; its vectors were not written."""

    code = "PV031"


class NotArchived(Refused):
    """No archive of the version exists, so there is nothing to restore."""

    code = "PV040"


class ArchiveMismatch(Refused):
    """The archive differs from its record, or the chunk table has changed since then."""

    code = "PV041"


class DependentObjects(Refused):
    """Something of yours depends on what the verb would drop; ``detail`` says what."""

    code = "2BP01"


class GateRefused(Refused):
    """The collection's gate stops the version; ``detail`` has the numbers in ``failures``."""

    code = "PV080"


class FingerprintMissing(Refused):
    """The verb needs the version's canaries, and it has none."""

    code = "PV071"


class FingerprintTooLate(Refused):
    """The version already has a fingerprint, or holds chunks that were written without one."""

    code = "PV072"


class GuardError(PgvecError):
    """A query or a write that would have mixed two versions; it was refused."""

    exit_code = 6


class QueryVersionMismatch(GuardError):
    """The query vector and the rows are of different versions."""

    code = "PV011"


class QueryVersionNotDeclared(GuardError):
    """The session did not say which version made its query vector."""

    code = "PV012"


class VersionNotQueryable(GuardError):
    """That version is not ready, active or draining."""

    code = "PV013"


class EmbedderMismatch(GuardError):
    """The embedder you gave is not the one the version was registered with.

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
    """You gave no embedder for the version that is needed."""


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
    """The embedder has the right name but does not make the version's vectors."""

    code = "PV070"


class EmbedderError(PgvecError):
    """The embedder failed, not the database; nothing was written."""

    exit_code = 7


class EmbedderFailed(EmbedderError):
    """The model or the endpoint raised an error for these texts."""


class EmbedderUnavailable(EmbedderError):
    """The endpoint cannot be reached or keeps asking to wait."""


class BadEmbedding(EmbedderError):
    """The embedder returned the wrong number or shape of vectors, zeros, or infinities or NaN."""


class ServerError(PgvecError):
    """The database cannot be reached, or lacks a permission or a requirement."""

    exit_code = 5


class DatabaseUnavailable(ServerError):
    """No connection to the database, or the server is stopping or starting."""


class OutOfResources(ServerError):
    """The server ran out of something; the statement was undone. Try again when it has more."""


class DiskFull(OutOfResources):
    """The server's disk is full."""

    code = "53100"


class OutOfMemory(OutOfResources):
    """The server has no memory left for the statement, or its lock table is full."""

    code = "53200"


class TooManyConnections(OutOfResources):
    """The server, the database or the role has no free connection."""

    code = "53300"


class ReadOnlyDatabase(ServerError):
    """The server or the transaction is read-only: a standby, or a setting."""

    code = "25006"


class StatementCancelled(ServerError):
    """Somebody or a time limit cancelled the statement; the statement was undone."""

    code = "57014"


class RequirementMissing(ServerError):
    """pgvector or PostgreSQL is missing or too old."""

    code = "PV010"


class CatalogNotInstalled(ServerError):
    """Schema ``pgvec`` is not in this database."""


class CatalogMismatch(ServerError):
    """The catalog has another version than this package, or is in use."""

    code = "PV008"


class NotPermitted(ServerError):
    """The role lacks a privilege."""

    code = "42501"


class LockTimeout(ServerError):
    """A lock did not become free in time; nothing was changed, try again."""

    code = "55P03"
