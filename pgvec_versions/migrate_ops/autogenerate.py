"""What a host's autogenerate writes for our operations, and what it ignores.

It writes the operations that the host adds to a revision, and the refresh that a change of a chunk
table's columns needs. It ignores the catalog, the leaves, and whatever our operations create.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from typing import Any, cast

# Imported for its effect: reflection then knows the type vector.
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

#: The version table of this repository's own migrations; a host has another one.
VERSION_TABLE = "pgvec_alembic_version"

# And the type regrole: a host that reflects every schema reflects our catalog too.
cast("dict[str, Any]", vars(postgresql)["ischema_names"]).setdefault("regrole", OID)

# --- What it writes ---


def render(context: AutogenContext, operation: PgvecOp) -> str:
    """The call as Python source. Arguments with their default value are left out."""
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
    """The value in a form whose repr is source that needs no import."""
    if isinstance(value, timedelta):
        units = ("days", "seconds", "microseconds")
        parts = [f"{getattr(value, unit)} {unit}" for unit in units if getattr(value, unit)]
        return " ".join(parts) or "0 days"
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


#: For ``context.configure(process_revision_directives=…)``. If a revision adds, drops or retypes a
#: column of a chunk table, it also refreshes the collection, so that leaves and views follow. With
#: directives of your own: ``mine.chain(process_revision_directives)``.
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


# --- What it ignores ---

_SCHEMAS = frozenset({"pgvec", "pgvec_leaves"})
_KEY = frozenset({"chunk_id", "model_version"})
_COLUMNS = _KEY | {"document_id", "position", "content", "metadata", "embedding", "written_at"}


def include_name(
    name: str | None, type_: str, parent_names: MutableMapping[Any, str | None]
) -> bool:
    """For ``context.configure(include_name=…)``: ignores leaves, catalog and version table.

    You need it with ``include_schemas=True``: Alembic fails on the default of a leaf with bigint
    ids. If you have a filter of your own, return ``mine(…) and include_name(…)``.
    """
    if type_ == "schema":
        return name not in _SCHEMAS
    return not (type_ == "table" and name == VERSION_TABLE)


def include_object(
    object: SchemaItem,  # Alembic calls it so.
    name: str | None,
    type_: str,
    reflected: bool,
    compare_to: SchemaItem | None,
) -> bool:
    """For ``context.configure(include_object=…)``: keeps what our operations made out of the diff.

    Autogenerate then neither drops a chunk table that has no model, nor creates a table for a model
    of a chunk table or routing view: only ``op.create_collection`` does that. It knows them by
    their columns; a model of a view that leaves some out needs ``info={"pgvec": "view"}``. With a
    model of the chunk table, your own columns and indexes are compared as usual; the model need not
    mention ours.
    If you have a filter of your own, return ``mine(…) and include_object(…)``.
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
        # The comment is ours, and comments have no filter: a model without a comment means ours.
        compare_to.comment = None
    return True


def _is_chunk_table(table: Table[Any]) -> bool:
    columns = {column.name for column in table.columns}
    return columns >= _COLUMNS and {column.name for column in table.primary_key} == set(_KEY)


def _is_ours(table: Table[Any]) -> bool:
    """Whether a table, reflected or from a model, is a chunk table or a view of one."""
    columns = {column.name for column in table.columns}
    return columns >= {*_KEY, "content", "embedding"} or bool(table.info.get("pgvec"))
