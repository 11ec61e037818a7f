"""Throttle: how fast a worker may go, and when it must wait. A worker asks before every call.

The pace is arithmetic without a database; the load of the server is one cheap query, once a second
at most.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.rows import read_row

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: The time between two queries for the load, at least. Units: seconds.
_LOAD_EVERY = 1.0
#: The longest wait before the bounds are checked again. Units: seconds.
_LONGEST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """The load of the server. Units: bytes of WAL that the slowest standby lacks; sessions."""

    replication_lag: int
    active_sessions: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """The bounds of a worker; None is no bound.

    ``rows_per_second``: how many chunks it embeds and writes. ``max_replication_lag``: it waits
    while a standby lacks more WAL than that. ``max_active_sessions``: it waits while more client
    sessions than that are active, not counting the one that asks.

    Units: chunks a second; bytes; sessions. The last two need a role that may see other sessions
    (``pg_monitor``); without it the worker sees no load and never waits.
    Raises: InvalidArgument for a bound that lets nothing through.
    """

    rows_per_second: float | None = None
    max_replication_lag: int | None = None
    max_active_sessions: int | None = None

    def __post_init__(self) -> None:
        if self.rows_per_second is not None and not self.rows_per_second > 0:
            raise InvalidArgument("a throttle needs more than 0 rows a second.")
        for name in ("max_replication_lag", "max_active_sessions"):
            if (getattr(self, name) or 0) < 0:
                raise InvalidArgument(f"{name} must be 0 or more.")

    def reason(self, load: Load) -> str | None:
        """Why to wait under that load, or None."""
        lag, sessions = self.max_replication_lag, self.max_active_sessions
        if lag is not None and load.replication_lag > lag:
            return f"a standby lacks {load.replication_lag:,} bytes of WAL, more than {lag:,}"
        if sessions is not None and load.active_sessions > sessions:
            return f"{load.active_sessions} sessions are active, more than {sessions}"
        return None


class Pace:
    """An even rate: the next rows wait as long as the last ones take at that rate. Pure.

    Units: rows, and seconds of the caller's clock.
    """

    def __init__(self, rows_per_second: float | None) -> None:
        self.rows_per_second = rows_per_second
        self._next_at = 0.0

    def wait(self, now: float) -> float:
        """How long to wait before you take the next rows; 0 for not at all."""
        return max(self._next_at - now, 0.0)

    def spend(self, rows: int, now: float) -> None:
        """Records that you take rows now. Idle time is not saved up."""
        if self.rows_per_second is not None:
            self._next_at = max(self._next_at, now) + rows / self.rows_per_second

    def most(self, texts: int) -> int:
        """How many of the texts to take at once: those of about a second."""
        if self.rows_per_second is None:
            return texts
        return max(min(texts, int(self.rows_per_second)), 1)


class Brake:
    """A throttle applied to one server; the claims of a worker share it.

    ``held`` says why it waits now; None when it does not.
    """

    def __init__(self, engine: Engine, throttle: Throttle | None) -> None:
        self.throttle = throttle or Throttle()
        self.pace = Pace(self.throttle.rows_per_second)
        self.held: str | None = None
        self._engine = engine
        self._loaded_at = float("-inf")

    def hold(self, stop: threading.Event, most: float) -> bool:
        """Waits if it must, for at most ``most`` seconds. Returns True when you must ask again."""
        now = time.monotonic()
        waits = self.pace.wait(now)
        if waits == 0 and not self._too_much(now):
            return False
        stop.wait(min(waits or _LOAD_EVERY, most, _LONGEST_WAIT))
        return True

    def _too_much(self, now: float) -> bool:
        bounds = self.throttle
        if bounds.max_replication_lag is None and bounds.max_active_sessions is None:
            return False
        if now - self._loaded_at >= _LOAD_EVERY or self.held is not None:
            self.held = bounds.reason(self.load())
            self._loaded_at = time.monotonic()
        return self.held is not None

    def load(self) -> Load:
        """The load of the server now."""
        with autocommitted(self._engine) as raw:
            row = read_row(raw, sqlfiles.query("server_load"))
        return Load(row.replication_lag, row.active_sessions)
