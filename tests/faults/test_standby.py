"""A standby that streams: readers there, a conflict, the job that does nothing, and promotion."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgvec_versions import ChunkStore, Transition, Worker
from pgvec_versions.errors import StaleSnapshot, translated
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.embedded import EmbeddedServer
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.throttle import Brake, Throttle
from tests.clusters import Cluster, binaries, clusters
from tests.end_states import serves
from tests.faults import story
from tests.faults.looks import Connection, assert_catalog_agrees, one, wait_until
from tests.faults.story import EMBEDDERS
from tests.tools import abandon_keeping_leaf, literal

FLIPS = 30
ASK = "SELECT model_version, content FROM active_docs ORDER BY embedding <=> %s::vector LIMIT 5"


@pytest.fixture
def pair(server: EmbeddedServer) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary with a transition in the middle, and its standby, which has caught up."""
    here: Path = binaries(server)
    with clusters((here, "primary"), (here, "standby")) as (primary, standby):
        primary.initdb().configure("wal_level = replica").start()
        story.begin(primary.create("app"))
        standby.run(
            "pg_basebackup", "-D", str(standby.data), "-d", primary.url(), "-R", "-X", "stream",
            "-c", "fast",
        )  # fmt: skip
        standby.configure("max_standby_streaming_delay = 300ms", "hot_standby_feedback = off")
        standby.start()
        yield primary, standby
        close_shared_engines()


def caught_up(primary: Connection, standby: Connection) -> None:
    """Returns when the standby has replayed what the primary has written so far."""
    here = one(primary, "SELECT pg_current_wal_flush_lsn()::text")
    wait_until(
        lambda: one(standby, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", here), "the standby"
    )


def read_on(url: str, seen: Counter[str], wrong: list[str], stop: threading.Event) -> None:
    """Asks the routing view of the standby, with the version it believes to be active."""
    try:
        with psycopg.connect(url, autocommit=True) as db:
            version = "v1"
            while not stop.is_set():
                db.execute("SELECT set_config('pgvec.query_version.docs', %s, false)", (version,))
                try:
                    query = literal(EMBEDDERS[version].vector("text 7"))
                    found = db.execute(ASK, (query,)).fetchall()
                except psycopg.Error as error:
                    seen[error.sqlstate or "lost"] += 1
                    if error.sqlstate not in ("PV011", "40001"):
                        raise
                    version = one(db, "SELECT pgvec.active_version('docs')")
                    continue
                seen["reads"] += 1
                if {row[0] for row in found} != {version} or found[0][1] != "text 7":
                    wrong.append(f"asked {version}, got {found}")
    except BaseException as error:
        wrong.append(repr(error))


@pytest.mark.timeout(120)
def test_readers_of_a_standby_see_one_version_and_after_promotion_everything_goes_on(
    pair: tuple[Cluster, Cluster],
) -> None:
    primary, standby = pair
    url, copy = primary.url("app"), standby.url("app")
    with (
        psycopg.connect(url, autocommit=True) as db,
        psycopg.connect(copy, autocommit=True) as there,
    ):
        caught_up(db, there)
        serves(there, "v1", "text 7", EMBEDDERS["v1"])
        db.execute("UPDATE pgvec.work_item SET leased_until = now() WHERE lease IS NOT NULL")
        Transition(url, "docs", "v2", EMBEDDERS["v2"]).run()

        # --- Flips on the primary, readers on the standby
        seen: Counter[str] = Counter()
        wrong: list[str] = []
        stop = threading.Event()
        readers = [
            threading.Thread(target=read_on, args=(copy, seen, wrong, stop)) for _ in range(3)
        ]
        for reader in readers:
            reader.start()
        try:
            for number in range(FLIPS):
                floor = seen["reads"]
                verb = "cut_over('docs', 'v2')" if number == 0 else "roll_back('docs')"
                db.execute(f"SELECT pgvec.{verb}".encode())
                wait_until(
                    lambda floor=floor: seen["reads"] > floor + 3 or wrong, "reads between flips"
                )
        finally:
            stop.set()
            for reader in readers:
                reader.join(30)
        assert wrong == []
        assert seen["PV011"] > 0, "no flip was ever noticed"
        if one(db, "SELECT pgvec.active_version('docs')") == "v1":
            db.execute("SELECT pgvec.roll_back('docs')")
        caught_up(db, there)
        assert ChunkStore(copy, "docs", EMBEDDERS).search("text 7", 1)[0].model_version == "v2"

        # --- A reader that holds what the primary drops is told to try again
        reader = psycopg.connect(copy)
        reader.execute("SELECT count(*) FROM docs_at_v1")
        db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
        caught_up(db, there)
        assert "retired" not in [r.outcome for r in retire_due(copy)]
        assert assert_catalog_agrees(there)["v1"].state == "draining"
        db.execute("CALL pgvec.retire_due()")
        caught_up(db, there)
        with pytest.raises(StaleSnapshot), translated():
            reader.execute("SELECT count(*) FROM docs_at_v1")
        reader.close()
        assert assert_catalog_agrees(db)["v1"].state == "retired"
        assert assert_catalog_agrees(there)["v1"].state == "retired"

        # --- The job is a no-op there, whatever is due
        Transition(url, "docs", "v3", EMBEDDERS["v2"]).begin()
        abandon_keeping_leaf(db, "docs", "v3")
        caught_up(db, there)
        there.execute("CALL pgvec.retire_due()")
        assert one(there, "SELECT dropped_at IS NULL FROM pgvec.model_version"
                          " WHERE model_version = 'v3'")  # fmt: skip
        assert "standby" in str(
            there.execute("SELECT what FROM pgvec.preview('retire_due', NULL)").fetchall()
        )

        # --- A worker can be told to wait for a standby that falls behind
        there.execute("SELECT pg_wal_replay_pause()")
        brake = Brake(ChunkStore(url, "docs").engine, Throttle(max_replication_lag=1024))
        wait_until(lambda: one(there, "SELECT pg_get_wal_replay_pause_state()") == "paused")
        ChunkStore(url, "docs", EMBEDDERS).add([f"news {n}" for n in range(50)])
        wait_until(lambda: brake.throttle.reason(brake.load()), "the lag to show")
        there.execute("SELECT pg_wal_replay_resume()")
        caught_up(db, there)
        wait_until(lambda: brake.throttle.reason(brake.load()) is None, "the lag to go")

    # --- The primary is lost; the standby takes over
    close_shared_engines()
    primary.stop("immediate")
    standby.promote()
    with psycopg.connect(copy, autocommit=True) as db:
        assert one(db, "SELECT count(*) FROM docs WHERE content LIKE 'news %%'") == 50
        db.execute("CALL pgvec.retire_due()")
        assert assert_catalog_agrees(db)["v3"].dropped
        Transition(copy, "docs", "v4", EMBEDDERS["v1"]).run(cut_over=True)
        serves(db, "v4", "text 7", EMBEDDERS["v1"])
        ChunkStore(copy, "docs", {"v4": EMBEDDERS["v1"]}).add(["after the promotion"])
        Worker(copy, "docs", {"v2": EMBEDDERS["v2"], "v4": EMBEDDERS["v1"]}).drain()
        assert one(db, "SELECT pgvec.roll_back('docs')") == "v2"
        assert one(db, "SELECT count(*) FROM docs WHERE content = 'after the promotion'") == 2
        version = db.info.server_version // 10_000
    print(
        f"PostgreSQL {version}: {seen['reads']} reads on the standby through {FLIPS} flips on the"
        f" primary, 0 of a foreign version; refused and asked again:"
        f" { ({code: n for code, n in seen.items() if code != 'reads'}) }; promoted, and went on"
    )
