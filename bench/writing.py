"""What the rows that write share: chunks, collections in a given state, the raw COPY."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4

from bench.lab import Lab, Ready, timed
from pgvec_versions import Chunk, ChunkStore, Transition
from pgvec_versions.postgres.vectors import BinaryVector, pack, register
from pgvec_versions.values import chunk_identity

#: The columns of a chunk table as a table of its own: no partitions, no triggers, no checks.
PLAIN_TABLE = """
CREATE TABLE plain (
    chunk_id uuid, model_version text NOT NULL, document_id text, position int,
    content text NOT NULL, metadata jsonb NOT NULL, embedding vector({dimensions}) NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (chunk_id, model_version)
);
CREATE INDEX ON plain (document_id);
"""
_FIELDS = "chunk_id, model_version, document_id, position, content, metadata, embedding"
COPY = "COPY {table} (" + _FIELDS + ") FROM STDIN (FORMAT binary)"
COPY_OUT = "COPY {table} (" + _FIELDS + ") TO STDOUT (FORMAT binary)"
PARENT, PLAIN = "docs", "plain"


class Load:
    """The same rows in the shapes that either side takes them in, made before the clock starts."""

    def __init__(self, texts: list[str], vectors: npt.NDArray[np.float32]) -> None:
        self.chunks = [
            Chunk(text, f"document-{i // 10}", i % 10, {"n": i, "source": "bench"})
            for i, text in enumerate(texts)
        ]
        self.texts = texts
        self.vectors = vectors
        self.ids = [chunk_identity(chunk, "uuid") for chunk in self.chunks]

    def __len__(self) -> int:
        return len(self.chunks)

    def embedder(self, name: str, pause: float = 0.0) -> Ready:
        """One whose vectors are these."""
        return Ready(name, self.vectors, pause)


def load(lab: Lab, rows: int) -> Load:
    """So many rows: text of about 500 characters, document, position, metadata, 384 numbers."""
    return Load(lab.texts(rows), lab.vectors(rows))


def collection(lab: Lab, *embedders: tuple[str, Ready]) -> str:
    """The URL of a database with collection docs, the versions registered, still empty.

    No version has an HNSW index yet: that comes after the load.
    """
    url = lab.url()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pgvec.create_collection('docs')")
        plain = sql.SQL(PLAIN_TABLE).format(dimensions=sql.Literal(embedders[0][1].dimensions))
        admin.execute(plain)
    for label, embedder in embedders:
        Transition(url, "docs", label, embedder).begin()
    return url


def raw_copy(url: str, table: str, rows: Load, label: str = "v1") -> float:
    """One COPY, one transaction, psycopg's binary ``write_row``; numpy's vectors packed at once.

    Into the chunk table itself (its triggers fire) or a plain table of the same columns.

    Units: seconds.
    """
    with psycopg.connect(url) as connection:
        register(connection)
        statement = sql.SQL(COPY).format(table=sql.Identifier(table))
        return timed(lambda: _copy(connection, statement, rows, label))


def _records(rows: Load, label: str, vectors: Sequence[BinaryVector]) -> Any:
    for chunk, chunk_id, vector in zip(rows.chunks, rows.ids, vectors, strict=True):
        yield (
            chunk_id,
            label,
            chunk.document_id,
            Int4(chunk.position or 0),
            chunk.content,
            Jsonb(dict(chunk.metadata)),
            vector,
        )


def _copy(
    connection: psycopg.Connection[Any], statement: sql.Composed, rows: Load, label: str
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for record in _records(rows, label, pack(rows.vectors)):
            copy.write_row(record)
    connection.commit()


def stream(url: str, table: str) -> list[bytes]:
    """A filled table as binary COPY data."""
    statement = sql.SQL(COPY_OUT).format(table=sql.Identifier(table))
    with psycopg.connect(url) as connection, connection.cursor().copy(statement) as copy:
        return [bytes(part) for part in copy]


def send(url: str, table: str, data: Sequence[bytes]) -> float:
    """COPY of a ready-made stream: the server's own share of a load. Units: seconds."""
    statement = sql.SQL(COPY).format(table=sql.Identifier(table))
    with psycopg.connect(url) as connection:
        return timed(lambda: _send(connection, statement, data))


def _send(
    connection: psycopg.Connection[Any], statement: sql.Composed, data: Sequence[bytes]
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for part in data:
            copy.write(part)
    connection.commit()


def filled(lab: Lab, rows: Load, label: str = "v1") -> str:
    """The URL of a database whose collection docs holds these rows in ``label``, still building."""
    url = collection(lab, (label, rows.embedder("old")))
    raw_copy(url, PARENT, rows, label)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("ANALYZE docs")
    return url


def add(url: str, rows: Load, label: str = "v1") -> float:
    """`ChunkStore.add` of all rows. Units: seconds."""
    store = ChunkStore(url, "docs")
    return timed(lambda: store.add(rows.chunks, version=label, vectors=rows.vectors))
