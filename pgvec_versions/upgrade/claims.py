"""What a worker has claimed: work items, their chunks and the vectors made for them. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from pgvec_versions.errors import EmbedderError
from pgvec_versions.postgres.vectors import BinaryVector


class ClaimedChunk(NamedTuple):
    """A chunk to embed, and the claimed items it belongs to; the columns of ``read_work``."""

    item_ids: list[int]
    chunk_id: str
    content: str
    content_hash: bytes


@dataclass(slots=True)
class Claim:
    """Work items of one source and one target under one lease.

    Units: ``began`` and ``renew_at`` in ``time.monotonic()`` seconds.
    """

    source: str
    target: str
    lease: uuid.UUID
    items: list[int]
    revisions: list[int]
    attempts: int
    began: float
    #: Counted from the claim itself: it may wait for the claim before it.
    renew_at: float
    chunks: list[ClaimedChunk] = field(default_factory=list[ClaimedChunk])
    vectors: dict[str, BinaryVector] = field(default_factory=dict[str, BinaryVector])
    error: EmbedderError | None = None

    def keep(self, items: list[int]) -> None:
        """Drops the other items and their chunks. The lease still holds them."""
        if len(items) == len(self.items):
            return
        kept = set(items)
        revisions = dict(zip(self.items, self.revisions, strict=True))
        self.items, self.revisions = items, [revisions[item] for item in items]
        self.chunks = [chunk for chunk in self.chunks if not kept.isdisjoint(chunk.item_ids)]


@dataclass(slots=True)
class Mark:
    """What was open when a drain began: items up to ``newest``, in the revisions first claimed."""

    newest: int
    revisions: dict[int, int] = field(default_factory=dict[int, int])

    def passed(self, claim: Claim) -> bool:
        """Whether everything in the claim came later."""
        claimed = dict(zip(claim.items, claim.revisions, strict=True))
        later = all(
            item > self.newest or revision > self.revisions.get(item, revision)
            for item, revision in claimed.items()
        )
        self.revisions = claimed | self.revisions
        return later
