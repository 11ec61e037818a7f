"""The operations on the catalog, on collections and on versions, and the way back from each.

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

__all__ = [
    "AbandonOp",
    "CreateCollectionOp",
    "CutOverOp",
    "DowngradePgvecOp",
    "DropCollectionOp",
    "RefreshCollectionOp",
    "RegisterModelVersionOp",
    "RollBackOp",
    "UpgradePgvecOp",
]


@dataclass
class UpgradePgvecOp(PgvecOp):
    """Brings the catalog to ``version``, and functions and views to what the package has.

    Effects: creates the extension ``vector`` if it is missing. A catalog that is there
    already, from ``pgvec init`` or another history, only has its functions refreshed. Under
    ``--sql``: the script from ``version - 1`` to ``version``.
    Raises: CatalogMismatch (a newer catalog), RequirementMissing, NotPermitted.
    """

    verb: ClassVar[str] = "upgrade_pgvec"
    version: int = 1

    def run(self, target: Target) -> None:
        """See the class."""
        latest = sqlfiles.latest_catalog_version()
        _check_version(self.version, 1, latest)
        with needs_pgvector():
            target.script(sqlfiles.step("extension"))
        found = self.version - 1 if target.offline else _installed(target)
        if found > latest:
            raise mismatch(found, latest)
        target.script(upgrade_script(found, max(found, self.version)))

    def reverse(self) -> DowngradePgvecOp:
        """The way back to the version before."""
        return DowngradePgvecOp(self.version - 1)


@dataclass
class DowngradePgvecOp(PgvecOp):
    """Takes the catalog down to ``version``; at 0 nothing of ours is left but the extension.

    Effects: nothing where the catalog is not above ``version``. Under ``--sql``: the script from
    ``version + 1``.
    Raises: CatalogMismatch (PV008) while a collection exists, or for a newer catalog.
    """

    verb: ClassVar[str] = "downgrade_pgvec"
    version: int = 0

    def run(self, target: Target) -> None:
        """See the class."""
        latest = sqlfiles.latest_catalog_version()
        _check_version(self.version, 0, latest - 1)
        found = self.version + 1 if target.offline else _installed(target)
        if found > latest:
            raise mismatch(found, latest)
        if found > self.version:
            target.script(downgrade_script(found, self.version))

    def reverse(self) -> UpgradePgvecOp:
        """The next version again."""
        return UpgradePgvecOp(self.version + 1)


def _check_version(version: int, least: int, most: int) -> None:
    if not least <= version <= most:
        raise InvalidArgument(
            f"catalog version {version} is not to be had here: this package has {least} to {most}.",
            hint="Upgrade the package (pip install -U pgvec-versions), or correct the number.",
            detail={"version": version, "least": least, "most": most},
        )


def _installed(target: Target) -> int:
    return int(target.one("installed_version") or 0) if target.one("catalog_exists") else 0


@dataclass
class CreateCollectionOp(PgvecOp):
    """Creates a collection: chunk table and empty routing view, in the current schema.

    Units: ``retire_after`` is a timedelta or what PostgreSQL reads as an interval.
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
        """See the class."""
        target.one("create_collection", self.arguments())

    def reverse(self) -> DropCollectionOp:
        """Drops it, with everything it holds by then."""
        dropped = DropCollectionOp(self.collection)
        dropped.created = self
        return dropped


@dataclass
class DropCollectionOp(PgvecOp):
    """Drops a collection with all its chunks, versions and views; the events stay.

    Raises: UnknownCollection; a database error when something of the host's depends on it.
    """

    verb: ClassVar[str] = "drop_collection"
    collection: str
    created: CreateCollectionOp | None = field(default=None, init=False, repr=False, compare=False)

    def run(self, target: Target) -> None:
        """See the class."""
        target.one("drop_collection", self.arguments())

    def reverse(self) -> CreateCollectionOp:
        """Known only when this is the reverse of a create. Raises: NotImplementedError."""
        if self.created is None:
            raise NotImplementedError(
                "drop_collection does not know how the collection was created"
            )
        return self.created


@dataclass
class RegisterModelVersionOp(PgvecOp):
    """Registers a version: label, embedder's identity, and an empty leaf that follows writes.

    ``embedder`` is what ``EmbedderIdentity.to_json()`` gives: data, never code.
    Effects: a version that is live with the very same arguments is left as it is, so that a label
    that ``pgvec upgrade`` registered, or one that outlived a downgrade, does not stop the history.
    The reverse abandons the version, and an abandoned label is never used again: after a downgrade
    past this operation, going up again needs a new label, or a downgrade that drops the collection.
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
        """See the class."""
        values = {**self.arguments(), "embedder": Jsonb(dict(self.embedder))}
        target.one("register_unless_there", values)

    def reverse(self) -> AbandonOp:
        """Abandons it, unless it was active once: then it drains or stays active as it does now."""
        given_up = AbandonOp(self.collection, self.model_version, unless_activated=True)
        given_up.registered = self
        return given_up


@dataclass
class AbandonOp(PgvecOp):
    """Gives up a version before it was ever active. Its label is never used again; its leaf goes
    with the next retirement.

    ``unless_activated`` leaves a version that was active where it is (draining: it retires when it
    is due), as the downgrade of a registration wants it.
    Raises: WrongState, UnknownVersion, UnknownCollection, LockTimeout.
    """  # noqa: D205

    verb: ClassVar[str] = "abandon"
    collection: str
    model_version: str
    _: dataclasses.KW_ONLY
    unless_activated: bool = False
    registered: RegisterModelVersionOp | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def run(self, target: Target) -> None:
        """See the class."""
        name = "abandon_unless_activated" if self.unless_activated else "abandon"
        target.one(name, {"collection": self.collection, "model_version": self.model_version})

    def reverse(self) -> RegisterModelVersionOp:
        """Known only when this is the reverse of a registration. Raises: NotImplementedError."""
        if self.registered is None:
            raise NotImplementedError("an abandoned label is never used again")
        return self.registered


@dataclass
class CutOverOp(PgvecOp):
    """Makes a version active; the previous one drains.

    Effects: a version that is building is indexed and checked first, in the same transaction: an
    empty or small one can go all the way in a migration, a large one is better made ready before
    (``pgvec upgrade``). A version that a downgrade rolled back from is rolled forward; one that is
    active already stays so.
    Raises: NotReady while a chunk is missing, WrongState, LockTimeout.
    """

    verb: ClassVar[str] = "cut_over"
    collection: str
    model_version: str

    def run(self, target: Target) -> None:
        """See the class."""
        for name in ("build_index_if_building", "make_ready_if_building", "activate"):
            target.one(name, self.arguments())

    def reverse(self) -> RollBackOp:
        """Back to the version that was active before."""
        return RollBackOp(self.collection, cut_over_to=self.model_version)


@dataclass
class RollBackOp(PgvecOp):
    """Makes the version active again that was active last; the present one drains.

    With ``cut_over_to``, takes back that cut-over only: nothing happens when that version is not
    active, or when it was the first, with nothing before it. Use that in ``downgrade``.
    Raises: WrongState (nothing to go back to), NotReady (it must catch up), LockTimeout.
    """

    verb: ClassVar[str] = "roll_back"
    collection: str
    _: dataclasses.KW_ONLY
    cut_over_to: str | None = None

    def run(self, target: Target) -> None:
        """See the class."""
        if self.cut_over_to is None:
            target.one("roll_back_now", {"collection": self.collection})
        else:
            values = {"collection": self.collection, "model_version": self.cut_over_to}
            target.one("take_back_cut_over", values)

    def reverse(self) -> CutOverOp | RollBackOp:
        """The cut-over again; without its label, a roll-back, which goes to the one active last."""
        if self.cut_over_to is None:
            return RollBackOp(self.collection)
        return CutOverOp(self.collection, self.cut_over_to)


@dataclass
class RefreshCollectionOp(PgvecOp):
    """Brings leaves and views up to the chunk table, whose columns or policies the host changed.

    After ``op.add_column``. Before ``op.drop_column`` or a change of a column's type, with that
    column in ``without``: the views depend on it and let it go; refresh once more after a change
    of type.
    Raises: UnknownCollection, InvalidArgument (a column that is not the host's own), LockTimeout.
    """

    verb: ClassVar[str] = "refresh_collection"
    collection: str
    _: dataclasses.KW_ONLY
    without: Sequence[str] = ()

    def run(self, target: Target) -> None:
        """See the class."""
        values = {"collection": self.collection, "without": list(self.without)}
        target.one("refresh_collection", values)

    def reverse(self) -> RefreshCollectionOp:
        """The same: what is refreshed is what stands there."""
        return RefreshCollectionOp(self.collection)
