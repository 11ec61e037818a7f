"""The server is shut down at once, in the middle of every phase; everything goes on from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from pgvec_versions import ChunkStore, Transition, Worker
from pgvec_versions.errors import PgvecError
from pgvec_versions.postgres.embedded import EmbeddedServer
from pgvec_versions.postgres.install import install
from tests.clusters import Cluster, binaries, clusters
from tests.db.helpers import HookedEmbedder, on_call
from tests.faults.looks import Connection, assert_catalog_agrees, one, rows_by_version, tiny
from tests.faults.looks import wait_until as wait
from tests.tools import TinyEmbedder

EMBEDDERS: dict[str, TinyEmbedder] = {"v1": tiny("v1"), "v2": tiny("v2")}
TEXTS = [f"text {number}" for number in range(60)]
PATIENT = "lock_timeout => '60 s', attempts => 1"
LEASE = timedelta(seconds=1)
HOLDS_THE_EVENTS = "LOCK TABLE pgvec.version_event IN EXCLUSIVE MODE"
HOLDS_THE_VIEW = "LOCK TABLE active_docs IN ACCESS SHARE MODE"
DUE = "UPDATE pgvec.model_version SET retire_at = now() - interval '1 s' WHERE state = 'draining'"


@dataclass(frozen=True)
class Phase:
    """A verb, and what it waits for when it has done a part of its work."""

    name: str
    statement: str
    held: str
    #: The states of v1 and v2 before and after.
    before: tuple[str, str | None]
    after: tuple[str, str | None]


#: In the order in which a transition goes through them.
PHASES = [
    Phase("register", "SELECT pgvec.register_version('docs', 'v2', 8, '{e}')", HOLDS_THE_EVENTS,
          ("active", None), ("active", "building")),
    Phase("plan_backfill", "SELECT pgvec.plan_backfill('docs', 'v2', 10)", HOLDS_THE_EVENTS,
          ("active", "building"), ("active", "building")),
    Phase("backfill", "", "", ("active", "building"), ("active", "building")),
    Phase("build_index", "SELECT pgvec.build_index('docs', 'v2')", HOLDS_THE_EVENTS,
          ("active", "building"), ("active", "building")),
    Phase("make_ready", "SELECT pgvec.make_ready('docs', 'v2')", HOLDS_THE_EVENTS,
          ("active", "building"), ("active", "ready")),
    Phase("cut_over", f"SELECT pgvec.cut_over('docs', 'v2', {PATIENT})", HOLDS_THE_VIEW,
          ("active", "ready"), ("draining", "active")),
    Phase("roll_back", f"SELECT pgvec.roll_back('docs', {PATIENT})", HOLDS_THE_VIEW,
          ("draining", "active"), ("active", "draining")),
    Phase("roll_back again", f"SELECT pgvec.roll_back('docs', {PATIENT})", HOLDS_THE_EVENTS,
          ("active", "draining"), ("draining", "active")),
    Phase("retire_due", f"CALL pgvec.retire_due({PATIENT})", HOLDS_THE_EVENTS,
          ("draining", "active"), ("retired", "active")),
]  # fmt: skip


@pytest.fixture
def cluster(server: EmbeddedServer) -> Iterator[Cluster]:
    """A cluster of its own with v1 of collection docs active and filled."""
    with clusters((binaries(server), "data")) as (made,):
        made.initdb().configure().start()
        yield made


def states(db: Connection) -> tuple[str | None, str | None]:
    seen = assert_catalog_agrees(db)
    return tuple(seen[v].state if v in seen else None for v in ("v1", "v2"))  # type: ignore[return-value]


def crash_in(cluster: Cluster, url: str, phase: Phase) -> float:
    """Runs the verb to its middle, shuts the server down at once, starts it; seconds it took."""
    with (
        ThreadPoolExecutor(1) as pool,
        closing(psycopg.connect(url)) as holder,
        closing(psycopg.connect(url, autocommit=True)) as doomed,
        closing(psycopg.connect(url, autocommit=True)) as look,
    ):
        holder.execute(phase.held.encode())
        pid = doomed.info.backend_pid
        running = pool.submit(lambda: doomed.execute(phase.statement.encode()))
        wait(lambda: one(look, "SELECT cardinality(pg_blocking_pids(%s)) > 0", pid), "its middle")
        began = time.perf_counter()
        cluster.crash()
        with pytest.raises(psycopg.OperationalError):
            running.result(60)
        return time.perf_counter() - began


def crash_in_backfill(cluster: Cluster, engine: Any) -> float:
    """The server goes while the model runs: what was embedded has nowhere to go."""
    model = HookedEmbedder("v2")
    model.hook = on_call(2, cluster.crash)
    began = time.perf_counter()
    with suppress(PgvecError, psycopg.Error):
        Worker(engine, "docs", {"v2": model}, lease=LEASE).drain()
    assert model.calls >= 2
    return time.perf_counter() - began


@pytest.mark.timeout(120)
def test_an_immediate_shutdown_in_the_middle_of_every_phase_loses_nothing(
    cluster: Cluster,
) -> None:
    url = cluster.create("app")
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool,
        connect_args={"prepare_threshold": None},
    )  # fmt: skip
    with psycopg.connect(url, autocommit=True) as db:
        install(db)
        db.execute("SELECT pgvec.create_collection('docs')")
    Transition(engine, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
    ChunkStore(engine, "docs", EMBEDDERS).add(TEXTS)
    down: list[float] = []
    written = list(TEXTS)
    for phase in PHASES:
        with psycopg.connect(url, autocommit=True) as db:
            assert states(db) == phase.before, phase.name
            if phase.name == "retire_due":
                Worker(engine, "docs", EMBEDDERS, lease=LEASE).drain()
                db.execute(DUE)
        if phase.name == "backfill":
            down.append(crash_in_backfill(cluster, engine))
            again: Callable[[], Any] = Transition(
                engine, "docs", "v2", EMBEDDERS["v2"], lease=LEASE
            ).backfill
        else:
            statement = phase.statement
            if phase.name == "register":
                identity = psycopg.types.json.json.dumps(EMBEDDERS["v2"].identity.to_json())
                statement = statement.replace("{e}", identity)
            phase = Phase(phase.name, statement, phase.held, phase.before, phase.after)
            down.append(crash_in(cluster, url, phase))

            def again(statement: str = statement) -> None:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(statement.encode())

        with psycopg.connect(url, autocommit=True) as db:
            # It has not happened, and what was committed is all there.
            assert states(db) == phase.before, f"after the crash in {phase.name}"
            rows = rows_by_version(db, EMBEDDERS)
            assert sorted(r.content for r in rows["v1"].values()) == sorted(written)
            writer = ChunkStore(engine, "docs", EMBEDDERS)
            if phase.name not in ("build_index", "make_ready", "cut_over"):
                writer.add([f"written after the crash in {phase.name}"], version="v1")
                written.append(f"written after the crash in {phase.name}")
            if phase.before[1] is not None and phase.name != "backfill":
                Worker(engine, "docs", EMBEDDERS, lease=LEASE).drain()
            again()
            assert states(db) == phase.after, f"{phase.name} again"
    with psycopg.connect(url, autocommit=True) as db:
        rows = rows_by_version(db, EMBEDDERS)
        assert sorted(r.content for r in rows["v2"].values()) == sorted(written)
        assert one(db, "SELECT pgvec.index_state('docs__v2')") == "valid"
        version = db.info.server_version // 10_000
    print(
        f"PostgreSQL {version}: {len(PHASES)} immediate shutdowns, one in the middle of each phase;"
        f" each verb had not happened, and went through when called again; down and up again in"
        f" {sorted(down)[len(down) // 2]:.1f} s (median), {max(down):.1f} s at most"
    )
