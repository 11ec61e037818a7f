"""Chunks, written and searched: each under the model version that made its vector.

::

    store.py       ChunkStore: add, delete, search
    aio.py         AsyncChunkStore: the same, awaited
    adding.py      one call of add: embed what is new, write it to every live version
    batches.py     how the chunks of a call are cut; pure
    documents.py   files in, chunks out
    statements.py  the statements on one chunk table
    mapped.py      classes for a host's own SQLAlchemy models
"""

from pgvec_versions.values import AddResult, Chunk, Hit, QueryVector

__all__ = ["AddResult", "Chunk", "Hit", "QueryVector"]
