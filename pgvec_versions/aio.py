"""AsyncChunkStore: the public path of ``chunks/aio.py``."""

from pgvec_versions.chunks.aio import AsyncChunkStore

__all__ = ["AsyncChunkStore"]
