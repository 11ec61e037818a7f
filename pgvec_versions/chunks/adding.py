"""One call of ``ChunkStore.add``: find what is new in each batch, embed it, and write it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt
import psycopg
from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.types.json import Jsonb

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.chunks.batches import Batches
from pgvec_versions.chunks.statements import TRIES, ChunkTable, go_again
from pgvec_versions.embedders import Vectors, checked
from pgvec_versions.embedders.by_version import BoundEmbedders
from pgvec_versions.errors import Busy, LockTimeout, StaleSnapshot
from pgvec_versions.postgres import copying, sqlfiles, vectors
from pgvec_versions.postgres.database import (
    Caller,
    PgConnection,
    client_encoding,
    reading,
    transaction,
)
from pgvec_versions.postgres.vectors import BinaryVector
from pgvec_versions.values import (
    AddResult,
    Chunk,
    ChunkId,
    Incoming,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: A batch that takes less than this is quick, and the next ones are larger. Units: seconds.
_QUICK_BATCH = 0.5
#: Ready-made vectors that are packed at once, between two writes to the server.
_PACKED = 128
#: Columns of ``copy_chunks``.
_COPIED_COLUMNS = 7


class _Changed(Exception):
    """Another session wrote the same chunks between our read and our write."""


class _Stored(NamedTuple):
    """What the version holds of a chunk; the columns of ``stored_chunks``, without the id."""

    document_id: str | None
    position: int | None
    content: str
    metadata: dict[str, Any]
    overtaken: bool


@dataclass(slots=True)
class _Plan:
    """What to do with one batch, by chunk id.

    ``changed`` chunks have another text than the stored ones; ``touched`` ones the same text, with
    other metadata or another place.
    """

    new: dict[ChunkId, Incoming] = field(default_factory=dict[ChunkId, Incoming])
    changed: dict[ChunkId, Incoming] = field(default_factory=dict[ChunkId, Incoming])
    touched: dict[ChunkId, Incoming] = field(default_factory=dict[ChunkId, Incoming])
    unchanged: int = 0

    @property
    def without_vector(self) -> list[Incoming]:
        """The chunks that need a vector and have none."""
        return [i for part in (self.new, self.changed) for i in part.values() if i.vector is None]


class Adding:
    """Adds chunks to one version of a collection, as ``ChunkStore.add`` promises.

    ``ready`` are the vectors, one row for each chunk, if the caller has made them.
    Shape: (n, dimensions) for n chunks.
    """

    def __init__(
        self,
        engine: Engine,
        known: Collection,
        embedders: BoundEmbedders,
        target: Version,
        caller: Caller | None,
        ready: Vectors | None = None,
    ) -> None:
        self.engine = engine
        self._known = known
        self._table = ChunkTable(known)
        self._embedders = embedders
        self._target = target
        self._caller = caller
        self._ready = ready
        self._batches = Batches((), known.id_type)

    def run(
        self,
        chunks: Iterable[Chunk | str],
        keep_others: bool,
        progress: Callable[[int], None] | None,
    ) -> AddResult:
        """Adds them all. Raises: what ``ChunkStore.add`` raises."""
        total = AddResult()
        seen: dict[str, list[ChunkId]] = {}
        ready = None if self._ready is None else len(self._ready)
        self._batches = batches = Batches(chunks, self._known.id_type, ready)
        for batch in batches:
            began = time.monotonic()
            documents: dict[str, list[ChunkId]] = {}
            for chunk_id, item in batch.items():
                document = item.chunk.document_id
                if document is not None:
                    documents[document] = kept = seen.setdefault(document, [])
                    kept.append(chunk_id)
            total = total.plus(self._add(batch, {} if keep_others else documents))
            if time.monotonic() - began < _QUICK_BATCH and len(batch) >= batches.size:
                batches.grow()
            if progress is not None:
                progress(len(batch))
        return total

    def _add(self, batch: dict[ChunkId, Incoming], replaced: dict[str, list[ChunkId]]) -> AddResult:
        """Adds a batch. Of the documents in ``replaced``, it keeps only these chunks."""
        embedded = 0
        for _ in range(TRIES):
            with reading(self.engine, self._caller) as raw:
                plan = self._compare(raw, batch)
                if self._ready is not None:
                    # The vectors of new chunks are packed while they are sent.
                    wanted = list(plan.changed.values())
                elif wanted := plan.without_vector:
                    wanted = self._known_vectors(raw, wanted)
            if wanted:
                # We hold no transaction open while the model runs.
                embedded += self._embed(wanted)
            try:
                with transaction(self.engine, self._caller) as raw:
                    self._write(raw, plan)
                    deleted = self._delete_vanished(raw, replaced)
            except (_Changed, pg_errors.UniqueViolation):
                continue
            except (LockTimeout, StaleSnapshot) as exc:
                go_again(exc, self.engine, self._caller)
                continue
            return AddResult(
                added=len(plan.new),
                replaced=len(plan.changed),
                touched=len(plan.touched),
                unchanged=plan.unchanged,
                deleted=deleted,
                embedded=embedded,
                model_version=self._target.model_version,
            )
        raise Busy(
            f"other sessions keep writing the same chunks of {self._known.collection}.",
            hint="Nothing of this batch was written; try again.",
        )

    def _delete_vanished(self, raw: PgConnection, replaced: dict[str, list[ChunkId]]) -> int:
        """Deletes what these documents no longer have. Returns how many chunks."""
        if not replaced:
            return 0
        kept = (chunk_id for ids in replaced.values() for chunk_id in ids)
        return self._table.delete(
            raw, "rows_vanished", documents=list(replaced), ids=self._ids(kept)
        )

    def _ids(self, ids: Iterable[ChunkId]) -> str | list[ChunkId]:
        """Ids as one parameter: an array literal, which is quicker, if no id needs quoting."""
        if self._known.id_type == "text":
            return list(ids)
        return "{" + ",".join(map(str, ids)) + "}"

    def _compare(self, raw: PgConnection, batch: dict[ChunkId, Incoming]) -> _Plan:
        plan = _Plan()
        rows = raw.execute(
            self._table.statement("stored_chunks", self._target),
            {"collection": self._known.collection, "ids": self._ids(batch)},
        )
        stored = {
            chunk_id: _Stored(document_id, position, content, metadata, overtaken)
            for chunk_id, document_id, position, content, metadata, overtaken in rows
        }
        for chunk_id, item in batch.items():
            before = stored.get(chunk_id)
            if before is None:
                plan.new[chunk_id] = item
                continue
            chunk = item.chunk
            if before.content != chunk.content:
                plan.changed[chunk_id] = item
            elif before != _Stored(
                chunk.document_id,
                chunk.position,
                chunk.content,
                json.loads(item.metadata),
                overtaken=False,
            ):
                plan.touched[chunk_id] = item
            else:
                plan.unchanged += 1
        return plan

    def _known_vectors(self, raw: PgConnection, wanted: list[Incoming]) -> list[Incoming]:
        """Reuses the vectors of texts that only moved within a document; returns the others."""
        documents = {i.chunk.document_id for i in wanted if i.chunk.document_id is not None}
        if not documents:
            return wanted
        rows = raw.execute(
            self._table.statement("known_documents", self._target), {"documents": list(documents)}
        )
        old = {document_id for (document_id,) in rows}
        texts = {i.chunk.content for i in wanted if i.chunk.document_id in old}
        if not texts:
            return wanted
        with raw.cursor(binary=True) as cursor:
            rows = cursor.execute(
                self._table.statement("known_vectors", self._target),
                {"documents": list(old), "texts": list(texts)},
            )
            made = {content: BinaryVector(bytes(vector)) for content, vector in rows}
        for item in wanted:
            item.vector = made.get(item.chunk.content)
        return [item for item in wanted if item.vector is None]

    def _embed(self, wanted: list[Incoming]) -> int:
        """Gives each chunk its vector. Returns how many texts were embedded."""
        storage = self._known.storage
        if self._ready is not None:
            rows = self._ready[[item.place for item in wanted]]
            for item, made in zip(wanted, vectors.pack(rows, storage), strict=True):
                item.vector = made
            return 0
        texts = list({item.chunk.content: None for item in wanted})
        rows = self._embedders.documents(self._target.model_version, texts)
        by_text = dict(zip(texts, vectors.pack(rows, storage), strict=True))
        for item in wanted:
            item.vector = by_text[item.chunk.content]
        return len(texts)

    def _write(self, raw: PgConnection, plan: _Plan) -> None:
        with raw.cursor() as cursor:
            if plan.new:
                cursor.execute(sqlfiles.query("news"), {"value": "on"})
                with cursor.copy(self._table.statement("copy_chunks")) as copy:
                    fields = self._fields(raw, plan.new)
                    for piece in copying.binary_copy(fields, _COPIED_COLUMNS):
                        copy.write(piece)
                        # Meanwhile the server works on the piece.
                        self._batches.look_ahead()
                cursor.execute(sqlfiles.query("news"), {"value": ""})
            if plan.changed:
                cursor.execute(sqlfiles.query("same_vector"), {"value": "allowed"})
                _update_all(
                    cursor,
                    self._table.statement("replace_chunk", self._target),
                    [_parameters(i, c) | {"embedding": c.vector} for i, c in plan.changed.items()],
                )
                cursor.execute(sqlfiles.query("same_vector"), {"value": ""})
            if plan.touched:
                _update_all(
                    cursor,
                    self._table.statement("touch_chunk", self._target),
                    [_parameters(i, c) for i, c in plan.touched.items()],
                )

    def _fields(
        self, raw: PgConnection, new: Mapping[ChunkId, Incoming]
    ) -> Iterator[tuple[bytes, ...]]:
        encoding = client_encoding(raw)
        text = copying.text_dumper(encoding)
        as_id = copying.id_dumper(self._known.id_type, text)
        label = text(self._target.model_version)
        int4, jsonb, vector = copying.int4, copying.jsonb, copying.vector
        for part in _slices(new.items(), _PACKED):
            for (chunk_id, item), made in zip(part, self._vectors(part), strict=True):
                chunk = item.chunk
                yield (
                    as_id(chunk_id),
                    label,
                    text(chunk.document_id),
                    int4(chunk.position),
                    text(chunk.content),
                    jsonb(item.metadata, encoding),
                    vector(made),
                )

    def _vectors(self, part: list[tuple[ChunkId, Incoming]]) -> list[BinaryVector]:
        if self._ready is not None:
            rows = self._ready[[item.place for _, item in part]]
            return vectors.pack(rows, self._known.storage)
        return [item.vector for _, item in part if item.vector is not None]


def _slices(
    items: Iterable[tuple[ChunkId, Incoming]], size: int
) -> Iterator[list[tuple[ChunkId, Incoming]]]:
    """The items in lists of that size, the last one shorter."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def ready_vectors(given: npt.ArrayLike, target: Version) -> Vectors:
    """The caller's own matrix, checked. Raises: BadEmbedding."""
    count = len(given) if isinstance(given, Sized) else 1
    what = f"the matrix for {target.model_version}"
    return checked(given, count=count, dimensions=target.dimensions, what=what)


def _parameters(chunk_id: ChunkId, item: Incoming) -> dict[str, Any]:
    return {
        "chunk_id": chunk_id,
        "document_id": item.chunk.document_id,
        "position": item.chunk.position,
        "content": item.chunk.content,
        "metadata": Jsonb(json.loads(item.metadata)),
    }


def _update_all(
    cursor: psycopg.Cursor[Any], statement: sql.Composed, rows: list[dict[str, Any]]
) -> None:
    """Runs the update for each. Raises: _Changed if another session took one of the rows away."""
    cursor.executemany(statement, rows)
    if cursor.rowcount != len(rows):
        raise _Changed
