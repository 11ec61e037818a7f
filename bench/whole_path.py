"""Writing, backfilling, cutting over and retiring, as ratios to a raw COPY, measured in one run.

Run: ``python -m bench.whole_path [ROWS]``. An embedded PostgreSQL 18, 384 dimensions, an embedder
that takes no time, so it measures everything except the model. No peers, no plots.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4

from pgvec_versions import Chunk, ChunkStore, Transition, roll_back
from pgvec_versions.embedders import EmbedderIdentity
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.embedded import embedded_server
from pgvec_versions.postgres.install import install
from pgvec_versions.postgres.vectors import pack, register
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.values import chunk_identity

DIMENSIONS = 384
PLAIN = """
CREATE TABLE plain (
    chunk_id uuid, model_version text NOT NULL, document_id text, position int,
    content text NOT NULL, metadata jsonb NOT NULL, embedding vector NOT NULL,
    PRIMARY KEY (chunk_id, model_version)
);
CREATE INDEX ON plain (document_id);
"""
DUE = "UPDATE pgvec.model_version SET retire_at = clock_timestamp() WHERE state = 'draining'"


class Instant:
    """Vectors from a pool: an embedder that takes no time."""

    dimensions = DIMENSIONS

    def __init__(self, name: str, rows: int) -> None:
        self.identity = EmbedderIdentity("instant", name, "1", {})
        self._pool = np.random.default_rng(len(name)).standard_normal((rows, DIMENSIONS))
        self._pool = self._pool.astype(np.float32)

    def embed_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._pool[[crc32(text.encode()) % len(self._pool) for text in texts]]

    embed_queries = embed_documents


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def texts(prefix: str, rows: int) -> list[Chunk]:
    filler = "lorem ipsum dolor sit amet " * 20
    return [
        Chunk(f"{prefix} {i} {filler}", f"{prefix}-{i // 10}", i % 10, {"n": i})
        for i in range(rows)
    ]


def raw_copy(url: str, chunks: list[Chunk], model: Instant) -> None:
    """The same rows by COPY binary into a plain table with the same columns and primary key."""
    vectors = pack(model.embed_documents([c.content for c in chunks]))
    with psycopg.connect(url) as connection:
        register(connection)
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY plain FROM STDIN (FORMAT binary)") as copy,
        ):
            for chunk, vector in zip(chunks, vectors, strict=True):
                copy.write_row(
                    (
                        chunk_identity(chunk, "uuid"),
                        "v",
                        chunk.document_id,
                        Int4(chunk.position or 0),
                        chunk.content,
                        Jsonb(dict(chunk.metadata)),
                        vector,
                    )
                )


def measure(url: str, rows: int) -> dict[str, str]:
    """Every figure by its name, in the order in which it was taken."""
    old, new = Instant("old", 65_536), Instant("new-one", 65_536)
    figures: dict[str, str] = {}
    first = texts("first", rows)
    with psycopg.connect(url, autocommit=True) as admin:
        install(admin)
        admin.execute("SELECT pgvec.create_collection('docs')")
        admin.execute(PLAIN)
        Transition(url, "docs", "old", old).begin()
        store = ChunkStore(url, "docs", {"old": old, "new": new})

        base = rows / seconds(lambda: raw_copy(url, first, old))
        figures["raw COPY binary into a plain table"] = f"{base:,.0f} rows/s"
        rate = rows / seconds(lambda: store.add(first))
        figures["ChunkStore.add of new texts"] = f"{rate:,.0f} rows/s = {rate / base:.2f} × COPY"
        rate = rows / seconds(lambda: store.add(first))
        figures["the same add again: nothing to do"] = f"{rate:,.0f} rows/s"
        Transition(url, "docs", "old", old).run(cut_over=True)

        upgrade = Transition(url, "docs", "new", new)
        figures["register and plan"] = f"{seconds(upgrade.begin) * 1000:.0f} ms"
        rate = rows / seconds(upgrade.backfill)
        figures["backfill, one worker"] = f"{rate:,.0f} rows/s = {rate / base:.2f} × COPY"
        figures["index build"] = f"{seconds(upgrade.build_index):.1f} s"
        figures["make ready: all checks on all rows"] = (
            f"{seconds(upgrade.make_ready) * 1000:.0f} ms"
        )
        figures["cut over"] = f"{seconds(upgrade.cut_over) * 1000:.1f} ms"
        figures["roll back"] = f"{seconds(lambda: roll_back(url, 'docs')) * 1000:.1f} ms"
        admin.execute(DUE)
        figures["retire: drop of leaf and index"] = (
            f"{seconds(lambda: retire_due(url)) * 1000:.0f} ms"
        )
        version = admin.execute("SELECT current_setting('server_version')").fetchone()
        figures["PostgreSQL"] = str(version and version[0])
    return figures


def main() -> None:
    """Prints the figures."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    folder = Path(tempfile.mkdtemp(prefix="pgvec-bench-"))
    folder.chmod(0o755)
    try:
        with embedded_server(folder / "data") as server:
            figures = measure(server.url("bench"), rows)
            close_shared_engines()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{rows:,} rows × {DIMENSIONS}, Python {platform.python_version()}, {os.cpu_count()} cores"
    )
    for name, figure in figures.items():
        print(f"  {name:40} {figure}")


if __name__ == "__main__":
    main()
