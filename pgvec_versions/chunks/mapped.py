"""Your own SQLAlchemy models: of the chunk table to write to, of the routing view to read from.

::

    class DocChunk(ChunkMixin, Base):
        __collection__ = "docs"
        tenant: Mapped[str] = mapped_column(Text)          # your own columns

    ActiveDoc = active_view(DocChunk)

    query = store.embed_query("time off")
    session.execute(declare_query_version(ActiveDoc, query))
    session.scalars(
        select(ActiveDoc).order_by(ActiveDoc.embedding.cosine_distance(query)).limit(5)
    )

It works with ``Session`` and ``AsyncSession``, ``Connection`` and ``AsyncConnection``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar, cast

import numpy as np
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    FetchedValue,
    Integer,
    Select,
    Table,
    Text,
    Uuid,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import (
    ColumnProperty,
    InstrumentedAttribute,
    Mapped,
    Mapper,
    MapperProperty,
    Relationship,
    RelationshipDirection,
    declared_attr,
    mapped_column,
    relationship,
)
from sqlalchemy.sql import visitors

from pgvec_versions.errors import ConfigError, ReadOnlyView
from pgvec_versions.values import QueryVector

#: What ``table.info["pgvec"]`` says of a table: the routing view, or the chunk table.
_VIEW = "view"
_CHUNKS = "chunks"


class ChunkVector(VECTOR):
    """pgvector's type for ``embedding``: any number of dimensions, and a QueryVector as operand.

    ``storage`` is the storage of the collection.
    """

    cache_ok = True

    def __init__(self, storage: Literal["vector", "halfvec"] = "vector") -> None:
        super().__init__()
        self.storage = storage

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return self.storage.upper()

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """The function that sends a value: pgvector's, with the vector of a QueryVector."""
        process = cast("Callable[[Any], Any]", super().bind_processor(dialect))
        return lambda value: process(value.vector if isinstance(value, QueryVector) else value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """The function that reads a value: a list, which pgvector before 0.5 gives as an array."""
        process = cast("Callable[[Any], Any]", super().result_processor(dialect, coltype))

        def read(value: Any) -> list[float] | None:
            found = process(value)
            return found.tolist() if isinstance(found, np.ndarray) else found

        return read


# --- The chunk table ---


class _Columns:
    __collection__: ClassVar[str]

    @declared_attr.directive
    @classmethod
    def __tablename__(cls) -> str:
        return cls.__collection__

    model_version: Mapped[str] = mapped_column(Text, primary_key=True)
    document_id: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int | None] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)
    #: The column ``metadata``: SQLAlchemy reserves that name.
    metadata_: Mapped[dict[str, Any]] = mapped_column(
        "metadata", JSONB, server_default=FetchedValue()
    )
    embedding: Mapped[list[float]] = mapped_column(ChunkVector())
    written_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=FetchedValue(), server_onupdate=FetchedValue()
    )


class ChunkMixin(_Columns):
    """The columns of a chunk table with uuid ids, for your own declarative model.

    Your model sets ``__collection__``, adds its own columns, and is written to like any other. Each
    row has the ``model_version`` whose embedder made its vector. Create the table with
    ``op.create_collection``: ``create_all`` refuses to. For a collection with ``storage =>
    'halfvec'``: ``embedding: Mapped[list[float]] = mapped_column(ChunkVector("halfvec"))``.
    """

    chunk_id: Mapped[uuid.UUID] = mapped_column(
        Uuid, primary_key=True, server_default=FetchedValue()
    )


class BigintChunkMixin(_Columns):
    """``ChunkMixin`` for a collection with ``id_type => 'bigint'``."""

    chunk_id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, server_default=FetchedValue()
    )


class TextChunkMixin(_Columns):
    """``ChunkMixin`` for a collection with ``id_type => 'text'``; you give the ids."""

    chunk_id: Mapped[str] = mapped_column(Text, primary_key=True)


def _not_by_create_all(table: Table[Any], *_: Any, **__: Any) -> None:
    collection = table.info["pgvec_collection"]
    raise ConfigError(
        f"create_all() cannot make {table.name}: it belongs to the collection {collection}.",
        hint=f"Create the collection first: op.create_collection({collection!r}) in a migration, "
        f"or SELECT pgvec.create_collection('{collection}'). create_all() then passes it over.",
        detail={"collection": collection},
    )


def _mark(table: Table[Any], kind: str, collection: str) -> None:
    table.info.setdefault("pgvec", kind)
    table.info["pgvec_collection"] = collection
    event.listen(table, "before_create", _not_by_create_all)


@event.listens_for(_Columns, "instrument_class", propagate=True)
def _mark_chunk_table(mapper: Mapper[Any], cls: type[Any]) -> None:  # pyright: ignore[reportUnusedFunction]
    table = cast("Table[Any]", mapper.local_table)
    if "pgvec_collection" not in table.info:
        _mark(table, _CHUNKS, cls.__collection__)


# --- The routing view ---

M = TypeVar("M", bound=_Columns)


def active_view(model: type[M]) -> type[M]:
    """A read-only model of the routing view ``active_<collection>``, with the columns of ``model``.

    The same call always returns the same class. It is a subclass of ``model``, with its methods and
    hybrids, and with its relationships to read (except many-to-many). A flush that would write
    through it raises ReadOnlyView, and so does the database. A session that compares vectors must
    first declare which version made them: see ``declare_query_version``.

    Effects: adds a table to the model's ``MetaData`` that ``create_all`` and Alembic ignore.
    """
    if "__pgvec_view__" in vars(model):
        return cast("type[M]", vars(model)["__pgvec_view__"])
    chunks = cast("Table[Any]", vars(model)["__table__"])
    view = chunks.to_metadata(chunks.metadata, name=f"active_{model.__collection__}")
    for index in list(view.indexes):
        view.indexes.discard(index)
    view.info = {}
    _mark(view, _VIEW, model.__collection__)
    members: dict[str, Any] = {
        "__module__": model.__module__,
        "__doc__": f"The active version of {model.__collection__}, to read.",
        "__table__": view,
        "__mapper_args__": {"concrete": True},
    }
    for key, found in _properties(model).items():
        if isinstance(found, ColumnProperty):
            (column, *_) = found.columns
            if isinstance(column, Column) and column.key in view.c:
                members[key] = view.c[column.key]
        elif isinstance(found, Relationship) and found.secondary is None:
            members[key] = _readable(found, chunks, view)
    made = type(f"Active{model.__name__}", (model,), members)
    for write in ("before_insert", "before_update", "before_delete"):
        event.listen(made, write, _refuse_write)
    setattr(model, "__pgvec_view__", made)  # noqa: B010
    return cast("type[M]", made)


def _properties(model: type[Any]) -> dict[str, MapperProperty[Any]]:
    """The mapped properties, by attribute. The mapper would configure every model too early."""
    found: dict[str, MapperProperty[Any]] = {}
    for cls in model.__mro__:
        for key, attribute in vars(cls).items():
            if isinstance(attribute, InstrumentedAttribute):
                found.setdefault(key, cast("InstrumentedAttribute[Any]", attribute).property)
    return found


def _readable(original: Relationship[Any], chunks: Table[Any], view: Table[Any]) -> Any:
    """The relationship, from the view instead of the chunk table; resolved with the mappers."""

    def configured() -> Relationship[Any]:
        if not hasattr(original, "primaryjoin"):
            original.init()
        return original

    def moved(part: Any) -> Any:
        def to_view(element: Any, **_: Any) -> Any:
            return view.c[element.key] if getattr(element, "table", None) is chunks else None

        return cast("Any", visitors).replacement_traverse(part, {}, to_view)

    def foreign_keys() -> list[Any]:
        to_one = configured().direction is RelationshipDirection.MANYTOONE
        return [moved(pair[not to_one]) for pair in configured().local_remote_pairs]

    def order_by() -> list[Any]:
        return [moved(each) for each in configured().order_by or ()]

    plain = cast("Any", original)
    return relationship(
        lambda: configured().mapper,
        primaryjoin=lambda: moved(configured().primaryjoin),
        foreign_keys=foreign_keys,
        order_by=order_by,
        uselist=plain.uselist,
        collection_class=plain.collection_class,
        lazy=plain.lazy,
        viewonly=True,
    )


def _refuse_write(mapper: Mapper[Any], *_: Any) -> None:
    table = cast("Table[Any]", mapper.local_table)
    collection = table.info["pgvec_collection"]
    parent = mapper.inherits
    raise ReadOnlyView(
        f"{table.name} is a view to read from: nothing is written through it.",
        hint=f"Write to the chunk table, {collection}"
        + (f": with {parent.class_.__name__}" if parent is not None else "")
        + " or ChunkStore.add.",
        detail={"collection": collection, "view": table.name},
    )


# --- The query's version ---


def declare_query_version(
    what: type[_Columns] | str, query: QueryVector | str
) -> Select[tuple[str]]:
    """The statement that declares, for this transaction, which version made the query vector.

    ``what`` is a model of the collection or its name, ``query`` a QueryVector or a label; ``"any"``
    is for a transaction that compares no vectors. Execute it first, in the transaction that
    queries, with a session or a connection, sync or async.

    Effects: ``SET LOCAL``: it ends with the commit or rollback, so nothing leaks through a pool. If
    you execute it inside a savepoint, rolling that back undoes it.
    Raises: nothing itself. A query without it raises QueryVersionNotDeclared (PV012), one with
    another version QueryVersionMismatch (PV011).
    """
    collection = what if isinstance(what, str) else what.__collection__
    label = query if isinstance(query, str) else query.model_version
    return select(func.set_config(f"pgvec.query_version.{collection}", label, True))
