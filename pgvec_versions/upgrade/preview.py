"""What a verb would do, and what is in the way: the dry run, and the wait until nothing is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import NotReady, WrongState
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for


@dataclass(frozen=True, slots=True)
class Preview:
    """What a verb would do, and what is in the way of it: sentences, with their data beside."""

    does: tuple[str, ...]
    in_the_way: tuple[str, ...]
    details: tuple[dict[str, Any], ...]

    @property
    def clear(self) -> bool:
        """Whether nothing is in the way."""
        return not self.in_the_way

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the data of everything that is in the way."""
        return frozenset(key for d in self.details[len(self.does) :] for key in d)


def preview(
    target: str | URL | Engine,
    verb: str,
    collection: str | None = None,
    model_version: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Preview:
    """The dry run of a verb of the SQL surface. Changes nothing and keeps nobody waiting.

    ``arguments``: other arguments of the verb that are to be judged too, by name, such as
    ``{"force": True}``; see ``sql/functions/catalog/refusals.sql``.
    Raises: UnknownCollection, UnknownVersion, InvalidArgument (no such verb).
    """
    with autocommitted(engine_for(target)) as raw:
        rows = raw.execute(
            sqlfiles.query("preview"),
            {
                "verb": verb,
                "collection": collection,
                "model_version": model_version,
                "arguments": Jsonb(dict(arguments or {})),
            },
        ).fetchall()
    does = [row for row in rows if row[0] == "does"]
    blocks = [row for row in rows if row[0] != "does"]
    return Preview(
        tuple(row[1] for row in does),
        tuple(row[1] for row in blocks),
        tuple(row[2] for row in (*does, *blocks)),
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
    """Waits until nothing is in the way of a cut-over. False when it was stopped before.

    With ``open_items_too`` open work items are no reason to wait: the caller drains them himself.
    With ``force`` the gate is none either; without, an evaluation that passes it is waited for.
    Raises: WrongState for a version that will not come to it (active, draining, gone); NotReady,
    with what is in the way, after ``timeout``.
    """
    stop = stop or threading.Event()
    deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
    while not stop.is_set():
        found = preview(target, "cut_over", collection, model_version, {"force": force})
        state = next((d["state"] for d in found.details if "needed" in d), "ready")
        if state not in ("building", "ready"):
            raise WrongState(
                f"cut_over: version {model_version} of {collection} is {state}.",
                hint="Only a version that is building or ready can be waited for.",
                detail={"collection": collection, "model_version": model_version, "state": state},
            )
        # A session that holds a lock is met by the cut-over's own tries.
        ignored = {"pid", "since"} | ({"open_items"} if open_items_too else set[str]())
        waits = found.keys - ignored - {"state"} if state == "ready" else found.keys
        if not waits:
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
