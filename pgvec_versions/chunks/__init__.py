"""Writing and searching chunks: each has the model version that made its vector.

::

    store.py             ChunkStore: add, delete, search
    aio.py               AsyncChunkStore: the same, awaited
    adding.py            one call of add: embed what is new, and write it
    batches.py           check the chunks of a call and cut them into batches; pure
    statements.py        the statements on one chunk table
    mapped.py            base classes for your own SQLAlchemy models

    documents.py         files in, chunks out: find the files, read them, split them
    readers.py           one reader for each kind of file
    splitting.py         text in, pieces out; pure
    roots.py             the folder that document ids are relative to
    stored_documents.py  which documents are stored, and which left their folder
"""

from pgvec_versions.values import AddResult, Chunk, Hit, QueryVector

__all__ = ["AddResult", "Chunk", "Hit", "QueryVector"]
