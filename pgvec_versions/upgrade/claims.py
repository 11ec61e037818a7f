"""What a worker holds: claimed work items, their chunks and the vectors made for them. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from pgvec_versions.errors import EmbedderError
from pgvec_versions.postgres.vectors import BinaryVector

__all__ = ["Claim", "Mark"]


@dataclass(slots=True)
class Claim:
    """Work items of one source and one target under one lease. Units: seconds, monotonic."""

    source: str
    target: str
    lease: uuid.UUID
    items: list[int]
    revisions: list[int]
    attempts: int
    began: float
    rows: list[tuple[list[int], str, str, bytes]]
    vectors: dict[str, BinaryVector] = field(default_factory=dict[str, BinaryVector])
    error: EmbedderError | None = None
    #: In ``time.monotonic()`` seconds. From when it was claimed: it may wait for the one before it.
    prolong_at: float = 0.0

    def keep(self, items: list[int]) -> None:
        """Forgets the other items, and their rows. The lease still holds them."""
        if len(items) == len(self.items):
            return
        kept = set(items)
        revisions = dict(zip(self.items, self.revisions, strict=True))
        self.items, self.revisions = items, [revisions[item] for item in items]
        self.rows = [row for row in self.rows if not kept.isdisjoint(row[0])]


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
