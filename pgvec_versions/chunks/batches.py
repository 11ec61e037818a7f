"""Checks the chunks that you add, and cuts them into batches. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import cast

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.values import Chunk, ChunkId, Incoming, checked_chunk, chunk_identity

#: Chunks in the first batches.
_SMALLEST = 1024
#: Chunks in a batch, at most. Batches grow while they are quick: fewer commits for the same chunks.
_LARGEST = 8192
#: Chunks that are checked between two writes to the server.
_AHEAD = 128


class Batches:
    """Batches by chunk id, of whole documents if the chunks of a document come together.

    ``vectors`` is the number of ready-made vectors, one for each chunk, if there are any.

    While a batch is being sent, ``look_ahead`` checks chunks of the next one, if you gave a list or
    a tuple: meanwhile the server works. From a generator a chunk is taken only when it is needed,
    outside any transaction, because your code runs then.
    Raises, on iteration: InvalidArgument, when it is the turn of the bad chunk's batch.
    """

    def __init__(
        self, chunks: Iterable[Chunk | str], id_type: str, vectors: int | None = None
    ) -> None:
        given: object = chunks
        single = isinstance(given, str | bytes | bytearray | Mapping)
        if single or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            one = "string" if isinstance(given, str) else type(cast("object", given)).__name__
            raise InvalidArgument(
                f"add takes a list of chunks, and one {one} was given.", hint="Put it into a list."
            )
        self.size = _SMALLEST
        self._id_type = id_type
        self._vectors = vectors
        self._is_list = isinstance(chunks, (list, tuple))
        self._chunks = enumerate(chunks)
        self._count = 0
        self._ahead: deque[tuple[ChunkId, Incoming]] = deque()
        self._error: Exception | None = None

    def grow(self) -> None:
        """Makes the next batches larger."""
        self.size = min(self.size * 2, _LARGEST)

    def look_ahead(self) -> None:
        """Checks a few more chunks of a list. An error is raised later, on iteration."""
        if self._is_list and len(self._ahead) < self.size:
            self._check(_AHEAD)

    def _check(self, most: int) -> None:
        if self._error is not None:
            return
        try:
            for place, given in islice(self._chunks, most):
                self._count = place + 1
                item = checked_chunk(given, place)
                self._ahead.append((chunk_identity(item.chunk, self._id_type), item))
        except Exception as exc:
            self._error = exc

    def __iter__(self) -> Iterator[dict[ChunkId, Incoming]]:
        batch: dict[ChunkId, Incoming] = {}
        last: str | None = None
        while True:
            if not self._ahead:
                self._check(_AHEAD if self._is_list else 1)
            if not self._ahead:
                break
            chunk_id, item = self._ahead.popleft()
            document = item.chunk.document_id
            if len(batch) >= self.size and (document is None or document != last):
                yield batch
                batch = {}
            last = document
            batch[chunk_id] = item
            if self._vectors is not None and item.place >= self._vectors:
                break
        if self._error is not None:
            raise self._error
        if self._vectors is not None and self._count != self._vectors:
            raise InvalidArgument(
                f"{self._vectors} vectors were given, for another number of chunks.",
                hint="Give one vector a chunk. What came before is stored.",
            )
        if batch:
            yield batch
