"""Writing and searching chunks: each has the model version that made its vector.

::

    store.py       ChunkStore: add, delete, search
    aio.py         AsyncChunkStore: the same, awaited
    adding.py      one call of add: embed what is new, and write it
    batches.py     check the chunks of a call and cut them into batches; pure
    documents.py   files in, chunks out
    statements.py  the statements on one chunk table
    mapped.py      base classes for your own SQLAlchemy models
"""

from pgvec_versions.values import AddResult, Chunk, Hit, QueryVector

__all__ = ["AddResult", "Chunk", "Hit", "QueryVector"]
