"""pgvec-versions: embedding-model upgrades in Postgres as a routine operation.

One rule: a query is compared only with vectors that its own model version produced.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgvec_versions.aio import AsyncChunkStore
    from pgvec_versions.chunks import Chunk, Hit, QueryVector
    from pgvec_versions.embedders import (
        Embedder,
        SentenceTransformerEmbedder,
        StaticTokenEmbedder,
    )
    from pgvec_versions.errors import PgvecError
    from pgvec_versions.filters import Where
    from pgvec_versions.models import ChunkMixin, active_view
    from pgvec_versions.store import ChunkStore
    from pgvec_versions.transition import Transition, roll_back
    from pgvec_versions.worker import Worker

_HOMES = {
    "AsyncChunkStore": "aio",
    "Chunk": "chunks",
    "ChunkMixin": "models",
    "ChunkStore": "store",
    "Embedder": "embedders",
    "Hit": "chunks",
    "PgvecError": "errors",
    "QueryVector": "chunks",
    "SentenceTransformerEmbedder": "embedders",
    "StaticTokenEmbedder": "embedders",
    "Transition": "transition",
    "Where": "filters",
    "Worker": "worker",
    "active_view": "models",
    "roll_back": "transition",
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
