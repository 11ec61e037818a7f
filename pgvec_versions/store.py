"""ChunkStore: put texts in, take them out, find the nearest. Every chunk bears its version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4, Int8
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions import sqlfiles, vectors
from pgvec_versions.bound import BoundEmbedders, write_version
from pgvec_versions.catalog import Version, read_collection, status_rows
from pgvec_versions.chunks import (
    AddResult,
    Chunk,
    ChunkId,
    Hit,
    QueryVector,
    chunk_identity,
    sound_chunk,
)
from pgvec_versions.database import Caller, PgConnection, autocommitted, engine_for, transaction
from pgvec_versions.embedders import Embedder, Vectors, checked
from pgvec_versions.errors import (
    BadEmbedding,
    Busy,
    InvalidArgument,
    InvalidVector,
    LockTimeout,
    QueryVersionMismatch,
    StaleSnapshot,
    VersionNotQueryable,
    VersionNotWritable,
)
from pgvec_versions.filters import Filter, as_json
from pgvec_versions.install import require_catalog
from pgvec_versions.vectors import BinaryVector

__all__ = ["AddResult", "ChunkStore"]

#: Who is told of a search: the text, k, the filter, the hits. It must neither wait nor raise.
Observer = Callable[[str, int, Filter | None, Sequence[Hit]], None]
#: Chunks that are embedded and written together, at least; a document is never torn apart.
_BATCH = 1024
_TRIES = 5


class _Moved(Exception):
    """Somebody else wrote the same chunks between our look and our write."""


@dataclass(slots=True)
class _Plan:
    """What is to be done with one batch, by chunk id."""

    new: dict[ChunkId, Chunk] = field(default_factory=dict[ChunkId, Chunk])
    changed: dict[ChunkId, Chunk] = field(default_factory=dict[ChunkId, Chunk])
    touched: dict[ChunkId, Chunk] = field(default_factory=dict[ChunkId, Chunk])
    unchanged: int = 0

    @property
    def texts(self) -> list[str]:
        return list({c.content: None for c in (*self.new.values(), *self.changed.values())})


class ChunkStore:
    """The chunks of one collection.

    ``embedders`` maps labels to embedders (give those of every version that may become active), or
    is one embedder, which is bound to the version that was registered with it. Without embedders
    only ready-made query vectors can be searched with. ``run_model`` calls the model; by default
    it runs where the store is called.

    ``observer`` is told of every text that the active version answered (see ``evaluation.shadow``).

    Effects: reads the catalog once on opening. Each call runs in its own transaction, or in that of
    the ``connection`` (a SQLAlchemy ``Connection`` or ``Session``) it is given, and commits nothing
    then.
    Raises: UnknownCollection, CatalogNotInstalled, CatalogMismatch, EmbedderMismatch.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        collection: str,
        embedders: Embedder | Mapping[str, Embedder] | None = None,
        *,
        run_model: Callable[[Callable[[], Vectors]], Vectors] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.engine = engine_for(target)
        self.collection = collection
        self._observer = observer
        with autocommitted(self.engine) as connection:
            require_catalog(connection)
            self._known = read_collection(connection, collection)
            self._embedders = BoundEmbedders(
                self._known, embedders, self.engine, connection, run_model
            )

    @property
    def active_version(self) -> str | None:
        """The label of the active version, asked now."""
        with autocommitted(self.engine) as connection:
            return self._refresh(connection).active_label

    def _refresh(self, connection: PgConnection) -> ChunkStore:
        self._known = read_collection(connection, self.collection)
        self._embedders.verify(self._known, connection)
        return self

    @property
    def active_label(self) -> str | None:
        """The label of the active version, as last seen."""
        active = self._known.active
        return active.model_version if active else None

    def status(self) -> list[dict[str, Any]]:
        """A row a version: its state, its chunks, how far it is. Units: sizes in bytes."""
        with autocommitted(self.engine) as connection:
            return status_rows(connection, self.collection)

    def _scope(self, caller: Caller | None) -> AbstractContextManager[PgConnection]:
        return (
            transaction(self.engine, caller) if caller is not None else autocommitted(self.engine)
        )

    # ---------------------------------------------------------------- add

    def add(
        self,
        chunks: Iterable[Chunk | str],
        *,
        version: str | None = None,
        keep_others: bool = False,
        connection: Caller | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> AddResult:
        """Stores chunks, embedding only what is not there yet.

        Text that is there, unchanged, is not embedded again; a changed text replaces its chunk. A
        document whose chunks come is put as a whole: those that it no longer has go, unless
        ``keep_others``. Chunks of one document should come one after the other.

        Effects: written with the active version's label (or ``version``, or, if its embedder is not
        at hand, a live one whose embedder is) and carried to every other live version. Without
        ``connection``, one transaction for about 1,000 chunks, never for part of a document: after
        an error, whole documents are stored or not, and the same call again does the rest.
        Raises: InvalidArgument (empty text), EmbedderError, EmbedderMissing, VersionNotWritable.
        """
        total = AddResult()
        seen: dict[str, list[ChunkId]] = {}
        with self._scope(connection) as raw:
            self._refresh(raw)
        target = self._write_version(version)
        for batch in _batches(chunks, self._known.id_type):
            for chunk_id, chunk in batch.items():
                if chunk.document_id is not None:
                    seen.setdefault(chunk.document_id, []).append(chunk_id)
            documents = sorted({c.document_id for c in batch.values() if c.document_id is not None})
            kept = None if keep_others else {d: seen[d] for d in documents}
            total = total.plus(self._add_batch(batch, kept, target, connection))
            if progress is not None:
                progress(len(batch))
        return total

    def _write_version(self, version: str | None) -> Version:
        if version is None:
            return write_version(self._known, self._embedders)
        target = self._known.version(version)
        if not target.live:
            raise VersionNotWritable(
                f"version {version} of {self.collection} is {target.state}: nothing goes into it.",
                hint="Name a live version, or none.",
            )
        return target

    def _add_batch(
        self,
        batch: dict[ChunkId, Chunk],
        documents: dict[str, list[ChunkId]] | None,
        target: Version,
        caller: Caller | None,
    ) -> AddResult:
        made: dict[str, BinaryVector] = {}
        embedded = 0
        for _ in range(_TRIES):
            with self._scope(caller) as raw:
                plan = self._compare(raw, batch, target)
                wanted = [text for text in plan.texts if text not in made]
                if wanted and documents:
                    made.update(self._known_vectors(raw, target, list(documents), wanted))
                    wanted = [text for text in wanted if text not in made]
            if wanted:
                # No transaction of ours is open while the model runs.
                rows = self._embedders.documents(target.model_version, wanted)
                made.update(zip(wanted, vectors.pack(rows, self._known.storage), strict=True))
                embedded += len(wanted)
            try:
                with transaction(self.engine, caller) as raw:
                    deleted = self._write(raw, plan, made, documents, target)
            except (_Moved, pg_errors.UniqueViolation):
                continue
            except (LockTimeout, StaleSnapshot) as exc:
                if not _may_go_again(exc, caller):
                    raise
                continue
            return AddResult(
                len(plan.new),
                len(plan.changed),
                len(plan.touched),
                plan.unchanged,
                deleted,
                embedded,
                target.model_version,
            )
        raise Busy(
            f"other sessions keep writing the same chunks of {self.collection}.",
            hint="Nothing of this batch was written; try again.",
        )

    def _delete(self, raw: PgConnection, which: str, **parameters: Any) -> int:
        """Deletes the chunks that the query ``which`` finds, through every version at once."""
        rows = raw.execute(self._statement(which), parameters).fetchall()
        if not rows:
            return 0
        found = {row[0] for row in rows}
        free: dict[str, bool] = dict(
            raw.execute(sqlfiles.query("free_versions"), {"collection": self.collection}).fetchall()
        )
        # What only a version holds whose index is being built has nothing to be carried by: then
        # the delete waits for the build.
        carried = {chunk_id for chunk_id, label in rows if free.get(label)}
        through = set(free) if carried == found else set(free) | {label for _, label in rows}
        raw.execute(
            self._statement("delete_rows"), {"versions": sorted(through), "ids": list(found)}
        )
        return len(found)

    def _statement(self, name: str, target: Version | None = None) -> sql.Composed:
        schema = self._known.host_schema
        if name != "copy_chunks":
            # In a statement with parameters psycopg reads % also within a quoted name.
            schema = schema.replace("%", "%%")
        return sqlfiles.query(name).format(
            chunk_table=sql.Identifier(schema, self.collection),
            model_version=sql.Literal(target.model_version if target else ""),
            id_type=self._known.id_type_name,
        )

    def _compare(self, raw: PgConnection, batch: dict[ChunkId, Chunk], target: Version) -> _Plan:
        plan = _Plan()
        rows = raw.execute(
            self._statement("stored_chunks", target),
            {"collection": self.collection, "ids": list(batch)},
        )
        stored = {row[0]: row[1:] for row in rows}
        for chunk_id, chunk in batch.items():
            before = stored.get(chunk_id)
            now = (chunk.document_id, chunk.position, chunk.content, chunk.metadata)
            if before is None:
                plan.new[chunk_id] = chunk
            elif before[2] != chunk.content:
                plan.changed[chunk_id] = chunk
            elif before != (*now, False):
                plan.touched[chunk_id] = chunk
            else:
                plan.unchanged += 1
        return plan

    def _known_vectors(
        self, raw: PgConnection, target: Version, documents: list[str], texts: list[str]
    ) -> dict[str, BinaryVector]:
        with raw.cursor(binary=True) as cursor:
            rows = cursor.execute(
                self._statement("known_vectors", target), {"documents": documents, "texts": texts}
            )
            return {row[0]: BinaryVector(bytes(row[1])) for row in rows}

    def _write(
        self,
        raw: PgConnection,
        plan: _Plan,
        made: Mapping[str, BinaryVector],
        documents: dict[str, list[ChunkId]] | None,
        target: Version,
    ) -> int:
        with raw.cursor() as cursor:
            if plan.new:
                cursor.execute(sqlfiles.query("news"), {"value": "on"})
                with cursor.copy(self._statement("copy_chunks")) as copy:
                    label = target.model_version
                    wide = self._known.id_type == "bigint"
                    for chunk_id, c in plan.new.items():
                        copy.write_row(
                            (
                                Int8(int(chunk_id))
                                if wide and isinstance(chunk_id, int)
                                else chunk_id,
                                label,
                                c.document_id,
                                None if c.position is None else Int4(c.position),
                                c.content,
                                Jsonb(c.metadata),
                                made[c.content],
                            )
                        )
                cursor.execute(sqlfiles.query("news"), {"value": ""})
            if plan.changed:
                cursor.execute(sqlfiles.query("same_vector"), {"value": "allowed"})
                _all_found(
                    cursor.executemany,
                    self._statement("replace_chunk", target),
                    [
                        _parameters(i, c) | {"embedding": made[c.content]}
                        for i, c in plan.changed.items()
                    ],
                    lambda: cursor.rowcount,
                )
                cursor.execute(sqlfiles.query("same_vector"), {"value": ""})
            if plan.touched:
                _all_found(
                    cursor.executemany,
                    self._statement("touch_chunk", target),
                    [_parameters(i, c) for i, c in plan.touched.items()],
                    lambda: cursor.rowcount,
                )
            if not documents:
                return 0
            ids = [i for kept in documents.values() for i in kept]
            return self._delete(raw, "rows_vanished", documents=list(documents), ids=ids)

    # ------------------------------------------------------------- delete

    def delete(
        self,
        *,
        chunk_ids: Sequence[ChunkId] | None = None,
        document_ids: Sequence[str] | None = None,
        connection: Caller | None = None,
    ) -> int:
        """Deletes chunks by their ids or whole documents, from every live version at once.

        Returns the number of chunks. Unknown ids are no error. Raises: InvalidArgument, Busy.
        """
        if (chunk_ids is None) == (document_ids is None):
            raise InvalidArgument("delete takes chunk_ids or document_ids, one of the two.")
        if isinstance(chunk_ids, str) or isinstance(document_ids, str):
            raise InvalidArgument(
                "delete takes a list of ids, and one string was given.", hint="Put it into a list."
            )
        given = list(chunk_ids if chunk_ids is not None else document_ids or [])
        if not given:
            return 0
        if chunk_ids is None:
            which, wanted = "rows_of_documents", {"documents": given}
        else:
            ids = [chunk_identity(Chunk("", chunk_id=i), self._known.id_type) for i in chunk_ids]
            which, wanted = "rows_of_chunks", {"ids": ids}
        for _ in range(_TRIES):
            try:
                with transaction(self.engine, connection) as raw:
                    return self._delete(raw, which, **wanted)
            except (LockTimeout, StaleSnapshot) as exc:
                if not _may_go_again(exc, connection):
                    raise
        raise Busy(
            f"other sessions keep writing the same chunks of {self.collection}.",
            hint="Nothing was deleted; try again.",
        )

    # ------------------------------------------------------------- search

    def embed_query(self, text: str, version: str | None = None) -> QueryVector:
        """The vector of a query, made by the active version's embedder (or that of ``version``).

        Which version is active is asked now. After a cut-over that comes later the guard refuses
        the vector: embed the query again.
        Raises: EmbedderMissing, EmbedderError, InvalidArgument, VersionNotQueryable,
        UnknownVersion.
        """
        if not text.strip():
            raise InvalidArgument("the query is empty.", hint="Write a few words.")
        label = version or self.active_version
        if label is None:
            raise VersionNotQueryable(
                f"{self.collection} has no active version yet.",
                hint="Cut over to one first: pgvec cut-over.",
            )
        if not self._embedders.has(label):
            with autocommitted(self.engine) as connection:
                self._refresh(connection)
            self._known.version(label)
        return self._embedders.query(label, text)

    def search(
        self,
        query: str | QueryVector,
        k: int = 10,
        *,
        filter: Filter | None = None,
        ef_search: int | None = None,
        exact: bool = False,
        version: str | None = None,
        connection: Caller | None = None,
    ) -> list[Hit]:
        """The ``k`` chunks nearest to a text, or to a ready-made vector with its version.

        A text is embedded by the active version's embedder, and the same statement asserts that
        this version is still the active one. If a cut-over came between, it is embedded again and
        asked once more. A ready-made vector of another version than the active one is refused.
        ``version`` asks one live version by name instead, whatever is active.

        Units: ``ef_search`` candidates, 1 to 1000. ``exact`` ranks without the index, for checks.
        Raises: QueryVersionMismatch, VersionNotQueryable, EmbedderMissing, InvalidVector,
        InvalidArgument.
        """
        asked = (
            query
            if isinstance(query, QueryVector)
            else self.embed_query(query, version or self.active_label)
        )
        if version is not None and asked.model_version != version:
            raise QueryVersionMismatch(
                f"the query vector is of {asked.model_version}, version {version} was asked for.",
                hint=f"Embed the query with {version}.",
                detail={"query_version": asked.model_version, "model_version": version},
            )
        try:
            hits = self._nearest(asked, k, filter, ef_search, exact, version is None, connection)
            return self._told(query, version, k, filter, hits)
        except (QueryVersionMismatch, VersionNotQueryable):
            if isinstance(query, QueryVector) or version is not None:
                raise
            with self._scope(connection) as raw:
                self._refresh(raw)
            if self.active_label in (None, asked.model_version):
                raise
        again = self.embed_query(query, self.active_label)
        hits = self._nearest(again, k, filter, ef_search, exact, True, connection)
        return self._told(query, version, k, filter, hits)

    def _told(
        self,
        query: str | QueryVector,
        version: str | None,
        k: int,
        filter: Filter | None,
        hits: list[Hit],
    ) -> list[Hit]:
        if self._observer is not None and version is None and isinstance(query, str):
            self._observer(query, k, filter, hits)
        return hits

    def _nearest(
        self,
        query: QueryVector,
        k: int,
        filter: Filter | None,
        ef_search: int | None,
        exact: bool,
        expect_active: bool,
        caller: Caller | None,
    ) -> list[Hit]:
        contains, conditions = as_json(filter)
        try:
            row = checked(
                [query.vector], count=1, dimensions=len(query.vector), what="the query vector"
            )
        except BadEmbedding as exc:
            raise InvalidVector(exc.message, detail=exc.detail) from None
        parameters = {
            "collection": self.collection,
            "query": vectors.pack(row)[0],
            "model_version": query.model_version,
            "k": k,
            "filter": contains,
            "conditions": conditions,
            "ef_search": ef_search,
            "exact": exact,
            "expect_active": expect_active,
        }
        with self._scope(caller) as raw, raw.cursor(row_factory=class_row(Hit)) as cursor:
            return cursor.execute(sqlfiles.query("nearest"), parameters).fetchall()


def _may_go_again(exc: LockTimeout | StaleSnapshot, caller: Caller | None) -> bool:
    """Whether the same writes may simply be made again, now that they were undone.

    After a deadlock: undoing them has let go of their locks, also within a caller's transaction.
    After a serialization failure: with a new snapshot, so not within a caller's transaction.
    """
    if exc.sqlstate == pg_errors.SerializationFailure.sqlstate:
        return caller is None
    return exc.sqlstate == pg_errors.DeadlockDetected.sqlstate


def _parameters(chunk_id: ChunkId, chunk: Chunk) -> dict[str, Any]:
    return {
        "chunk_id": chunk_id,
        "document_id": chunk.document_id,
        "position": chunk.position,
        "content": chunk.content,
        "metadata": Jsonb(chunk.metadata),
    }


def _all_found(
    executemany: Callable[[sql.Composed, list[dict[str, Any]]], None],
    statement: sql.Composed,
    rows: list[dict[str, Any]],
    rowcount: Callable[[], int],
) -> None:
    executemany(statement, rows)
    if rowcount() != len(rows):
        raise _Moved


def _batches(chunks: Iterable[Chunk | str], id_type: str) -> Iterator[dict[ChunkId, Chunk]]:
    """Batches by chunk id, of whole documents as long as a document's chunks come together."""
    if isinstance(chunks, str):
        raise InvalidArgument(
            "add takes a list of chunks, and one string was given.", hint="Put it into a list."
        )
    batch: dict[ChunkId, Chunk] = {}
    last: str | None = None
    for place, given in enumerate(chunks):
        chunk = sound_chunk(given, place)
        if len(batch) >= _BATCH and (chunk.document_id is None or chunk.document_id != last):
            yield batch
            batch = {}
        last = chunk.document_id
        batch[chunk_identity(chunk, id_type)] = chunk
    if batch:
        yield batch
