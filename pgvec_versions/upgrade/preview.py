"""What a verb would do, and what stops it: the dry run, and the wait until nothing stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from pgvec_versions.errors import NotReady, WrongState
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import engine_for, transaction
from pgvec_versions.postgres.rows import read_rows
from pgvec_versions.states import State

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

#: A session that holds a lock, and since when: the cut-over itself tries again until it is gone.
_LOCK_KEYS = {"pid", "since"}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a verb would do, and what stops it: sentences, and their data.

    Shape: ``details`` has the data of each sentence of ``does``, then of ``in_the_way``.
    """

    does: tuple[str, ...]
    in_the_way: tuple[str, ...]
    details: tuple[dict[str, Any], ...]

    @property
    def clear(self) -> bool:
        """Whether nothing stops the verb."""
        return not self.in_the_way

    @property
    def keys(self) -> frozenset[str]:
        """The keys in the data of everything that stops the verb."""
        return frozenset(key for d in self.details[len(self.does) :] for key in d)


def preview(
    target: str | URL | Engine,
    verb: str,
    collection: str | None = None,
    model_version: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Preview:
    """The dry run of a verb of the SQL surface. It changes nothing and makes nobody wait.

    ``arguments``: further arguments of the verb to check, by name, such as ``{"force": True}``;
    see ``sql/functions/catalog/refusals.sql``.
    Raises: UnknownCollection, UnknownVersion, InvalidArgument (no such verb).
    """
    # In READ COMMITTED, as the verb itself will be.
    with transaction(engine_for(target)) as raw:
        rows = read_rows(
            raw,
            sqlfiles.query("preview"),
            {
                "verb": verb,
                "collection": collection,
                "model_version": model_version,
                "arguments": Jsonb(dict(arguments or {})),
            },
        )
    does = [row for row in rows if row.kind == "does"]
    blocks = [row for row in rows if row.kind != "does"]
    return Preview(
        tuple(row.what for row in does),
        tuple(row.what for row in blocks),
        tuple(row.detail for row in (*does, *blocks)),
    )


def wait_until_ready(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    *,
    timeout: timedelta | None = None,
    poll: timedelta = timedelta(seconds=1),
    stop: threading.Event | None = None,
    open_items_too: bool = False,
    on_wait: Callable[[Preview], None] | None = None,
    force: bool = False,
) -> bool:
    """Waits until nothing stops a cut-over. Returns False when ``stop`` was set before.

    With ``open_items_too`` it does not wait for open work items: you drain them yourself. With
    ``force`` it does not wait for the gate; without, it waits for an evaluation that passes.
    Raises: WrongState for a version that can never be cut over to (active, draining, gone);
    NotReady, with what stops it, after ``timeout``.
    """
    stop = stop or threading.Event()
    deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
    while not stop.is_set():
        found = preview(target, "cut_over", collection, model_version, {"force": force})
        # A refusal that names the needed states also names the state of the version.
        state = next((d["state"] for d in found.details if "needed" in d), State.READY)
        if state not in (State.BUILDING, State.READY):
            raise WrongState(
                f"cut_over: version {model_version} of {collection} is {state}.",
                hint="You can wait only for a version that is building or ready.",
                detail={"collection": collection, "model_version": model_version, "state": state},
            )
        if not _reasons_to_wait(found, state, open_items_too):
            return True
        if on_wait is not None:
            on_wait(found)
        if deadline is not None and time.monotonic() >= deadline:
            raise NotReady(
                f"version {model_version} of {collection} was not ready in time: "
                f"{'; '.join(found.in_the_way)}.",
                detail={"collection": collection, "model_version": model_version},
            )
        stop.wait(poll.total_seconds())
    return False


def _reasons_to_wait(found: Preview, state: str, open_items_too: bool) -> frozenset[str]:
    if state != State.READY:
        return found.keys
    drained = {"open_items"} if open_items_too else set[str]()
    return found.keys - _LOCK_KEYS - drained - {"state"}
