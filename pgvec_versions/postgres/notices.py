"""What the database says while a verb waits for a lock: whom it waits for, and until when."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

from psycopg.errors import Diagnostic

from pgvec_versions.postgres.database import PgConnection

log = logging.getLogger("pgvec_versions.waiting")


class Wait(NamedTuple):
    """What a verb waits for, in a line. ``claims``: for work items that other workers have."""

    what: str
    claims: bool = False


OnWait: TypeAlias = Callable[[Wait], None]

#: The SQLSTATE of the notices that say whom a verb waits for.
_WAITS = "55P03"


def log_wait(wait: Wait) -> None:
    """What happens without an ``on_wait`` of yours: the line goes to the log."""
    log.warning("%s", wait.what)


@contextmanager
def heard(raw: PgConnection, on_wait: OnWait) -> Generator[None]:
    """Hands ``on_wait`` what the database says about locks that it waits for, when it says it."""

    def on_notice(notice: Diagnostic) -> None:
        if notice.sqlstate == _WAITS and notice.message_primary:
            on_wait(Wait(notice.message_primary))

    raw.add_notice_handler(on_notice)
    try:
        yield
    finally:
        raw.remove_notice_handler(on_notice)
