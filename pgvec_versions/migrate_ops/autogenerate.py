"""What a host's autogenerate writes for our operations, and what it does not see.

Written: an operation that the host adds to a revision, and the refresh that a change of a chunk
table's columns needs. Not seen: the catalog, the leaves, and what our operations made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from typing import Any, cast

# For its effect: reflection then knows the type vector.
import pgvector.sqlalchemy  # noqa: F401  # pyright: ignore[reportUnusedImport]
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.rewriter import Rewriter
from alembic.operations import MigrateOperation, ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.dialects.postgresql import base as postgresql
from sqlalchemy.schema import SchemaItem

from pgvec_versions.migrate_ops.execute import PgvecOp, fields_of
from pgvec_versions.migrate_ops.operations import RefreshCollectionOp

__all__ = [
    "VERSION_TABLE",
    "include_name",
    "include_object",
    "process_revision_directives",
    "render",
]

#: Where the migrations of this repository keep their place; a host's own are elsewhere.
VERSION_TABLE = "pgvec_alembic_version"

# And the type regrole: a host that looks at every schema reflects our catalog.
cast("dict[str, Any]", vars(postgresql)["ischema_names"]).setdefault("regrole", OID)

# --- Written: the call as source ---


def render(context: AutogenContext, operation: PgvecOp) -> str:
    """The call as Python source; arguments that are at their default are left out."""
    context.imports.add("import pgvec_versions.migrate_ops  # noqa: F401")
    words: list[str] = []
    for declared in fields_of(operation):
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


#: For ``context.configure(process_revision_directives=…)``: where a revision adds, drops or retypes
#: a column of a chunk table, it also refreshes the collection, so that leaves and views follow. A
#: host with directives of its own: ``mine.chain(process_revision_directives)``.
process_revision_directives = Rewriter()


@process_revision_directives.rewrites(ops.AddColumnOp)
def _after_adding(
    context: MigrationContext, _: Any, added: ops.AddColumnOp
) -> list[MigrateOperation]:
    return _refreshed(context, added, before=None, after=True)


@process_revision_directives.rewrites(ops.DropColumnOp)
def _before_dropping(
    context: MigrationContext, _: Any, dropped: ops.DropColumnOp
) -> list[MigrateOperation]:
    return _refreshed(context, dropped, before=dropped.column_name, after=False)


@process_revision_directives.rewrites(ops.AlterColumnOp)
def _around_retyping(
    context: MigrationContext, _: Any, altered: ops.AlterColumnOp
) -> list[MigrateOperation]:
    retyped = altered.modify_type is not None
    before = altered.column_name if retyped else None
    return _refreshed(context, altered, before=before, after=retyped)


def _refreshed(
    context: MigrationContext, change: ops.AlterTableOp, *, before: str | None, after: bool
) -> list[MigrateOperation]:
    metadata = cast("MetaData | None", context.opts.get("target_metadata"))
    name, schema = change.table_name, change.schema
    table = metadata.tables.get(f"{schema}.{name}" if schema else name) if metadata else None
    if table is None or not (table.info.get("pgvec") == "chunks" or _is_chunk_table(table)):
        return [change]
    first = [RefreshCollectionOp(name, without=[before])] if before is not None else []
    return [*first, change, *([RefreshCollectionOp(name)] if after else [])]


# --- Not seen ---

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
            return object.name not in _COLUMNS | {"turn"}
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
