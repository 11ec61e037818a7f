"""Base classes for your own SQLAlchemy models: the public path of ``chunks/mapped.py``."""

from pgvec_versions.chunks.mapped import (
    BigintChunkMixin,
    ChunkMixin,
    ChunkVector,
    TextChunkMixin,
    active_view,
    declare_query_version,
)

__all__ = [
    "BigintChunkMixin",
    "ChunkMixin",
    "ChunkVector",
    "TextChunkMixin",
    "active_view",
    "declare_query_version",
]
