"""How long a worker pauses after errors, and how it waits for a server at its start."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from pgvec_versions.errors import OutOfResources, ServerError

log = logging.getLogger("pgvec_versions.worker")

T = TypeVar("T")

#: How often ``Worker.run`` looks for new work.
POLL = timedelta(seconds=1)
#: The longest pause of ``Worker.run`` after an error, and before it checks refused embedders again.
#: Units: seconds.
LONGEST_PAUSE = 60.0
#: How often ``run`` doubles its pause after errors: 2**6 polls of a second reach the longest pause.
_MOST_DOUBLINGS = 6


def pause_after(failures: int, poll: timedelta = POLL) -> float:
    """How long ``Worker.run`` pauses after so many errors in a row. Units: seconds."""
    return min(poll.total_seconds() * 2 ** min(failures, _MOST_DOUBLINGS), LONGEST_PAUSE)


def when_possible(start: Callable[[], T], stop: threading.Event) -> T | None:
    """Calls ``start`` again and again while the server is starting, stopping or out of something.

    So a worker that starts just then waits as ``Worker.run`` does later, with the same pauses.
    Returns None when ``stop`` was set before. Other errors are raised: a wrong URL does not come
    right.
    """
    failures = 0
    trouble: type[ServerError] | None = None
    while not stop.is_set():
        try:
            return start()
        except ServerError as exc:
            if not isinstance(exc, OutOfResources) and "try_again" not in exc.detail:
                raise
            if type(exc) is not trouble:
                log.warning("%s The worker waits and tries again.", exc)
                trouble = type(exc)
            failures += 1
        stop.wait(pause_after(failures))
    return None
