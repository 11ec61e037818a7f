"""Throttle: how fast a worker may go, and when it must wait for the server. Asked at every call.

The pace is arithmetic and knows no database; the look at the server is one cheap query, once a
second at most.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted

__all__ = ["Brake", "Load", "Pace", "Throttle"]

#: How often the server is looked at, at most. Units: seconds.
_LOOK_EVERY = 1.0
#: How long one wait lasts before the bounds are looked at again, at most. Units: seconds.
_LONGEST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What the server bears. Units: bytes of WAL that the slowest standby lacks; sessions."""

    replication_lag: int
    active_sessions: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """The bounds of a worker; None is no bound.

    ``rows_per_second``: chunks that it embeds and writes. ``max_replication_lag``: it waits while a
    standby has not replayed more WAL than that. ``max_active_sessions``: it waits while more client
    sessions than that are at work, its own not counted where it is only asking.

    Units: chunks a second; bytes; sessions. The last two need a role that may see other sessions
    (``pg_monitor``); without, nothing is seen and nothing waited for.
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
    """So many rows a second, evenly: what was taken is paid for in time before the next. Pure.

    Units: rows, and seconds of whatever clock the caller goes by.
    """

    def __init__(self, rows_per_second: float | None) -> None:
        self.rows_per_second = rows_per_second
        self._next_at = 0.0

    def wait(self, now: float) -> float:
        """How long to wait before the next rows; 0 when they may be taken now."""
        return max(self._next_at - now, 0.0)

    def spend(self, rows: int, now: float) -> None:
        """Rows are taken now. Time in which nothing was taken is not saved up."""
        if self.rows_per_second is not None:
            self._next_at = max(self._next_at, now) + rows / self.rows_per_second

    def most(self, texts: int) -> int:
        """How many of the texts to take at once: about a second's worth."""
        if self.rows_per_second is None:
            return texts
        return max(min(texts, int(self.rows_per_second)), 1)


class Brake:
    """A throttle at work on one server; shared by the claims of a worker.

    ``held`` is why it waits just now, or None.
    """

    def __init__(self, engine: Engine, throttle: Throttle | None) -> None:
        self.throttle = throttle or Throttle()
        self.pace = Pace(self.throttle.rows_per_second)
        self.held: str | None = None
        self._engine = engine
        self._looked_at = float("-inf")

    def hold(self, stop: threading.Event, most: float) -> bool:
        """Waits if it must, for ``most`` seconds or less; true when it must be asked again."""
        now = time.monotonic()
        waits = self.pace.wait(now)
        if waits == 0 and not self._too_much(now):
            return False
        stop.wait(min(waits or _LOOK_EVERY, most, _LONGEST_WAIT))
        return True

    def _too_much(self, now: float) -> bool:
        bounds = self.throttle
        if bounds.max_replication_lag is None and bounds.max_active_sessions is None:
            return False
        if now - self._looked_at >= _LOOK_EVERY or self.held is not None:
            self.held = bounds.reason(self.load())
            self._looked_at = time.monotonic()
        return self.held is not None

    def load(self) -> Load:
        """What the server bears now."""
        with autocommitted(self._engine) as raw:
            row: Any = raw.execute(sqlfiles.query("server_load")).fetchone()
        return Load(int(row[0]), int(row[1]))
