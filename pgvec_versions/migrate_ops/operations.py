"""The operations on the catalog, on collections and on versions, each with its reverse.

Catalog: upgrade, downgrade. Collection: create, drop, refresh. Version: register, abandon,
cut over, roll back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from psycopg.types.json import Jsonb

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.migrate_ops.execute import PgvecOp, Target
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.install import (
    downgrade_script,
    mismatch,
    needs_pgvector,
    upgrade_script,
)


@dataclass
class UpgradePgvecOp(PgvecOp):
    """Upgrades the catalog to ``version``, and replaces functions and views by the package's.

    Effects: creates the extension ``vector`` if it is missing. If the catalog exists already, from
    ``pgvec init`` or another history, only replaces functions and views. With ``--sql``: writes
    the script from ``version - 1`` to ``version``.
    Raises: CatalogMismatch (a newer catalog), RequirementMissing, NotPermitted.
    """

    verb: ClassVar[str] = "upgrade_pgvec"
    version: int = 1

    def run(self, target: Target) -> None:
        """Sends the statements."""
        latest = sqlfiles.latest_catalog_version()
        _check_version(self.version, 1, latest)
        with needs_pgvector():
            target.script(sqlfiles.step("extension"))
        found = self.version - 1 if target.offline else _installed(target)
        if found > latest:
            raise mismatch(found, latest)
        target.script(upgrade_script(found, max(found, self.version)))

    def reverse(self) -> DowngradePgvecOp:
        """A downgrade to the version before."""
        return DowngradePgvecOp(self.version - 1)


@dataclass
class DowngradePgvecOp(PgvecOp):
    """Downgrades the catalog to ``version``. At 0 only the extension ``vector`` is left.

    Effects: none if the catalog is not above ``version``. With ``--sql``: writes the script from
    ``version + 1``.
    Raises: CatalogMismatch (PV008) while a collection exists, or if the catalog is newer.
    """

    verb: ClassVar[str] = "downgrade_pgvec"
    version: int = 0

    def run(self, target: Target) -> None:
        """Sends the statements."""
        latest = sqlfiles.latest_catalog_version()
        _check_version(self.version, 0, latest - 1)
        found = self.version + 1 if target.offline else _installed(target)
        if found > latest:
            raise mismatch(found, latest)
        if found > self.version:
            target.script(downgrade_script(found, self.version))

    def reverse(self) -> UpgradePgvecOp:
        """An upgrade to the next version."""
        return UpgradePgvecOp(self.version + 1)


def _check_version(version: int, least: int, most: int) -> None:
    if not least <= version <= most:
        raise InvalidArgument(
            f"this package has no catalog version {version}: it has {least} to {most}.",
            hint="Upgrade the package (pip install -U pgvec-versions), or correct the number.",
            detail={"version": version, "least": least, "most": most},
        )


def _installed(target: Target) -> int:
    return int(target.one("installed_version") or 0) if target.one("catalog_exists") else 0


@dataclass
class CreateCollectionOp(PgvecOp):
    """Creates a collection: chunk table and empty routing view, in the current schema.

    Units: ``retire_after`` is a timedelta, or a text that PostgreSQL reads as an interval.
    Raises: AlreadyExists, InvalidName, InvalidArgument.
    """

    verb: ClassVar[str] = "create_collection"
    collection: str
    _: dataclasses.KW_ONLY
    distance: str = "cosine"
    storage: str = "vector"
    id_type: str = "uuid"
    retire_after: str | timedelta = "7 days"
    require_query_version: bool = True
    follow_while_draining: bool = True

    def run(self, target: Target) -> None:
        """Sends the statements."""
        target.one("create_collection", self.arguments())

    def reverse(self) -> DropCollectionOp:
        """Drops it with everything in it."""
        dropped = DropCollectionOp(self.collection)
        dropped.created = self
        return dropped


@dataclass
class DropCollectionOp(PgvecOp):
    """Drops a collection with all its chunks, versions and views. Its events stay.

    Raises: UnknownCollection; a database error if an object of the host depends on it.
    """

    verb: ClassVar[str] = "drop_collection"
    collection: str
    created: CreateCollectionOp | None = field(default=None, init=False, repr=False, compare=False)

    def run(self, target: Target) -> None:
        """Sends the statements."""
        target.one("drop_collection", self.arguments())

    def reverse(self) -> CreateCollectionOp:
        """The create that this reverses. Raises: NotImplementedError if there is none."""
        if self.created is None:
            raise NotImplementedError(
                "drop_collection does not know how the collection was created"
            )
        return self.created


@dataclass
class RegisterModelVersionOp(PgvecOp):
    """Registers a version: its label, its embedder, and an empty leaf that follows writes.

    ``embedder`` is the result of ``EmbedderIdentity.to_json()``: data, never code.
    Effects: none if a live version has exactly these arguments. So a label that ``pgvec upgrade``
    registered, or that outlived a downgrade, does not stop the history. The reverse abandons the
    version, and you cannot use an abandoned label again: after a downgrade past this operation, an
    upgrade needs a new label, or a downgrade that drops the collection.
    Raises: AlreadyExists, InvalidName, InvalidArgument, UnknownCollection, LockTimeout.
    """

    verb: ClassVar[str] = "register_model_version"
    collection: str
    model_version: str
    _: dataclasses.KW_ONLY
    dimensions: int
    embedder: Mapping[str, Any] = field(default_factory=dict[str, Any])
    m: int = 16
    ef_construction: int = 64

    def run(self, target: Target) -> None:
        """Sends the statements."""
        values = {**self.arguments(), "embedder": Jsonb(dict(self.embedder))}
        target.one("register_unless_there", values)

    def reverse(self) -> AbandonOp:
        """Abandons it, unless it was active once: then it stays as it is, draining or active."""
        given_up = AbandonOp(self.collection, self.model_version, unless_activated=True)
        given_up.registered = self
        return given_up


@dataclass
class AbandonOp(PgvecOp):
    """Gives up a version that was never active. The next retirement drops its leaf.

    You cannot use its label again. ``unless_activated``: leaves a version that was active as it is
    (a draining one retires when it is due); the reverse of a registration needs that.
    Raises: WrongState, UnknownVersion, UnknownCollection, LockTimeout.
    """

    verb: ClassVar[str] = "abandon"
    collection: str
    model_version: str
    _: dataclasses.KW_ONLY
    unless_activated: bool = False
    registered: RegisterModelVersionOp | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def run(self, target: Target) -> None:
        """Sends the statements."""
        name = "abandon_unless_activated" if self.unless_activated else "abandon"
        target.one(name, {"collection": self.collection, "model_version": self.model_version})

    def reverse(self) -> RegisterModelVersionOp:
        """The registration that this reverses. Raises: NotImplementedError if there is none."""
        if self.registered is None:
            raise NotImplementedError("an abandoned label is never used again")
        return self.registered


@dataclass
class CutOverOp(PgvecOp):
    """Makes a version active; the previous one drains.

    Effects: if the version is building, first builds its index and checks it, in the same
    transaction. That suits an empty or small version; make a large one ready before the migration
    (``pgvec upgrade``). Rolls forward to a version that a downgrade rolled back from. Does nothing
    if the version is active already.
    Raises: NotReady (a chunk is missing), WrongState, LockTimeout.
    """

    verb: ClassVar[str] = "cut_over"
    collection: str
    model_version: str

    def run(self, target: Target) -> None:
        """Sends the statements."""
        for name in ("build_index_if_building", "make_ready_if_building", "activate"):
            target.one(name, self.arguments())

    def reverse(self) -> RollBackOp:
        """A roll-back of this cut-over."""
        return RollBackOp(self.collection, cut_over_to=self.model_version)


@dataclass
class RollBackOp(PgvecOp):
    """Makes the version active again that was active last; the current one drains.

    With ``cut_over_to``, reverses only that cut-over: does nothing if that version is not active,
    or was the first one. Use it in ``downgrade``.
    Raises: WrongState (no version to go back to), NotReady (it must catch up), LockTimeout.
    """

    verb: ClassVar[str] = "roll_back"
    collection: str
    _: dataclasses.KW_ONLY
    cut_over_to: str | None = None

    def run(self, target: Target) -> None:
        """Sends the statements."""
        if self.cut_over_to is None:
            target.one("roll_back_now", {"collection": self.collection})
        else:
            values = {"collection": self.collection, "model_version": self.cut_over_to}
            target.one("take_back_cut_over", values)

    def reverse(self) -> CutOverOp | RollBackOp:
        """The same cut-over; without its label, another roll-back, which leads forward again."""
        if self.cut_over_to is None:
            return RollBackOp(self.collection)
        return CutOverOp(self.collection, self.cut_over_to)


@dataclass
class RefreshCollectionOp(PgvecOp):
    """Updates leaves and views after the host changed the chunk table's columns or policies.

    Call it after ``op.add_column``. Call it before ``op.drop_column``, or a change of a column's
    type, with the column in ``without``: then the views no longer depend on it. After a change of
    type, call it again.
    Raises: UnknownCollection, InvalidArgument (the column is not the host's own), LockTimeout.
    """

    verb: ClassVar[str] = "refresh_collection"
    collection: str
    _: dataclasses.KW_ONLY
    without: Sequence[str] = ()

    def run(self, target: Target) -> None:
        """Sends the statements."""
        values = {"collection": self.collection, "without": list(self.without)}
        target.one("refresh_collection", values)

    def reverse(self) -> RefreshCollectionOp:
        """The same: a refresh takes the chunk table as it is."""
        return RefreshCollectionOp(self.collection)
