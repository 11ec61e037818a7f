"""One call of ``ChunkStore.add``: batches, what is new in them, their vectors, and the write."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy.typing as npt
from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Engine

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.chunks.batches import Batches
from pgvec_versions.chunks.statements import ChunkTable, may_go_again
from pgvec_versions.embedders import Vectors, checked
from pgvec_versions.embedders.by_version import BoundEmbedders
from pgvec_versions.errors import Busy, LockTimeout, StaleSnapshot
from pgvec_versions.postgres import copying, sqlfiles, vectors
from pgvec_versions.postgres.database import (
    Caller,
    PgConnection,
    autocommitted,
    client_encoding,
    transaction,
)
from pgvec_versions.postgres.vectors import BinaryVector
from pgvec_versions.values import (
    AddResult,
    Chunk,
    ChunkId,
    Item,
)

__all__ = ["Adding", "ready_vectors"]

#: Units: seconds.
_QUICK = 0.5
#: Ready-made vectors that are packed at once, while they are sent.
_PACKED = 128
_TRIES = 5


class _Moved(Exception):
    """Somebody else wrote the same chunks between our look and our write."""


@dataclass(slots=True)
class _Plan:
    """What is to be done with one batch, by chunk id."""

    new: dict[ChunkId, Item] = field(default_factory=dict[ChunkId, Item])
    changed: dict[ChunkId, Item] = field(default_factory=dict[ChunkId, Item])
    touched: dict[ChunkId, Item] = field(default_factory=dict[ChunkId, Item])
    unchanged: int = 0

    @property
    def unmade(self) -> list[Item]:
        """What needs a vector and has none."""
        return [i for part in (self.new, self.changed) for i in part.values() if i.vector is None]


class Adding:
    """Puts chunks into one version of a collection. What it promises stands at ``ChunkStore.add``.

    ``ready`` are the vectors, a row a chunk, if they were made elsewhere.
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
            total = total.plus(self._put(batch, documents, keep_others))
            if time.monotonic() - began < _QUICK and len(batch) >= batches.size:
                batches.grow()
            if progress is not None:
                progress(len(batch))
        return total

    def _put(
        self, batch: dict[ChunkId, Item], documents: dict[str, list[ChunkId]], keep_others: bool
    ) -> AddResult:
        embedded = 0
        for _ in range(_TRIES):
            with self._scope() as raw:
                plan = self._compare(raw, batch)
                if self._ready is not None:
                    # Those of new chunks are packed while they are sent.
                    wanted = list(plan.changed.values())
                elif wanted := plan.unmade:
                    wanted = self._known_vectors(raw, wanted)
            if wanted:
                # No transaction of ours is open while the model runs.
                embedded += self._make(wanted)
            try:
                with transaction(self.engine, self._caller) as raw:
                    self._write(raw, plan)
                    deleted = 0
                    if documents and not keep_others:
                        deleted = self._table.delete(
                            raw,
                            "rows_vanished",
                            documents=list(documents),
                            ids=self._ids(i for kept in documents.values() for i in kept),
                        )
            except (_Moved, pg_errors.UniqueViolation):
                continue
            except (LockTimeout, StaleSnapshot) as exc:
                if not may_go_again(exc, self._caller):
                    raise
                continue
            return AddResult(
                len(plan.new),
                len(plan.changed),
                len(plan.touched),
                plan.unchanged,
                deleted,
                embedded,
                self._target.model_version,
            )
        raise Busy(
            f"other sessions keep writing the same chunks of {self._known.collection}.",
            hint="Nothing of this batch was written; try again.",
        )

    def _scope(self) -> AbstractContextManager[PgConnection]:
        if self._caller is not None:
            return transaction(self.engine, self._caller)
        return autocommitted(self.engine)

    def _ids(self, ids: Iterable[ChunkId]) -> str | list[ChunkId]:
        """Ids as one parameter: as an array's text where no id needs quoting."""
        if self._known.id_type == "text":
            return list(ids)
        return "{" + ",".join(map(str, ids)) + "}"

    def _compare(self, raw: PgConnection, batch: dict[ChunkId, Item]) -> _Plan:
        plan = _Plan()
        rows = raw.execute(
            self._table.statement("stored_chunks", self._target),
            {"collection": self._known.collection, "ids": self._ids(batch)},
        )
        stored = {row[0]: row[1:] for row in rows}
        for chunk_id, item in batch.items():
            before = stored.get(chunk_id)
            if before is None:
                plan.new[chunk_id] = item
                continue
            place = (item.chunk.document_id, item.chunk.position, item.chunk.content)
            if before[2] != item.chunk.content:
                plan.changed[chunk_id] = item
            elif before != (*place, json.loads(item.metadata), False):
                plan.touched[chunk_id] = item
            else:
                plan.unchanged += 1
        return plan

    def _known_vectors(self, raw: PgConnection, wanted: list[Item]) -> list[Item]:
        """Takes over vectors of texts that only moved within a document; returns the others."""
        documents = {i.chunk.document_id for i in wanted if i.chunk.document_id is not None}
        if not documents:
            return wanted
        old = {
            row[0]
            for row in raw.execute(
                self._table.statement("known_documents", self._target),
                {"documents": list(documents)},
            )
        }
        texts = {i.chunk.content for i in wanted if i.chunk.document_id in old}
        if not texts:
            return wanted
        with raw.cursor(binary=True) as cursor:
            rows = cursor.execute(
                self._table.statement("known_vectors", self._target),
                {"documents": list(old), "texts": list(texts)},
            )
            made = {row[0]: BinaryVector(bytes(row[1])) for row in rows}
        for item in wanted:
            item.vector = made.get(item.chunk.content)
        return [item for item in wanted if item.vector is None]

    def _make(self, wanted: list[Item]) -> int:
        """Vectors for these. Returns how many texts were embedded."""
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
                    for piece in copying.binary_copy(self._fields(raw, plan.new), 7):
                        copy.write(piece)
                        # The server has the piece to work on.
                        self._batches.look_ahead()
                cursor.execute(sqlfiles.query("news"), {"value": ""})
            if plan.changed:
                cursor.execute(sqlfiles.query("same_vector"), {"value": "allowed"})
                _all_found(
                    cursor.executemany,
                    self._table.statement("replace_chunk", self._target),
                    [_parameters(i, c) | {"embedding": c.vector} for i, c in plan.changed.items()],
                    lambda: cursor.rowcount,
                )
                cursor.execute(sqlfiles.query("same_vector"), {"value": ""})
            if plan.touched:
                _all_found(
                    cursor.executemany,
                    self._table.statement("touch_chunk", self._target),
                    [_parameters(i, c) for i, c in plan.touched.items()],
                    lambda: cursor.rowcount,
                )

    def _fields(
        self, raw: PgConnection, new: Mapping[ChunkId, Item]
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

    def _vectors(self, part: list[tuple[ChunkId, Item]]) -> list[BinaryVector]:
        if self._ready is not None:
            rows = self._ready[[item.place for _, item in part]]
            return vectors.pack(rows, self._known.storage)
        return [item.vector for _, item in part if item.vector is not None]


def _slices(
    items: Iterable[tuple[ChunkId, Item]], size: int
) -> Iterator[list[tuple[ChunkId, Item]]]:
    """The items in lists of that size, the last one shorter."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def ready_vectors(given: npt.ArrayLike, target: Version) -> Vectors:
    """A matrix that was made elsewhere, as sound rows. Raises: BadEmbedding."""
    count = len(given) if isinstance(given, Sized) else 1
    what = f"the matrix for {target.model_version}"
    return checked(given, count=count, dimensions=target.dimensions, what=what)


def _parameters(chunk_id: ChunkId, item: Item) -> dict[str, Any]:
    return {
        "chunk_id": chunk_id,
        "document_id": item.chunk.document_id,
        "position": item.chunk.position,
        "content": item.chunk.content,
        "metadata": Jsonb(json.loads(item.metadata)),
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
