"""Behind PgBouncer in transaction mode all works, and no session finds a setting of ours."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from pgvec_versions import Chunk, ChunkStore, Transition, Where, Worker, roll_back
from pgvec_versions.errors import PgvecError
from pgvec_versions.postgres.database import close_shared_engines, engine_for
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.pausing import pause, resume
from tests.db import test_transition as transitions
from tests.faults.looks import Connection, one, tiny
from tests.pgbouncer import pooled
from tests.tools import Connect

EMBEDDERS = {"v1": tiny("v1"), "v2": tiny("v2")}
#: What our functions and statements set while they run.
OURS = (
    "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout",
    "maintenance_work_mem", "max_parallel_maintenance_workers", "row_security", "search_path",
    "hnsw.ef_search", "hnsw.iterative_scan", "session_replication_role",
    "default_transaction_isolation", "default_transaction_read_only",
    "pgvec.query_version.docs", "pgvec.carrying", "pgvec.same_vector", "pgvec.news",
    "pgvec.saved_search_path",
)  # fmt: skip


def settings(connection: Connection) -> dict[str, Any]:
    """The settings of the session that PgBouncer gives us: each with a value of its own."""
    found = {
        name: one(connection, "SELECT nullif(current_setting(%s, true), '')", name) for name in OURS
    }
    for name, value in connection.execute(
        # A transaction's own settings begin anew with each transaction.
        "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'tran%'"
    ).fetchall():
        found[name] = value
    found["prepared"] = one(connection, "SELECT count(*) FROM pg_prepared_statements")
    found["temporary"] = one(
        connection,
        "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
    )
    found["locks"] = one(
        connection,
        "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'",
    )
    return found


@pytest.fixture
def one_session(database: str) -> Iterator[str]:
    """Through a pool of a single server connection: everybody gets the same session."""
    with pooled(database, 1) as url:
        yield url
        close_shared_engines()


def test_no_verb_leaves_a_setting_behind_in_a_session_that_others_get(one_session: str) -> None:
    with psycopg.connect(one_session, autocommit=True, prepare_threshold=None) as look:
        go_the_whole_way(look, one_session)


def go_the_whole_way(look: Connection, one_session: str) -> None:
    # The library of pgvector adds its settings when it is first used.
    look.execute("SELECT '[1]'::vector <=> '[1]'::vector")
    pid = one(look, "SELECT pg_backend_pid()")
    clean = settings(look)
    assert not [name for name in OURS if name.startswith("pgvec.") and clean[name]]

    def check(what: str) -> None:
        assert one(look, "SELECT pg_backend_pid()") == pid, "the pool has more than one session"
        assert settings(look) == clean, what

    look.execute("SELECT pgvec.create_collection('docs')")
    check("create_collection")
    Transition(one_session, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
    check("the first version")
    store = ChunkStore(one_session, "docs", EMBEDDERS)
    store.add([Chunk(f"text {i}", "book", i, {"n": i}) for i in range(50)])
    check("add")
    store.search("text 3", k=3)
    store.search("text 3", k=3, filter=[Where("n", ">", 10)], ef_search=77)
    check("search")
    with pytest.raises(PgvecError):
        store.search("text 3", k=0)
    check("a search that fails")
    two = Transition(one_session, "docs", "v2", EMBEDDERS["v2"])
    two.begin()
    check("begin")
    pause(one_session, "docs", "v2")
    resume(one_session, "docs", "v2")
    check("pause and resume")
    two.backfill()
    check("backfill")
    two.build_index(memory_mb=64, parallel_workers=0)
    check("build_index")
    store.add([Chunk("edited", "book", 0, {"n": 0})], keep_others=True)
    store.delete(document_ids=["nobody"])
    check("edit and delete")
    two.catch_up()
    two.make_ready()
    check("make_ready")
    with pytest.raises(PgvecError):
        Transition(one_session, "docs", "v1", EMBEDDERS["v1"]).cut_over()
    check("a cut-over that is refused")
    two.cut_over()
    check("cut_over")
    with engine_for(one_session).begin() as connection:
        store.add(["in the caller's transaction"], connection=connection)
    with Session(engine_for(one_session)) as session:
        store.search("text 3", k=1, connection=session)
        session.rollback()
    check("the caller's own transaction")
    roll_back(one_session, "docs", EMBEDDERS)
    roll_back(one_session, "docs", EMBEDDERS)
    check("roll_back")
    Worker(one_session, "docs", EMBEDDERS).drain()
    look.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    assert [r.outcome for r in retire_due(one_session)] == ["retired"]
    check("retire_due")


def test_sessions_that_share_connections_never_get_each_others_declaration(
    database: str, connect: Connect
) -> None:
    with pooled(database, 2) as url:
        connect().execute("SELECT pgvec.create_collection('docs')")
        Transition(url, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
        ChunkStore(url, "docs", EMBEDDERS).add([f"text {i}" for i in range(40)])
        Transition(url, "docs", "v2", EMBEDDERS["v2"]).run()

        def ask(number: int) -> set[str]:
            label = "v1" if number % 2 else "v2"
            with psycopg.connect(url, prepare_threshold=None) as connection:
                seen: set[str] = set()
                for _ in range(20):
                    # As PV012 advises: local to the transaction.
                    connection.execute(
                        "SELECT set_config('pgvec.query_version.docs', %s, true)", (label,)
                    )
                    try:
                        rows = connection.execute("SELECT model_version FROM active_docs LIMIT 5")
                        seen.update(row[0] for row in rows)
                    except psycopg.Error as error:
                        seen.add(error.sqlstate or "")
                    connection.rollback()
                return seen

        with ThreadPoolExecutor(6) as pool:
            seen = list(pool.map(ask, range(6)))
        assert seen == [{"PV011"}, {"v1"}] * 3
        close_shared_engines()


# ------------------------------------ the transition tests of the suite, through the pool


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """What ``tests.db.test_transition`` runs on, here behind PgBouncer."""
    with pooled(database) as url:
        made = engine_for(url)
        yield made
        made.dispose()
        close_shared_engines()


def _copied(test: FunctionType) -> FunctionType:
    """The same test with marks of its own: one server is enough here."""
    made = FunctionType(
        test.__code__, test.__globals__, test.__name__, test.__defaults__, test.__closure__
    )
    made.__dict__.update(test.__dict__)
    return pytest.mark.parametrize("server", [18], ids=["pg18"], indirect=True)(made)


_TESTS = {
    name: _copied(test) for name, test in vars(transitions).items() if name.startswith("test_")
}
globals().update(_TESTS)


def test_the_transition_tests_of_the_suite_are_among_these() -> None:
    assert len(_TESTS) > 10
