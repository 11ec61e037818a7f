"""How much a worker takes at once: texts in a call of the embedder, work items in a claim. Pure.

Both grow while they are quick and shrink when they are slow: large ones cost less for each chunk,
and slow ones would outlast the lease.
"""

from __future__ import annotations

from datetime import timedelta

#: Texts in the first call of the embedder.
_FIRST_CALL = 32
#: The longest call, as a part of the lease: the lease is renewed between two calls.
_LONGEST_CALL = 1 / 6
#: A call that takes less than this part of the lease is quick: the next has twice the texts.
_QUICK_CALL = 1 / 30
#: Chunks in one claim, at most: their vectors stay in memory until they are written.
_CLAIM_CHUNKS = 4096
#: Work items in one claim, at most: items that were written live hold one chunk each.
_CLAIM_ITEMS = 1024
#: A claim that takes less than this is quick: the next has twice the items. Units: seconds.
_QUICK_CLAIM = 1.0
#: A claim that takes more than this is slow: the next has half the items. Units: seconds.
_SLOW_CLAIM = 4.0


class Sizes:
    """How much to take next. Units: texts, work items; ``longest_call`` in seconds."""

    def __init__(self, lease: timedelta) -> None:
        self.call = _FIRST_CALL
        self.claim = 1
        self.longest_call = lease.total_seconds() * _LONGEST_CALL
        self._quick_call = lease.total_seconds() * _QUICK_CALL

    def call_took(self, seconds: float, texts: int) -> None:
        """Adapts to a call. A large one gains more from texts sorted by length."""
        if seconds > self.longest_call:
            self.call = max(int(texts * self.longest_call / seconds), 1)
        elif seconds < self._quick_call and texts == self.call:
            self.call = min(self.call * 2, _CLAIM_CHUNKS)

    def claim_took(self, seconds: float, chunks: int) -> None:
        """Adapts to a claim that was embedded and written."""
        if seconds < _QUICK_CLAIM and chunks * 2 <= _CLAIM_CHUNKS:
            self.claim = min(self.claim * 2, _CLAIM_ITEMS)
        elif seconds > _SLOW_CLAIM or chunks > _CLAIM_CHUNKS:
            self.claim = max(self.claim // 2, 1)

    def claim_one(self) -> None:
        """The next claim has one item: after a failure, so that a bad one comes alone."""
        self.claim = 1
