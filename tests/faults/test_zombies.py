"""Workers that are stopped, or killed, in the middle of a claim: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pgvec_versions import ChunkStore, Transition, Worker
from tests.db.helpers import HookedEmbedder, open_store, texts
from tests.end_states import same, unchanged
from tests.faults.looks import Connection, one, rows_by_version, tiny, wait_until
from tests.sql.helpers import rows, world
from tests.tools import Connect

ROOT = Path(__file__).resolve().parents[2]
LEASE = timedelta(seconds=1)
EMBEDDERS = {"v1": tiny("v1"), "v2": tiny("v2")}


@contextmanager
def worker_in_its_model(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process with a claim whose texts are in the model just now."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.zombie_worker", url, *(options or ("v2",))],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "embedding\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def upgrade(engine: Engine) -> Transition:
    """v1 is active with 12 chunks; all of v2 is planned, four chunks an item."""
    open_store(engine, EMBEDDERS["v1"], texts(12))
    made = Transition(engine, "docs", "v2", EMBEDDERS["v2"], chunks_per_item=4)
    made.begin()
    return made


def held(db: Connection) -> int:
    return one(db, "SELECT count(*) FROM pgvec.work_item WHERE leased_until > clock_timestamp()")


def test_a_worker_stopped_past_its_lease_and_continued_changes_nothing(
    database: str, engine: Engine, upgrade: Transition, connect: Connect
) -> None:
    db = connect()
    with worker_in_its_model(database) as zombie:
        assert held(db) == 1
        zombie.send_signal(signal.SIGSTOP)
        wait_until(lambda: held(db) == 0, "the end of its lease")
        upgrade.backfill()
        # What it would write is a chunk that is gone, and one that has another text now.
        store = ChunkStore(engine, "docs", EMBEDDERS)
        first, second = (
            row[0] for row in rows(db, "SELECT lo FROM pgvec.work_item UNION ALL"
                                       " SELECT chunk_id::text FROM docs WHERE model_version = 'v2'"
                                       " ORDER BY 1 LIMIT 2")
        )  # fmt: skip
        store.delete(chunk_ids=[first])
        db.execute(
            "UPDATE docs SET metadata = '{\"later\": true}'"
            " WHERE model_version = 'v1' AND chunk_id = %s", (second,)
        )  # fmt: skip
        upgrade.catch_up()
        before = world(db)
        with unchanged(db):
            zombie.send_signal(signal.SIGCONT)
            said, _ = zombie.communicate("go on\n", timeout=60)
    report = json.loads(said)
    assert report["fenced"] == 1
    assert (report["completed"], report["written"], report["deleted"]) == (0, 0, 0)
    assert world(db) == before
    same(db)
    rows_by_version(db, EMBEDDERS)


def test_the_claims_of_a_killed_worker_are_taken_up_when_its_lease_ends(
    database: str, engine: Engine, upgrade: Transition, connect: Connect
) -> None:
    db = connect()
    with worker_in_its_model(database) as doomed:
        item, until = rows(
            db, "SELECT item_id, leased_until FROM pgvec.work_item WHERE lease IS NOT NULL"
        )[0]
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    died = time.perf_counter()
    taken: list[tuple[bool, float]] = []
    model = HookedEmbedder("v2")

    def look(_: object) -> None:
        mine = rows(
            db,
            "SELECT clock_timestamp() >= %s FROM pgvec.work_item"
            " WHERE item_id = %s AND leased_until > clock_timestamp()",
            until,
            item,
        )
        # The first look may still see the dead worker's own lease: then it is not taken yet.
        if mine and mine[0][0]:
            taken.append((mine[0][0], time.perf_counter() - died))

    model.hook = look
    heir = Worker(engine, "docs", {"v2": model}, lease=LEASE)
    report = heir.drain()
    assert report.written == 12
    assert report.fenced == 0
    assert len(taken) == 1, "it was embedded more than once, or before the lease had ended"
    same(db)
    print(
        f"PostgreSQL {db.info.server_version // 10_000}: a lease of {LEASE.total_seconds():g} s;"
        f" {taken[0][1]:.2f} s after its worker was killed its claim was in another's model"
    )
