"""pgvec-versions: embedding-model upgrades in Postgres as a routine operation.

One rule: a query is compared only with vectors that its own model version produced.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgvec_versions.chunks.aio import AsyncChunkStore
    from pgvec_versions.chunks.mapped import ChunkMixin, active_view
    from pgvec_versions.chunks.store import ChunkStore
    from pgvec_versions.embedders import (
        Embedder,
        SentenceTransformerEmbedder,
        StaticTokenEmbedder,
    )
    from pgvec_versions.errors import PgvecError
    from pgvec_versions.filters import Where
    from pgvec_versions.upgrade.transition import Transition, roll_back
    from pgvec_versions.upgrade.worker import Worker
    from pgvec_versions.values import Chunk, Hit, QueryVector

_HOMES = {
    "AsyncChunkStore": "chunks.aio",
    "Chunk": "values",
    "ChunkMixin": "chunks.mapped",
    "ChunkStore": "chunks.store",
    "Embedder": "embedders",
    "Hit": "values",
    "PgvecError": "errors",
    "QueryVector": "values",
    "SentenceTransformerEmbedder": "embedders",
    "StaticTokenEmbedder": "embedders",
    "Transition": "upgrade.transition",
    "Where": "filters",
    "Worker": "upgrade.worker",
    "active_view": "chunks.mapped",
    "roll_back": "upgrade.transition",
}

__all__ = [
    "AsyncChunkStore",
    "Chunk",
    "ChunkMixin",
    "ChunkStore",
    "Embedder",
    "Hit",
    "PgvecError",
    "QueryVector",
    "SentenceTransformerEmbedder",
    "StaticTokenEmbedder",
    "Transition",
    "Where",
    "Worker",
    "active_view",
    "roll_back",
]


def __getattr__(name: str) -> Any:
    # Names are fetched on first use: importing the package costs nothing and has no effects.
    if name in _HOMES:
        return getattr(import_module(f"pgvec_versions.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'pgvec_versions' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
