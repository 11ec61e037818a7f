"""Alembic operations for the catalog, collections and versions: one linear history, the host's.

In a host's ``env.py``, once::

    from pgvec_versions import migrate_ops

    context.configure(
        ...,
        include_name=migrate_ops.include_name,
        include_object=migrate_ops.include_object,
    )

In its migrations (this ``op`` is Alembic's own, with the operations declared for type checkers;
after the import, ``alembic.op`` has them too)::

    from pgvec_versions.migrate_ops import op

    def upgrade() -> None:
        op.upgrade_pgvec(version=1)
        op.create_collection("docs", distance="cosine")
        op.register_model_version("docs", "minilm-1", dimensions=384, embedder={...})
        op.cut_over("docs", "minilm-1")

    def downgrade() -> None:
        op.drop_collection("docs")
        op.downgrade_pgvec(version=0)

Every operation runs in the migration's own transaction, or writes what psql needs under ``--sql``.
Refusals end the command with one line (``alembic.util.CommandError``, whose ``__cause__`` is the
package's own error). The URL of the migrations names psycopg: ``postgresql+psycopg://…``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Generator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Generic, ParamSpec, cast

import pgvector.sqlalchemy  # noqa: F401  # pyright: ignore[reportUnusedImport]
from alembic import op as _alembic_op
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.util import CommandError
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Column, Index, Table
from sqlalchemy.schema import SchemaItem

from pgvec_versions import sqlfiles
from pgvec_versions.errors import InvalidArgument, PgvecError, RequirementMissing, translated
from pgvec_versions.install import downgrade_script, mismatch, needs_pgvector, upgrade_script

__all__ = [
    "VERSION_TABLE",
    "AbandonOp",
    "CreateCollectionOp",
    "CutOverOp",
    "DowngradePgvecOp",
    "DropCollectionOp",
    "GrantReadOp",
    "GrantWorkerOp",
    "GrantWriteOp",
    "PgvecOperations",
    "RefreshCollectionOp",
    "RegisterModelVersionOp",
    "RevokeReadOp",
    "RevokeWorkerOp",
    "RevokeWriteOp",
    "RollBackOp",
    "UpgradePgvecOp",
    "include_name",
    "include_object",
    "one_line_errors",
    "op",
]

#: Where the migrations of this repository keep their place; a host's own are elsewhere.
VERSION_TABLE = "pgvec_alembic_version"


@contextmanager
def one_line_errors() -> Generator[None]:
    """Raise ``CommandError`` for this package's errors: Alembic's command prints it as one line."""
    try:
        with translated():
            yield
    except PgvecError as exc:
        code = f" ({exc.sqlstate})" if exc.sqlstate else ""
        raise CommandError(" ".join(f"{exc}{code}".split())) from exc


# --- Running: against a database, or into a script ---


class _Target:
    """Where statements go: the migration's transaction, or the script that ``--sql`` writes."""

    def __init__(self, operations: Operations) -> None:
        self._context = operations.get_context()
        self.offline = self._context.as_sql

    def script(self, text: str) -> None:
        """Runs several statements; nothing in the text is a placeholder."""
        if self.offline:
            self._context.impl.static_output(text)
        else:
            self._execute(text, None)

    def one(self, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Runs a named statement of ``sql/queries``; online, returns its first value."""
        text = sqlfiles.query(name).as_string(None)
        if self.offline:
            self._context.impl.static_output(_with_literals(text, parameters) + ";")
            return None
        return self._execute(text, parameters)

    def _execute(self, text: str, parameters: Mapping[str, Any] | None) -> Any:
        connection = self._context.connection
        assert connection is not None
        if connection.dialect.driver not in ("psycopg", "psycopg_async"):
            raise RequirementMissing(
                f"the operations of pgvec need the driver psycopg, this connection uses "
                f"{connection.dialect.driver}.",
                hint="Write the URL of the migrations as postgresql+psycopg://….",
                detail={"requirement": "psycopg"},
            )
        # The driver's own cursor: SQLAlchemy would take ":" and "%" in function bodies for its own.
        cursor = connection.connection.cursor()
        try:
            cursor.execute(text, parameters)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
        finally:
            cursor.close()


def _with_literals(text: str, parameters: Mapping[str, Any] | None) -> str:
    """The statement with its values written out, as psycopg would send them."""
    if parameters is None:
        return text
    parts = re.split(r"%\((\w+)\)s", text)
    for position, part in enumerate(parts):
        if position % 2:
            parts[position] = sql.Literal(parameters[part]).as_string(None).strip()
        else:
            parts[position] = part.replace("%%", "%")
    return "".join(parts)


# --- The operations ---


class PgvecOp(MigrateOperation):
    """What all operations share. ``verb`` is the name on ``op``; the fields are its arguments."""

    verb: ClassVar[str]

    @classmethod
    def invoked(cls, operations: Operations, *args: Any, **kwargs: Any) -> Any:
        """What ``op.<verb>(…)`` calls."""
        return operations.invoke(cls(*args, **kwargs))

    def run(self, target: _Target) -> None:
        """Sends the operation's statements to ``target``."""
        raise NotImplementedError

    def arguments(self) -> dict[str, Any]:
        """The fields by name."""
        return {f.name: getattr(self, f.name) for f in _fields(self)}

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """How ``alembic check`` lists the operation."""
        return (self.verb, *self.arguments().values())


def _fields(operation: PgvecOp | type[PgvecOp]) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(cast("Any", operation)) if f.init]


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

    def run(self, target: _Target) -> None:
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

    def run(self, target: _Target) -> None:
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


def _installed(target: _Target) -> int:
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

    def run(self, target: _Target) -> None:
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

    def run(self, target: _Target) -> None:
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

    def run(self, target: _Target) -> None:
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

    def run(self, target: _Target) -> None:
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

    def run(self, target: _Target) -> None:
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

    def run(self, target: _Target) -> None:
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

    Raises: UnknownCollection, LockTimeout.
    """

    verb: ClassVar[str] = "refresh_collection"
    collection: str

    def run(self, target: _Target) -> None:
        """See the class."""
        target.one("refresh_collection", self.arguments())

    def reverse(self) -> RefreshCollectionOp:
        """The same: what is refreshed is what stands there."""
        return RefreshCollectionOp(self.collection)


@dataclass
class _GrantOp(PgvecOp):
    collection: str
    grantee: str
    back: ClassVar[Callable[[str, str], PgvecOp]]

    def run(self, target: _Target) -> None:
        """See the class."""
        target.one(self.verb, self.arguments())

    def reverse(self) -> PgvecOp:
        """Revokes it again."""
        return type(self).back(self.collection, self.grantee)


@dataclass
class _RevokeOp(PgvecOp):
    collection: str
    grantee: str
    back: ClassVar[Callable[[str, str], PgvecOp]]

    def run(self, target: _Target) -> None:
        """See the class."""
        privilege = self.verb.removeprefix("revoke_")
        arguments = sqlfiles.query("revoke_arguments").as_string(None)
        told = _with_literals(arguments, {**self.arguments(), "privilege": privilege})
        # One script: the setting that carries the arguments ends with the transaction.
        target.script(f"{told};\n{sqlfiles.query('revoke').as_string(None)};")

    def reverse(self) -> PgvecOp:
        """Grants it again."""
        return type(self).back(self.collection, self.grantee)


@dataclass
class RevokeReadOp(_RevokeOp):
    """Takes back what ``grant_read`` recorded and gave. Raises: UnknownCollection."""

    verb: ClassVar[str] = "revoke_read"


@dataclass
class RevokeWriteOp(_RevokeOp):
    """Takes back what ``grant_write`` recorded and gave. Raises: UnknownCollection."""

    verb: ClassVar[str] = "revoke_write"


@dataclass
class RevokeWorkerOp(_RevokeOp):
    """Takes back what ``grant_worker`` recorded and gave. Raises: UnknownCollection."""

    verb: ClassVar[str] = "revoke_worker"


@dataclass
class GrantReadOp(_GrantOp):
    """Lets a role query: the views and ``pgvec.nearest``, now and for every later version.

    Raises: UnknownCollection; a database error for an unknown role.
    """

    verb: ClassVar[str] = "grant_read"
    back: ClassVar[Callable[[str, str], PgvecOp]] = RevokeReadOp


@dataclass
class GrantWriteOp(_GrantOp):
    """Lets a role change the rows of the chunk table.

    Raises: UnknownCollection; a database error for an unknown role.
    """

    verb: ClassVar[str] = "grant_write"
    back: ClassVar[Callable[[str, str], PgvecOp]] = RevokeWriteOp


@dataclass
class GrantWorkerOp(_GrantOp):
    """Lets a role do a worker's part: work items and leaves, no DDL.

    Raises: UnknownCollection; a database error for an unknown role.
    """

    verb: ClassVar[str] = "grant_worker"
    back: ClassVar[Callable[[str, str], PgvecOp]] = RevokeWorkerOp


RevokeReadOp.back = GrantReadOp
RevokeWriteOp.back = GrantWriteOp
RevokeWorkerOp.back = GrantWorkerOp


# --- Their names on op, for Alembic and for type checkers ---

P = ParamSpec("P")


class _Declared(Generic[P]):
    """An operation as a method: what its class takes, the method takes."""

    def __init__(self, made_by: Callable[P, PgvecOp]) -> None:
        self._made_by = made_by

    def __get__(self, operations: Operations | None, owner: type) -> Callable[P, None]:
        def invoke(*args: P.args, **kwargs: P.kwargs) -> None:
            assert operations is not None
            operations.invoke(self._made_by(*args, **kwargs))

        invoke.__doc__ = self._made_by.__doc__
        return invoke


class PgvecOperations(Operations):
    """Alembic's operations together with those of pgvec: what ``op`` of this module is."""

    upgrade_pgvec = _Declared(UpgradePgvecOp)
    downgrade_pgvec = _Declared(DowngradePgvecOp)
    create_collection = _Declared(CreateCollectionOp)
    drop_collection = _Declared(DropCollectionOp)
    register_model_version = _Declared(RegisterModelVersionOp)
    abandon = _Declared(AbandonOp)
    cut_over = _Declared(CutOverOp)
    roll_back = _Declared(RollBackOp)
    refresh_collection = _Declared(RefreshCollectionOp)
    grant_read = _Declared(GrantReadOp)
    grant_write = _Declared(GrantWriteOp)
    grant_worker = _Declared(GrantWorkerOp)
    revoke_read = _Declared(RevokeReadOp)
    revoke_write = _Declared(RevokeWriteOp)
    revoke_worker = _Declared(RevokeWorkerOp)


#: Alembic's ``op``, typed. Anything that ``alembic.op`` has is here under the same name.
op: PgvecOperations = cast("PgvecOperations", _alembic_op)


def _run(operations: Operations, operation: PgvecOp) -> None:
    with one_line_errors():
        operation.run(_Target(operations))


def _render(context: AutogenContext, operation: PgvecOp) -> str:
    """The call as Python source; arguments that are at their default are left out."""
    context.imports.add("import pgvec_versions.migrate_ops  # noqa: F401")
    words: list[str] = []
    for declared in _fields(operation):
        value = _plain(getattr(operation, declared.name))
        required = (
            declared.default is dataclasses.MISSING
            and declared.default_factory is dataclasses.MISSING
        )
        if required and not declared.kw_only:
            words.append(repr(value))
        elif required or value != _default(declared):
            words.append(f"{declared.name}={value!r}")
    prefix = (context.opts or {}).get("alembic_module_prefix", "op.")
    return f"{prefix}{operation.verb}({', '.join(words)})"


def _default(declared: dataclasses.Field[Any]) -> Any:
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory()
    return declared.default


def _plain(value: Any) -> Any:
    """The value in a form whose repr is source without imports."""
    if isinstance(value, timedelta):
        units = ("days", "seconds", "microseconds")
        parts = [f"{getattr(value, unit)} {unit}" for unit in units if getattr(value, unit)]
        return " ".join(parts) or "0 days"
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


_OPERATIONS: tuple[type[PgvecOp], ...] = (
    UpgradePgvecOp,
    DowngradePgvecOp,
    CreateCollectionOp,
    DropCollectionOp,
    RegisterModelVersionOp,
    AbandonOp,
    CutOverOp,
    RollBackOp,
    RefreshCollectionOp,
    GrantReadOp,
    GrantWriteOp,
    GrantWorkerOp,
    RevokeReadOp,
    RevokeWriteOp,
    RevokeWorkerOp,
)

for _operation in _OPERATIONS:
    # What register_operation takes for the text of help(op.…).
    PgvecOp.invoked.__func__.__doc__ = _operation.__doc__
    Operations.register_operation(_operation.verb, "invoked")(_operation)
    Operations.implementation_for(_operation)(_run)
    renderers.dispatch_for(_operation)(_render)


# --- What a host's autogenerate does not see ---
# pgvector.sqlalchemy is imported above for its effect: reflection then knows the type vector.

_SCHEMAS = frozenset({"pgvec", "pgvec_leaves"})
_KEY = frozenset({"chunk_id", "model_version"})
_COLUMNS = _KEY | {"document_id", "position", "content", "metadata", "embedding", "written_at"}


def include_name(
    name: str | None, type_: str, parent_names: MutableMapping[Any, str | None]
) -> bool:
    """For ``context.configure(include_name=…)``: passes over leaves, catalog and version table.

    A must with ``include_schemas=True``: Alembic fails on the default of a leaf with bigint ids.
    A host with a filter of its own returns ``mine(…) and include_name(…)``.
    """
    if type_ == "schema":
        return name not in _SCHEMAS
    return not (type_ == "table" and name == VERSION_TABLE)


def include_object(
    object: SchemaItem,  # Alembic's own name for it.
    name: str | None,
    type_: str,
    reflected: bool,
    compare_to: SchemaItem | None,
) -> bool:
    """For ``context.configure(include_object=…)``: what our operations made is not diffed away.

    A chunk table without a model in the host is not dropped, and a model of a chunk table or of a
    routing view is not created: only ``op.create_collection`` makes those. They are known by their
    columns; a model of a view that leaves some out says so with ``info={"pgvec": "view"}``.
    With a model of the chunk table, the host's own columns and indexes are compared as ever, and
    ours need no mention in the model.
    A host with a filter of its own returns ``mine(…) and include_object(…)``.
    """
    if type_ == "table":
        return _include_table(cast("Table[Any]", object), cast("Table[Any] | None", compare_to))
    table = cast("Table[Any] | None", getattr(object, "table", None))
    if table is None:
        return True
    if table.schema in _SCHEMAS:
        return False
    if reflected and compare_to is None and _is_chunk_table(table):
        if isinstance(object, Column):
            return object.name not in _COLUMNS
        if isinstance(object, Index):
            return [column.name for column in object.columns] != ["document_id"]
    return True


def _include_table(table: Table[Any], compare_to: Table[Any] | None) -> bool:
    if table.schema in _SCHEMAS or table.name == VERSION_TABLE:
        return False
    if not _is_ours(table):
        return True
    if compare_to is None or not _is_chunk_table(compare_to):
        return False
    if table.comment is None:
        # The comment is ours, and comments have no filter: a model that says none means ours.
        compare_to.comment = None
    return True


def _is_chunk_table(table: Table[Any]) -> bool:
    columns = {column.name for column in table.columns}
    return columns >= _COLUMNS and {column.name for column in table.primary_key} == set(_KEY)


def _is_ours(table: Table[Any]) -> bool:
    """Whether a table, reflected or of a model, is a chunk table or shows one."""
    columns = {column.name for column in table.columns}
    return columns >= {*_KEY, "content", "embedding"} or bool(table.info.get("pgvec"))
