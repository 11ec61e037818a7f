"""How much a version takes: disk for its leaf and index, memory for the build, and time."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from pgvec_versions.catalog import read_collection
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.rows import read_row, read_value

_MEGABYTE = 1024**2
#: The memory of an index build follows the size of the graph, between these bounds: less is
#: PostgreSQL's default, and more would be too much to take unasked. Units: MB.
_LEAST_MEMORY, _MOST_MEMORY = 64, 2048
#: The largest graph that a build holds in memory unless you give it more. Units: bytes.
LARGEST_GRAPH = _MOST_MEMORY * _MEGABYTE
#: An element of the graph: its numbers, 2·m neighbours on the ground layer, and the rest; then
#: some slack for the layers above. The same numbers are in ``estimate_size.sql``.
_NUMBER = {"vector": 4, "halfvec": 2}
_NEIGHBOUR = 12
_ELEMENT = 200
_SLACK = 1.2


#: A smaller index says nothing about the speed of a build. Units: bytes.
_TELLING_INDEX = 4 * _MEGABYTE


def build_memory(raw: PgConnection, collection: str, model_version: str) -> int:
    """The memory in which the version's graph fits, within the bounds. Units: MB."""
    known = read_collection(raw, collection)
    version = known.version(model_version)
    leaf = sql.Identifier("pgvec_leaves", version.leaf)
    count = sqlfiles.query("count_chunks").format(leaf=leaf)
    chunks: int = read_value(raw, count) if version.live else 0
    numbers = version.dimensions * _NUMBER[known.storage]
    element = numbers + 2 * version.m * _NEIGHBOUR + _ELEMENT
    needed = int(chunks * element * _SLACK / _MEGABYTE) + 1
    return min(max(needed, _LEAST_MEMORY), _MOST_MEMORY)


def estimate(raw: PgConnection, collection: str, dimensions: int, m: int) -> dict[str, Any]:
    """The size of a version that does not exist yet: chunks, bytes of leaf, index and graph.

    Source: ``sql/functions/indexes/estimate_size.sql``.
    """
    parameters = {"collection": collection, "dimensions": dimensions, "m": m}
    return read_row(raw, sqlfiles.query("estimate_size"), parameters)._asdict()


def embedding_seconds(
    chunks: int, rate: float | None, rows_per_second: float | None = None
) -> float | None:
    """How long one worker embeds, at a measured rate and below its throttle. Units: seconds."""
    if rate is None:
        return None
    return chunks / min(rate, rows_per_second or rate)


def index_seconds(raw: PgConnection, collection: str, index_bytes: int) -> float | None:
    """How long the build of an index takes, by the speed of the collection's last one.

    None if no index was built that is large enough to tell. Units: seconds.
    """
    parameters = {"collection": collection, "least": _TELLING_INDEX}
    last = read_row(raw, sqlfiles.query("last_index_build"), parameters)
    return None if last is None else last.seconds * index_bytes / last.bytes
