"""Any order of verbs, writes, crashes and zombies, against a plain dictionary.

The model knows one rule about writes: the later one wins as a whole, through whichever version it
comes. The model is in ``machine_model.py``, the rules that write are in ``machine_writes.py``.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine

from pgvec_versions import ChunkStore, Worker
from pgvec_versions.upgrade.worker import WorkerReport
from tests.effort import effort, is_nightly
from tests.faults.looks import assert_catalog_agrees, one, register, rows_by_version, standings
from tests.faults.machine_model import LABELS
from tests.faults.machine_writes import Writes, contents, manners, numbers, picks
from tests.tools import Connect

EXAMPLES = int(os.environ.get("PGVEC_FAULT_EXAMPLES", effort(ci=40, nightly=1000)))
STEPS = int(os.environ.get("PGVEC_FAULT_STEPS", "25"))
MOST_VERSIONS = 3


class Transitions(Writes):
    """Verbs, workers that finish, crash or come back, and what must hold after every step."""

    # ------------------------------------------------------------ beginnings

    @initialize(
        follow=st.sampled_from([True, True, True, False]), begun=st.sampled_from([3, 2, 1, 0])
    )
    def create(self, follow: bool, begun: int) -> None:
        """Starts from nothing, or with versions that are part of the way already."""
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
        """The most common case in one step: writes before and after a worker reads its items."""
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

    # Bugs show here if anywhere, so this step is three times as likely as any other.
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
        """By the rows alone: the version has every chunk of the active one, and none is older."""
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
        """Takes one version all the way, as the command line does."""
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
            # Before the first cut-over it may be the only version that holds a write.
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
            # Work for a version that is dropped first no longer holds this one back.
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
        """Works everything off. Every version that should be whole holds what the model holds."""
        if plan_all:
            for label in self.live:
                one(self.db, "SELECT pgvec.plan_backfill('docs', %s)", label)
                self.follows[label] = True
            self.whole.update(self.live)
        self.work_off()
        # The work of an abandoned version is dropped with it; its writes to others are carried.
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
        """Works off everything, or all work of one version, even what another worker claimed."""
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
    # No prepared statements: a generic plan locks every leaf, and would wait for any index build.
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
            # Shrinking takes minutes: ask for it when an example fails.
            phases=list(Phase) if "PGVEC_FAULT_SHRINK" in os.environ else [Phase.generate],
        ),
    )
    print(f"PostgreSQL {version}:", ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
