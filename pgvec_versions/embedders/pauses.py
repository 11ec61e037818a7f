"""The pause that an endpoint asked for: it holds for every thread that uses the embedder."""

from __future__ import annotations

import threading
import time


class Pause:
    """Until when an endpoint wants no request. Units: seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._why: Exception | None = None

    def ask(self, seconds: float, why: Exception) -> float:
        """Makes the pause at least that long. Returns when it would end, were it the only one."""
        until = time.monotonic() + seconds
        with self._lock:
            if until > self._until:
                self._until, self._why = until, why
        return until

    def left(self, waited_until: float) -> tuple[float, float, Exception | None]:
        """What a thread still has to wait that has waited until then: how long, until when, why.

        ``why`` is the answer that asked for the pause; None without a pause.
        """
        with self._lock:
            until, why = self._until, self._why
        left = until - time.monotonic()
        return (left, until, why) if left > 0 and until > waited_until else (0.0, until, None)

    def over(self, until: float) -> None:
        """A thread has waited until then, so no other need wait for that."""
        with self._lock:
            if self._until <= until:
                self._until, self._why = 0.0, None
