"""A verb that dies half-way, or whose client rolls back, has never happened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.faults.boundaries import put_boundaries
from tests.faults.looks import Connection, assert_catalog_agrees, one, standings
from tests.sql.helpers import rows, second_version, wait_until_blocked, world
from tests.tools import Connect


@dataclass(frozen=True)
class Verb:
    """A verb, where its versions stand before, and what it waits for when it is half done."""

    name: str
    statement: str
    until: str
    prepare: tuple[str, ...] = ()
    #: Held by another session: the verb has done something before it gets there.
    held: tuple[str, ...] = ("LOCK TABLE pgvec.version_event IN EXCLUSIVE MODE",)
    #: The state of v2 afterwards, or None when it is no state that changes.
    after: str | None = None


READS_THE_VIEW = (
    "SET LOCAL pgvec.query_version.docs = 'any'",
    "SELECT count(*) FROM active_docs",
)
READS_THE_PINNED_VIEW = ("SELECT count(*) FROM docs_at_v2",)
READS_A_LEAF = ("SELECT count(*) FROM pgvec_leaves.docs__v1",)
HOLDS_THE_GRANTS = ("LOCK TABLE pgvec.collection_grant IN ACCESS EXCLUSIVE MODE",)
HOLDS_THE_WORK = ("LOCK TABLE pgvec.work_item IN EXCLUSIVE MODE",)
PATIENT = "lock_timeout => '60 s', attempts => 1"

BUILD = ("SELECT pgvec.build_index('docs', 'v2')",)
CUT_OVER = f"SELECT pgvec.cut_over('docs', 'v2', {PATIENT})"
ROLL_BACK = f"SELECT pgvec.roll_back('docs', {PATIENT})"
RETIRE = f"SELECT pgvec.retire_version('docs', 'v1', {PATIENT})"
DUE = (
    "UPDATE pgvec.model_version SET retire_at = now() - interval '1 s' WHERE state = 'draining'",
)

VERBS = [
    Verb("cut_over", CUT_OVER, "ready", after="active"),
    Verb("cut_over at the view", CUT_OVER, "ready", held=READS_THE_VIEW, after="active"),
    Verb("roll_back", ROLL_BACK, "active", after="draining"),
    Verb("roll_back at the view", ROLL_BACK, "active", held=READS_THE_VIEW, after="draining"),
    Verb("make_ready", "SELECT pgvec.make_ready('docs', 'v2')", "building", BUILD, after="ready"),
    Verb(
        "make_ready at the grants", "SELECT pgvec.make_ready('docs', 'v2')", "building", BUILD,
        HOLDS_THE_GRANTS, "ready",
    ),
    Verb("register", "SELECT pgvec.register_version('docs', 'v3', 8)", "ready", after="ready"),
    Verb(
        "register at the grants", "SELECT pgvec.register_version('docs', 'v3', 8)", "ready",
        held=HOLDS_THE_GRANTS, after="ready",
    ),
    Verb("build_index", BUILD[0], "building", after="building"),
    Verb("plan_backfill", "SELECT pgvec.plan_backfill('docs', 'v2')", "building", after="building"),
    Verb("abandon", "SELECT pgvec.abandon('docs', 'v2')", "ready", after="abandoned"),
    Verb(
        "abandon at the pinned view", "SELECT pgvec.abandon('docs', 'v2')", "ready",
        held=READS_THE_PINNED_VIEW, after="abandoned",
    ),
    Verb("retire", RETIRE, "active", DUE, after="active"),
    Verb("retire at the leaf", RETIRE, "active", DUE, READS_A_LEAF, "active"),
    Verb("retire at the work", RETIRE, "active", DUE, HOLDS_THE_WORK, "active"),
    Verb("retire_due", f"CALL pgvec.retire_due({PATIENT})", "active", DUE, after="active"),
    Verb("drop_collection", "SELECT pgvec.drop_collection('docs')", "active"),
]  # fmt: skip


@pytest.fixture
def stage(connect: Connect, request: pytest.FixtureRequest) -> tuple[Verb, Connection]:
    verb: Verb = request.param
    db = connect()
    second_version(db, until=verb.until, count=5)
    for statement in verb.prepare:
        db.execute(statement.encode())
    return verb, db


def assert_it_works_now(verb: Verb, db: Connection) -> None:
    db.execute(verb.statement.encode())
    if verb.name == "drop_collection":
        assert standings(db) == {}
        assert one(db, "SELECT to_regclass('docs') IS NULL AND to_regclass('active_docs') IS NULL")
        return
    versions = assert_catalog_agrees(db)
    assert versions["v2"].state == verb.after
    assert ("v3" in versions) == verb.name.startswith("register")
    assert versions["v1"].dropped == verb.name.startswith("retire")


every_verb = pytest.mark.parametrize("stage", VERBS, indirect=True, ids=lambda v: v.name)


@every_verb
def test_a_verb_that_is_terminated_half_way_has_changed_nothing(
    stage: tuple[Verb, Connection], connect: Connect
) -> None:
    verb, db = stage
    before = world(db)
    holder, doomed = connect(), connect()
    with ThreadPoolExecutor(1) as pool, holder.transaction():
        for statement in verb.held:
            holder.execute(statement.encode())
        running = pool.submit(lambda: rows_or_none(doomed, verb.statement))
        wait_until_blocked(db, doomed)
        assert one(db, "SELECT pg_terminate_backend(%s)", doomed.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            running.result(60)
    assert world(db) == before
    assert_it_works_now(verb, db)


#: Once each: what the session waits for does not matter here.
PLAIN = [v for v in VERBS if " at " not in v.name]


@pytest.mark.parametrize("stage", PLAIN, indirect=True, ids=lambda v: v.name)
def test_a_verb_that_is_terminated_at_any_statement_boundary_has_changed_nothing(
    stage: tuple[Verb, Connection], connect: Connect
) -> None:
    verb, db = stage
    assert put_boundaries(db) > 300
    before = world(db)
    passed = 0
    while True:
        doomed = connect()
        doomed.execute("SELECT set_config('pgvec.boundaries_to_pass', %s, false)", (str(passed),))
        try:
            doomed.execute(verb.statement.encode())
            break
        except psycopg.OperationalError as error:
            assert error.sqlstate == "57P01"  # noqa: PT017 - the last try raises nothing
        passed += 1
        if world(db) != before:
            # A job that commits on its way has then done all that it was to do.
            assert verb.statement.startswith("CALL")
            assert_it_works_now(verb, db)
            before = world(db)
    print(f"{verb.name}: terminated at {passed} boundaries")
    assert passed > 5
    if verb.name != "drop_collection":
        assert_catalog_agrees(db)
        assert standings(db)["v2"].state == verb.after


@every_verb
def test_a_verb_that_is_cancelled_half_way_has_changed_nothing(
    stage: tuple[Verb, Connection], connect: Connect
) -> None:
    verb, db = stage
    before = world(db)
    holder, caller = connect(), connect()
    with ThreadPoolExecutor(1) as pool, holder.transaction():
        for statement in verb.held:
            holder.execute(statement.encode())
        running = pool.submit(lambda: rows_or_none(caller, verb.statement))
        wait_until_blocked(db, caller)
        assert one(db, "SELECT pg_cancel_backend(%s)", caller.info.backend_pid)
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result(60)
    assert world(db) == before
    assert one(caller, "SHOW lock_timeout") == "0"
    assert_it_works_now(verb, caller)


@every_verb
def test_a_verb_that_its_client_rolls_back_has_changed_nothing(
    stage: tuple[Verb, Connection],
) -> None:
    verb, db = stage
    before = world(db)
    with db.transaction(force_rollback=True):
        if verb.statement.startswith("CALL"):
            # It commits version by version, so it takes no part in anybody's transaction.
            with pytest.raises(psycopg.errors.InvalidTransactionTermination):
                db.execute(verb.statement.encode())
        else:
            db.execute(verb.statement.encode())
            # The caller sees it, and may still change his mind.
            assert world(db) != before
    assert world(db) == before
    assert_it_works_now(verb, db)


def rows_or_none(connection: Connection, statement: str) -> Any:
    return (
        connection.execute(statement.encode())
        if "CALL" in statement
        else rows(connection, statement)
    )
