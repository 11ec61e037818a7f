"""ChunkStore: the public path of ``chunks/store.py``."""

from pgvec_versions.chunks.store import ChunkStore

__all__ = ["ChunkStore"]
