"""What is put into a collection, looked at and cut into batches. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import cast

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.values import Chunk, ChunkId, Item, chunk_identity, sound_chunk

__all__ = ["Batches"]

#: Chunks of a batch, at first.
_SMALLEST = 1024
#: Batches grow up to this while they are quick, so that a commit is for more.
_LARGEST = 8192
#: Chunks that are looked at between two writes to the server.
_AHEAD = 128


class Batches:
    """Batches by chunk id, of whole documents as long as a document's chunks come together.

    ``vectors`` is how many ready-made vectors there are, one a chunk, if there are any.

    Of a list or tuple, chunks of the next batch may be looked at while this one is being sent
    (``look_ahead``): the server takes what lies in the socket meanwhile. Anything else that gives
    chunks is asked for one only when it is needed, outside any transaction.
    Raises, on iteration: InvalidArgument. What came before the batch of a bad chunk was given out.
    """

    def __init__(
        self, chunks: Iterable[Chunk | str], id_type: str, vectors: int | None = None
    ) -> None:
        given: object = chunks
        no_list = isinstance(given, str | bytes | bytearray | Mapping)
        if no_list or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            one = "string" if isinstance(given, str) else type(cast("object", given)).__name__
            raise InvalidArgument(
                f"add takes a list of chunks, and one {one} was given.", hint="Put it into a list."
            )
        self.size = _SMALLEST
        self._id_type = id_type
        self._vectors = vectors
        self._at_hand = isinstance(chunks, (list, tuple))
        self._chunks = enumerate(chunks)
        self._count = 0
        self._ahead: deque[tuple[ChunkId, Item]] = deque()
        self._error: Exception | None = None

    def grow(self) -> None:
        """Makes the batches that follow larger."""
        self.size = min(self.size * 2, _LARGEST)

    def look_ahead(self) -> None:
        """Looks at a few more chunks, if they are at hand. What is wrong with one is said later."""
        if self._at_hand and len(self._ahead) < self.size:
            self._look_at(_AHEAD)

    def _look_at(self, most: int) -> None:
        if self._error is not None:
            return
        try:
            for place, given in islice(self._chunks, most):
                self._count = place + 1
                item = sound_chunk(given, place)
                self._ahead.append((chunk_identity(item.chunk, self._id_type), item))
        except Exception as exc:
            self._error = exc

    def __iter__(self) -> Iterator[dict[ChunkId, Item]]:
        batch: dict[ChunkId, Item] = {}
        last: str | None = None
        while True:
            if not self._ahead:
                self._look_at(_AHEAD if self._at_hand else 1)
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
                f"{self._vectors} vectors were given, and not as many chunks.",
                hint="Give one vector a chunk. What came before is stored.",
            )
        if batch:
            yield batch
