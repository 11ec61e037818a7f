"""What the tests of this folder see: every row of every leaf, and whose vector it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from tests.tools import TinyEmbedder

Connection = psycopg.Connection[Any]
#: How long a test waits for what must come. Never reached when all is well. Units: seconds.
PATIENCE = 60.0


class Row(NamedTuple):
    """One row of one version, without its vector."""

    document_id: str | None
    content: str
    metadata: dict[str, Any]
    written_at: datetime


@dataclass
class Standing:
    """What the catalog says of one version."""

    state: str
    leaf: str
    follows: bool
    dropped: bool

    @property
    def live(self) -> bool:
        return self.state in ("building", "ready", "active", "draining")


@cache
def tiny(label: str, dimensions: int = 8) -> TinyEmbedder:
    """The embedder of a version: its label is its seed."""
    return TinyEmbedder(label, dimensions)


@cache
def _own_vector(label: str, dimensions: int, content: str) -> bytes:
    return tiny(label, dimensions).vector(content).tobytes()


def one(connection: Connection, statement: str, *parameters: Any) -> Any:
    """The single value of a query."""
    row = connection.execute(statement.encode(), parameters or None).fetchone()
    assert row is not None
    return row[0]


def register(connection: Connection, embedder: TinyEmbedder, collection: str = "docs") -> None:
    """Registers the version that is called like the embedder's seed."""
    connection.execute(
        "SELECT pgvec.register_version(%s, %s, %s, %s)",
        (collection, embedder.seed, embedder.dimensions, Jsonb(embedder.identity.to_json())),
    )


def standings(connection: Connection, collection: str = "docs") -> dict[str, Standing]:
    """Every version of a collection, by label."""
    found = connection.execute(
        "SELECT model_version, state, leaf, follows, dropped_at IS NOT NULL"
        "  FROM pgvec.model_version WHERE collection = %s",
        (collection,),
    )
    return {row[0]: Standing(*row[1:]) for row in found}


def rows_by_version(
    connection: Connection, embedders: dict[str, TinyEmbedder], collection: str = "docs"
) -> dict[str, dict[str, Row]]:
    """All rows of all versions, by label and chunk id.

    Asserts on the way that every row has the vector that its own version makes of its content.
    """
    found: dict[str, dict[str, Row]] = {label: {} for label in embedders}
    for label, chunk_id, vector, *row in connection.execute(
        "SELECT model_version, chunk_id::text, embedding::real[], document_id, content, metadata,"
        f"       written_at FROM {collection}".encode()
    ):
        found[label][chunk_id] = Row(*row)
        own = _own_vector(label, embedders[label].dimensions, row[1])
        assert np.asarray(vector, dtype=np.float32).tobytes() == own, (
            f"chunk {chunk_id} of {label} has a vector that {label} did not make of {row[1]!r}"
        )
    return found


def assert_catalog_agrees(connection: Connection, collection: str = "docs") -> dict[str, Standing]:
    """Catalog, leaves, routing view, pinned views and events tell the same story."""
    versions = standings(connection, collection)
    active = [label for label, v in versions.items() if v.state == "active"]
    assert len(active) <= 1, f"two versions are active: {active}"
    leaves, views, definition, last_states = connection.execute(
        """SELECT ARRAY(SELECT c.relname::text FROM pg_class c
                         WHERE c.relnamespace = 'pgvec_leaves'::regnamespace AND c.relkind = 'r'
                           AND c.relname LIKE %(leaves)s),
                  ARRAY(SELECT c.relname::text FROM pg_class c
                         WHERE c.relkind = 'v' AND c.relname LIKE %(pinned)s),
                  pg_get_viewdef(('active_' || %(collection)s)::regclass),
                  ARRAY(SELECT DISTINCT ON (e.model_version) e.model_version || ' ' || e.to_state
                          FROM pgvec.version_event e
                         WHERE e.collection = %(collection)s AND e.to_state IS NOT NULL
                           AND e.event_id > (SELECT max(c.event_id) FROM pgvec.version_event c
                                              WHERE c.collection = %(collection)s
                                                AND c.verb = 'create_collection')
                         ORDER BY e.model_version, e.event_id DESC)""",
        {
            "collection": collection,
            "pinned": f"{collection}\\_at\\_%",
            "leaves": f"{collection}\\_\\_%",
        },
    ).fetchone() or ([], [], "", [])
    assert set(leaves) == {v.leaf for v in versions.values() if not v.dropped}
    assert set(views) == {
        v.leaf.replace("__", "_at_", 1)
        for v in versions.values()
        if v.state in ("ready", "active", "draining")
    }
    routed = [label for label, v in versions.items() if f"pgvec_leaves.{v.leaf}\n" in definition]
    assert routed == active, f"the view shows {routed}, active is {active}"
    assert set(last_states) == {f"{label} {v.state}" for label, v in versions.items()}
    return versions


def wait_until(condition: Callable[[], Any], what: str = "it") -> None:
    """Returns once the condition holds; fails the test if it never does."""
    deadline = time.monotonic() + PATIENCE
    never = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        never.wait(0.005)
