"""What the state machine knows: a plain dictionary, the state of each version, and queries.

The rules that change it are in ``machine_writes.py`` and ``test_state_machine.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis.stateful import RuleBasedStateMachine
from psycopg import IsolationLevel
from sqlalchemy import Engine

from pgvec_versions import ChunkStore, Worker
from pgvec_versions.states import LIVE
from pgvec_versions.upgrade.worker import WorkerReport
from tests.faults.looks import Connection, Row, one, tiny
from tests.sql.helpers import leaf

LABELS = {f"v{number}": tiny(f"v{number}", 4 if number % 3 == 2 else 8) for number in range(1, 16)}


class Model(RuleBasedStateMachine):
    """One collection, at most three live versions, six chunks in two documents."""

    engine: Engine
    db: Connection
    other: Connection
    counts: Counter[str]
    store: ChunkStore
    worker: Worker

    def __init__(self) -> None:
        super().__init__()
        self.chunks: dict[str, tuple[str, dict[str, Any]]] = {}
        self.state: dict[str, str] = {}
        self.follows: dict[str, bool] = {}
        self.dropped: set[str] = set()
        self.due: set[str] = set()
        self.drained: list[str] = []
        self.indexed: set[str] = set()
        #: Versions that were complete once, or were planned whole, and followed every write since.
        self.whole: set[str] = set()
        self.claims: list[tuple[Worker, Any, WorkerReport]] = []
        self.read_by_hand: list[tuple[str, list[tuple[Any, ...]]]] = []

    @property
    def live(self) -> list[str]:
        return [v for v, s in self.state.items() if s in LIVE]

    @property
    def active(self) -> str | None:
        return next((v for v, s in self.state.items() if s == "active"), None)

    def pick_live(self, pick: int) -> str:
        return self.live[pick % len(self.live)]

    def row(self, version: str, chunk: str) -> Row | None:
        found = self.db.execute(
            "SELECT document_id, content, metadata, written_at FROM docs"
            " WHERE model_version = %s AND chunk_id = %s",
            (version, chunk),
        ).fetchone()
        return Row(*found) if found else None

    def not_alone(self, version: str, chunk: str) -> bool:
        """Whether another live version holds the chunk too, if this one does."""
        return self.row(version, chunk) is None or any(
            self.row(other, chunk) is not None for other in self.live if other != version
        )

    def open_for(self, version: str) -> int:
        return one(
            self.db, "SELECT count(*) FROM pgvec.work_item WHERE model_version = %s", version
        )

    def feeds(self, version: str) -> set[str]:
        """The versions to which a write of this version must still be carried."""
        found = self.db.execute(
            "SELECT DISTINCT model_version FROM pgvec.work_item WHERE source_version = %s",
            (version,),
        )
        return {row[0] for row in found}

    def refused(self, code: str, statement: str, *parameters: Any) -> None:
        with pytest.raises(psycopg.Error) as caught:
            self.db.execute(statement.encode(), parameters)
        assert caught.value.sqlstate == code, f"{caught.value.sqlstate}: {caught.value}"
        self.counts[f"refused {code}"] += 1

    @contextmanager
    def writing(
        self, manner: str, pick: int, through: str, gone: Iterable[str] = ()
    ) -> Iterator[Connection]:
        """A connection for one statement through a version, in one of the three manners."""
        # A write to the leaf whose index is built waits for the build. So does a delete of a chunk
        # that no other leaf holds.
        others = [
            label
            for label in self.live
            if label != through and all(self.not_alone(label, key) for key in gone)
        ]
        if manner == "index build" and not others:
            manner = "plain"
        self.counts[f"writes, {manner}"] += 1
        if manner == "index build":
            version = others[pick % len(others)]
            lock = f"LOCK TABLE ONLY {leaf(self.db, version)} IN SHARE ROW EXCLUSIVE MODE"
            with self.other.transaction():
                self.other.execute(lock.encode())
                yield self.db
        elif manner == "repeatable read":
            self.db.isolation_level = IsolationLevel.REPEATABLE_READ
            try:
                with self.db.transaction():
                    self.db.execute("SELECT 1")
                    yield self.db
            finally:
                self.db.isolation_level = None
        else:
            yield self.db
