"""Any order of verbs, writes, crashes and zombies, against a plain dictionary.

The model knows one thing about a write: the later one wins, whole, through whatever version.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg import IsolationLevel
from psycopg.types.json import Jsonb
from sqlalchemy import Engine

from pgvec_versions import Chunk, ChunkStore, Worker
from pgvec_versions.states import LIVE
from pgvec_versions.upgrade.worker import WorkerReport
from tests.effort import effort, is_nightly
from tests.faults.looks import (
    Connection,
    Row,
    assert_catalog_agrees,
    one,
    register,
    rows_by_version,
    standings,
    tiny,
)
from tests.sql.helpers import leaf
from tests.tools import Connect, literal

LABELS = {f"v{number}": tiny(f"v{number}", 4 if number % 3 == 2 else 8) for number in range(1, 16)}
EXAMPLES = int(os.environ.get("PGVEC_FAULT_EXAMPLES", effort(ci=40, nightly=1000)))
STEPS = int(os.environ.get("PGVEC_FAULT_STEPS", "25"))
MOST_VERSIONS = 3

picks = st.integers(0, 5)
contents = st.sampled_from(["one", "two", "three", "four"])
numbers = st.integers(0, 3)
#: How a write meets the versions: carried at once, from an old snapshot, or while the index of
#: one of them is built; in the last two every change becomes a work item.
manners = st.sampled_from(["plain", "plain", "plain", "repeatable read", "index build"])


def chunk_id(pick: int) -> str:
    return str(uuid.UUID(int=pick + 1))


def document(pick: int) -> str:
    return f"doc-{pick % 2}"


class Transitions(RuleBasedStateMachine):
    """One collection, at most three live versions, six chunks in two documents."""

    engine: Engine
    db: Connection
    other: Connection
    counts: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.chunks: dict[str, tuple[str, dict[str, Any]]] = {}
        self.state: dict[str, str] = {}
        self.follows: dict[str, bool] = {}
        self.dropped: set[str] = set()
        self.due: set[str] = set()
        self.drained: list[str] = []
        self.indexed: set[str] = set()
        #: Versions that were once complete, or planned to be, and followed every write since.
        self.whole: set[str] = set()
        self.claims: list[tuple[Worker, Any, WorkerReport]] = []
        self.read_by_hand: list[tuple[str, list[tuple[Any, ...]]]] = []

    # ------------------------------------------------------------ beginnings

    @initialize(
        follow=st.sampled_from([True, True, True, False]), begun=st.sampled_from([3, 2, 1, 0])
    )
    def create(self, follow: bool, begun: int) -> None:
        """From nothing, or with versions that have come some of their way already."""
        self.follow_while_draining = follow
        if one(self.db, "SELECT count(*) FROM pgvec.collection"):
            self.db.execute("SELECT pgvec.drop_collection('docs')")
        self.db.execute(
            "SELECT pgvec.create_collection('docs', follow_while_draining => %s)", (follow,)
        )
        self.store = ChunkStore(self.engine, "docs", LABELS)
        self.worker = self.new_worker()
        self.register()
        for chunk in range(begun + 1):
            self.insert_by_sql(0, chunk, "one", chunk, "plain")
        for _ in range(begun):
            self.go_ahead(len(self.live) - 1, True)
            self.register()

    def new_worker(self) -> Worker:
        return Worker(self.engine, "docs", LABELS, max_attempts=10**6, lease=timedelta(minutes=5))

    # ------------------------------------------------------------ small looks

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
        """The versions that something of this version's must still be carried to."""
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
        # Who writes to the very leaf that is built waits for the build; so does who deletes what
        # no other leaf holds.
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

    # ------------------------------------------------------------ writes

    @rule(version=picks, chunk=picks, text=contents, number=numbers, manner=manners)
    def insert_by_sql(self, version: int, chunk: int, text: str, number: int, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        if self.row(label, key) is not None:
            return
        # Into a building version, of what the active one holds: a copy, which is never news.
        copies = self.state[label] == "building" and self.active and self.row(self.active, key)
        with self.writing(manner, number, label) as connection:
            connection.execute(
                "INSERT INTO docs (chunk_id, model_version, document_id, content, metadata,"
                " embedding) VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    key,
                    label,
                    document(chunk),
                    text,
                    Jsonb({"n": number}),
                    literal(LABELS[label].vector(text)),
                ),
            )
        if not copies:
            self.chunks[key] = (text, {"n": number})

    @rule(version=picks, chunk=picks, text=contents, manner=manners)
    def edit_by_sql(self, version: int, chunk: int, text: str, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        before = self.row(label, key)
        if before is None or before.content == text:
            return
        with self.writing(manner, version, label) as connection:
            connection.execute(
                "UPDATE docs SET content = %s, embedding = %s"
                " WHERE chunk_id = %s AND model_version = %s",
                (text, literal(LABELS[label].vector(text)), key, label),
            )
        self.chunks[key] = (text, before.metadata)

    @rule(version=picks, chunk=picks, number=numbers, manner=manners)
    def edit_metadata_by_sql(self, version: int, chunk: int, number: int, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        before = self.row(label, key)
        if before is None:
            return
        with self.writing(manner, version, label) as connection:
            connection.execute(
                "UPDATE docs SET metadata = %s WHERE chunk_id = %s AND model_version = %s",
                (Jsonb({"n": number}), key, label),
            )
        self.chunks[key] = (before.content, {"n": number})

    @rule(
        chunk=picks,
        number=numbers,
        # While an index is built, it waits, as an UPDATE of that very leaf does.
        manner=st.sampled_from(["plain", "plain", "repeatable read"]),
    )
    def edit_metadata_of_all_versions(self, chunk: int, number: int, manner: str) -> None:
        """An UPDATE that names no version, also while an edit of the text waits for a worker."""
        key = chunk_id(chunk)
        held = [
            (turn, content)
            for label, turn, content in self.db.execute(
                "SELECT model_version, turn, content FROM docs WHERE chunk_id = %s", (key,)
            )
            if self.state[label] != "abandoned"
        ]
        if not held:
            return
        # The text that is ahead stays ahead.
        text = self.chunks[key][0] if key in self.chunks else max(held)[1]
        with self.writing(manner, number, "") as connection:
            connection.execute(
                "UPDATE docs SET metadata = %s WHERE chunk_id = %s", (Jsonb({"n": number}), key)
            )
        self.chunks[key] = (text, {"n": number})

    @rule(version=picks, chunk=picks, manner=manners)
    def delete_by_sql(self, version: int, chunk: int, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        with self.writing(manner, chunk, label) as connection:
            gone = connection.execute(
                "DELETE FROM docs WHERE chunk_id = %s AND model_version = %s", (key, label)
            ).rowcount
        if gone:
            self.chunks.pop(key, None)

    @rule(
        version=picks, chunk=picks, text=contents, number=numbers, whole=st.booleans(),
        manner=st.sampled_from(["plain", "plain", "index build"]),
    )  # fmt: skip
    def add_by_store(
        self, version: int, chunk: int, text: str, number: int, whole: bool, manner: str
    ) -> None:
        """Inserts, edits or touches; as a whole document it takes the document's others away."""
        label, key = self.pick_live(version), chunk_id(chunk)
        same_document = [chunk_id(o) for o in range(6) if document(o) == document(chunk)]
        with self.writing(manner, number, label, same_document if whole else ()):
            self.store.add(
                [Chunk(text, document(chunk), chunk, {"n": number}, key)],
                version=label,
                keep_others=not whole,
            )
        if whole:
            for other in [o for o in range(6) if document(o) == document(chunk)]:
                self.chunks.pop(chunk_id(other), None)
        self.chunks[key] = (text, {"n": number})

    @rule(chunk=picks, by_document=st.booleans())
    def delete_by_store(self, chunk: int, by_document: bool) -> None:
        if by_document:
            self.store.delete(document_ids=[document(chunk)])
            gone = [chunk_id(o) for o in range(6) if document(o) == document(chunk)]
        else:
            self.store.delete(chunk_ids=[chunk_id(chunk)])
            gone = [chunk_id(chunk)]
        for key in gone:
            self.chunks.pop(key, None)

    # ------------------------------------------------------------ a fill by hand, in two steps

    @precondition(lambda self: self.active is not None and "building" in self.state.values())
    @rule()
    def read_for_a_fill_by_hand(self) -> None:
        label = next(v for v, s in self.state.items() if s == "building")
        found = self.db.execute(
            "SELECT chunk_id::text, document_id, position, content, metadata, written_at"
            "  FROM docs WHERE model_version = %s",
            (self.active,),
        ).fetchall()
        self.read_by_hand.append((label, found))

    @precondition(lambda self: bool(self.read_by_hand))
    @rule(pick=picks, dated=st.booleans())
    def write_the_fill_by_hand(self, pick: int, dated: bool) -> None:
        """What was read a while ago, with its date or without: it must not undo what came since."""
        label, found = self.read_by_hand.pop(pick % len(self.read_by_hand))
        if self.state[label] not in ("building", "ready"):
            return
        # Without a date, only a version that is being built takes it for a copy.
        dated = dated or self.state[label] == "ready"
        for key, document_id, position, content, metadata, written_at in found:
            if key not in self.chunks:
                continue
            self.db.execute(
                "INSERT INTO docs VALUES (%s, %s, %s, %s, %s, %s, %s, coalesce(%s, now()))"
                " ON CONFLICT DO NOTHING",
                (
                    key,
                    label,
                    document_id,
                    position,
                    content,
                    Jsonb(metadata),
                    literal(LABELS[label].vector(content)),
                    written_at if dated else None,
                ),
            )

    # ------------------------------------------------------------ work

    @rule(version=picks, chunks=st.sampled_from([1, 2, 512]))
    def plan_backfill(self, version: int, chunks: int) -> None:
        label = self.pick_live(version)
        one(self.db, "SELECT pgvec.plan_backfill('docs', %s, %s)", label, chunks)
        self.follows[label] = True
        self.whole.add(label)

    @rule(steps=st.integers(1, 3))
    def work(self, steps: int) -> None:
        self.worker.refresh()
        for _ in range(steps):
            self.worker.run_once()

    @rule()
    def claim_and_embed(self) -> None:
        worker = self.new_worker()
        claim = worker._claim()
        if claim is not None:
            report = WorkerReport()
            assert worker._embed(claim, report, threading.Event())
            self.claims.append((worker, claim, report))

    @precondition(lambda self: bool(self.claims))
    @rule(pick=picks)
    def finish_in_time(self, pick: int) -> None:
        worker, claim, report = self.claims.pop(pick % len(self.claims))
        worker._write(claim, report)
        self.counts["claims finished late" if report.fenced else "claims finished"] += 1

    @precondition(lambda self: bool(self.claims))
    @rule(pick=picks)
    def crash(self, pick: int) -> None:
        _, claim, _ = self.claims.pop(pick % len(self.claims))
        self.expire(claim)
        self.counts["crashes"] += 1

    @precondition(lambda self: bool(self.claims))
    @rule(pick=picks, taken_up=st.booleans())
    def zombie(self, pick: int, taken_up: bool) -> None:
        """A worker that wakes up after its lease, whether or not another has its items now."""
        worker, claim, report = self.claims.pop(pick % len(self.claims))
        self.expire(claim)
        if taken_up:
            self.worker.refresh()
            self.worker._claim_items = 100
            self.worker.run_once()
        before = self.db.execute("SELECT * FROM docs ORDER BY chunk_id, model_version").fetchall()
        worker._write(claim, report)
        after = self.db.execute("SELECT * FROM docs ORDER BY chunk_id, model_version").fetchall()
        assert before == after, "a zombie changed rows"
        assert (report.completed, report.written, report.deleted) == (0, 0, 0)
        self.counts["zombies"] += 1

    def expire(self, claim: Any) -> None:
        self.db.execute(
            "UPDATE pgvec.work_item SET leased_until = clock_timestamp() - interval '1 s'"
            " WHERE lease = %s",
            (claim.lease,),
        )

    @rule(
        writes=st.lists(
            st.tuples(
                st.sampled_from(["insert", "edit", "metadata", "delete", "add"]),
                picks, picks, contents, numbers, manners,
            ),
            min_size=2, max_size=6,
        ),
        fate=st.sampled_from(["finish", "crash", "zombie", "taken up", "still at it"]),
    )  # fmt: skip
    def writes_around_a_claim(self, writes: list[tuple[Any, ...]], fate: str) -> None:
        """What most often happens, in one step: writes before and after a worker has looked."""
        for place, (kind, version, chunk, text, number, manner) in enumerate(writes):
            if place == len(writes) // 2:
                self.claim_and_embed()
            if kind == "insert":
                self.insert_by_sql(version, chunk, text, number, manner)
            elif kind == "edit":
                self.edit_by_sql(version, chunk, text, manner)
            elif kind == "metadata":
                self.edit_metadata_by_sql(version, chunk, number, manner)
            elif kind == "delete":
                self.delete_by_sql(version, chunk, manner)
            else:
                plain = "plain" if manner == "repeatable read" else manner
                self.add_by_store(version, chunk, text, number, number == 0, plain)
        if self.claims and fate == "finish":
            self.finish_in_time(len(self.claims) - 1)
        elif self.claims and fate == "crash":
            self.crash(len(self.claims) - 1)
        elif self.claims and fate != "still at it":
            self.zombie(len(self.claims) - 1, fate == "taken up")

    # Where things go wrong, if they do: three times as likely as any other step.
    more_writes_around_a_claim = writes_around_a_claim
    still_more_writes_around_a_claim = writes_around_a_claim

    # ------------------------------------------------------------ verbs

    @precondition(lambda self: len(self.live) < MOST_VERSIONS and len(self.state) < len(LABELS))
    @rule()
    def register(self) -> None:
        label = f"v{len(self.state) + 1}"
        register(self.db, LABELS[label])
        self.refused("PV004", "SELECT pgvec.register_version('docs', %s, 8)", label)
        self.state[label] = "building"
        self.follows[label] = True

    @rule(version=picks)
    def build_index(self, version: int) -> None:
        label = self.pick_live(version)
        built = one(self.db, "SELECT pgvec.build_index('docs', %s)", label)
        assert built == (label not in self.indexed)
        self.indexed.add(label)

    def complete(self, label: str) -> bool:
        """By the rows alone: the version lacks no chunk of the active one, and none is older."""
        return not self.db.execute(
            "SELECT FROM docs a"
            "  LEFT JOIN docs m ON m.chunk_id = a.chunk_id AND m.model_version = %s"
            " WHERE a.model_version = %s"
            "   AND (m.chunk_id IS NULL OR (m.content <> a.content AND m.turn < a.turn))",
            (label, self.active),
        ).fetchall()

    @rule(pick=picks)
    def make_ready(self, pick: int) -> None:
        label = list(self.state)[pick % len(self.state)]
        statement = "SELECT pgvec.make_ready('docs', %s)"
        if self.state[label] not in ("building", "ready"):
            self.refused("PV005", statement, label)
            return
        problems = one(self.db, "SELECT pgvec.ready_problems('docs', %s)", label)
        sound = label in self.indexed and self.complete(label) and self.open_for(label) == 0
        assert sound or problems != {}
        if problems != {} and self.state[label] == "building":
            self.refused("PV006", statement, label)
            return
        after = one(self.db, statement, label)
        assert after == ("ready" if problems == {} else "building")
        self.state[label] = after
        if after == "ready":
            self.whole.add(label)
            self.counts["made ready"] += 1

    @rule(pick=picks)
    def cut_over(self, pick: int) -> None:
        label = list(self.state)[pick % len(self.state)]
        statement = "SELECT pgvec.cut_over('docs', %s)"
        if self.state[label] not in ("ready", "draining"):
            self.refused("PV005", statement, label)
        elif self.open_for(label) or not self.follows[label]:
            self.refused("PV006", statement, label)
        elif self.state[label] != "ready":
            self.refused("PV005", statement, label)
        else:
            assert one(self.db, statement, label) == self.active
            self.activate(label)
            self.counts["cut over"] += 1

    @rule()
    def roll_back(self) -> None:
        draining = [v for v in self.drained if self.state[v] == "draining"]
        statement = "SELECT pgvec.roll_back(%s)"
        if not draining:
            self.refused("PV005", statement, "docs")
        elif self.open_for(draining[-1]) or not self.follows[draining[-1]]:
            self.refused("PV006", statement, "docs")
        else:
            assert one(self.db, statement, "docs") == draining[-1]
            self.activate(draining[-1])
            self.counts["rolled back"] += 1

    def activate(self, label: str) -> None:
        before = self.active
        if before is not None:
            self.state[before] = "draining"
            self.drained = [v for v in self.drained if v != before] + [before]
            self.follows[before] = self.follow_while_draining
            if not self.follow_while_draining:
                self.whole.discard(before)
        self.state[label] = "active"
        self.due.discard(label)

    @rule(version=picks, through=st.booleans())
    def go_ahead(self, version: int, through: bool) -> None:
        """The whole way of one version, as the command line goes it."""
        label = self.pick_live(version)
        if self.state[label] != "building":
            return
        self.plan_backfill(version, 512)
        self.work_off(label)
        if label not in self.indexed:
            self.build_index(version)
        self.make_ready(list(self.state).index(label))
        if through and self.state[label] == "ready":
            self.cut_over(list(self.state).index(label))

    @rule(pick=picks)
    def abandon(self, pick: int) -> None:
        label = list(self.state)[pick % len(self.state)]
        statement = "SELECT pgvec.abandon('docs', %s)"
        if self.state[label] not in ("building", "ready"):
            self.refused("PV005", statement, label)
        elif len(self.live) > 1 and (self.active is not None or not self.chunks):
            # Before the first cut-over it may be the only one that holds what was written.
            self.db.execute(statement.encode(), (label,))
            self.state[label] = "abandoned"
            self.whole.discard(label)
            # What it has not carried yet keeps its leaf.
            (self.due if self.feeds(label) else self.dropped).add(label)
            self.counts["abandoned"] += 1

    @rule()
    def clock_forward(self) -> None:
        moved = self.db.execute(
            "UPDATE pgvec.model_version SET retire_at = clock_timestamp() - interval '1 s'"
            " WHERE state = 'draining' RETURNING model_version"
        )
        self.due.update(row[0] for row in moved)

    @rule()
    def retire_due(self) -> None:
        due = self.db.execute(
            "SELECT model_version FROM pgvec.model_version"
            " WHERE dropped_at IS NULL AND retire_at <= clock_timestamp() ORDER BY retire_at"
        )
        going: list[str] = []
        for (label,) in due.fetchall():
            assert label in self.due
            # What was carried only to one that goes before it holds it back no more.
            if not self.feeds(label) - set(going):
                going.append(label)
        self.db.execute("CALL pgvec.retire_due()")
        for label in going:
            self.dropped.add(label)
            if self.state[label] == "draining":
                self.state[label] = "retired"
                self.whole.discard(label)
            self.counts["retired"] += 1

    # ------------------------------------------------------------ what must hold

    @invariant()
    def catalog_agrees(self) -> None:
        versions = assert_catalog_agrees(self.db)
        assert {v: s.state for v, s in versions.items()} == self.state
        assert {v for v, s in versions.items() if s.dropped} == self.dropped
        assert {v: s.follows for v, s in versions.items() if s.live} == {
            v: self.follows[v] for v in self.live
        }

    @invariant()
    def every_vector_is_its_versions_own(self) -> None:
        rows_by_version(self.db, {v: LABELS[v] for v in self.state})

    @rule(plan_all=st.booleans())
    def drain(self, plan_all: bool) -> None:
        """Everything worked off: every version that was to be whole holds what the model holds."""
        if plan_all:
            for label in self.live:
                one(self.db, "SELECT pgvec.plan_backfill('docs', %s)", label)
                self.follows[label] = True
            self.whole.update(self.live)
        self.work_off()
        # An abandoned version's own work goes with it; what it still feeds has been carried.
        assert sum(self.open_for(v) for v in self.live) == 0
        rows = rows_by_version(self.db, {v: LABELS[v] for v in self.state})
        for label in self.live:
            if label in self.whole and self.follows[label]:
                held = {key: (row.content, row.metadata) for key, row in rows[label].items()}
                assert held == self.chunks, f"{label} ({self.state[label]}) differs"
        if self.active is not None:
            assert (
                one(self.db, "SELECT count(*) FROM pgvec.missing_chunks('docs', %s)", self.active)
                == 0
            )
            assert one(self.db, "SELECT pgvec.ready_problems('docs', %s)", self.active) == {}
        self.counts["drained"] += 1

    def work_off(self, label: str | None = None) -> None:
        """Everything, or everything for one version, also what somebody else had claimed."""
        self.db.execute(
            "UPDATE pgvec.work_item SET leased_until = NULL"
            " WHERE leased_until IS NOT NULL AND model_version = ANY (%s)",
            ([label] if label else list(self.state),),
        )
        if label is not None:
            worker = Worker(self.engine, "docs", {label: LABELS[label]}, max_attempts=10**6)
            while worker.run_once().completed:
                pass
            return
        self.worker.refresh()
        self.worker._claim_items = 64
        while self.worker.run_once().completed:
            pass

    def teardown(self) -> None:
        if standings(self.db):
            self.drain(plan_all=True)
            self.catalog_agrees()


@pytest.mark.timeout(1800)
def test_any_order_of_steps_keeps_every_promise(
    database: str, engine: Engine, connect: Connect, server: Any
) -> None:
    # Nothing prepared: a generic plan locks every leaf, and would wait for a build of any.
    db, other, counts = connect(prepare_threshold=None), connect(), Counter[str]()
    version = db.info.server_version // 10_000

    class Machine(Transitions):
        pass

    Machine.engine, Machine.db, Machine.other, Machine.counts = engine, db, other, counts
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES if version >= 18 else max(EXAMPLES // 5, 1),
            stateful_step_count=STEPS,
            derandomize="PGVEC_FAULT_EXAMPLES" not in os.environ and not is_nightly(),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
            # Shrinking takes minutes: ask for it when there is something to shrink.
            phases=list(Phase) if "PGVEC_FAULT_SHRINK" in os.environ else [Phase.generate],
        ),
    )
    print(f"PostgreSQL {version}:", ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
