"""What a version takes: disk for its leaf and index, memory for the build of the index."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from pgvec_versions.catalog import read_collection
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection

__all__ = ["LARGEST_GRAPH", "build_memory", "estimate"]

#: Memory for an index build is sized to the graph, between these bounds. Units: MB.
_LEAST_MEMORY, _MOST_MEMORY = 64, 2048
#: The most that a build takes by itself. Units: bytes.
LARGEST_GRAPH = _MOST_MEMORY * 1024**2


def build_memory(raw: PgConnection, collection: str, model_version: str) -> int:
    """What holds the version's graph, within the bounds. Units: MB."""
    known = read_collection(raw, collection)
    version = known.version(model_version)
    count = sqlfiles.query("count_chunks").format(leaf=sql.Identifier("pgvec_leaves", version.leaf))
    row = raw.execute(count).fetchone() if version.live else None
    # An element holds its vector and 2·m neighbours on the ground layer, in memory about 12
    # bytes each.
    size = version.dimensions * (4 if known.storage == "vector" else 2) + 2 * version.m * 12 + 200
    needed = int((row[0] if row else 0) * size * 1.2 / 1024**2) + 1
    return min(max(needed, _LEAST_MEMORY), _MOST_MEMORY)


def estimate(raw: PgConnection, collection: str, dimensions: int, m: int) -> dict[str, Any]:
    """Chunks, bytes of leaf, index and graph of a version that is not there yet.

    Source: ``sql/functions/indexes/estimate_size.sql``.
    """
    with raw.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            sqlfiles.query("estimate_size"),
            {"collection": collection, "dimensions": dimensions, "m": m},
        ).fetchone()
    assert row is not None
    return row
