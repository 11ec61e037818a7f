"""The job drops what is due, and only that, and holds nobody up."""

from __future__ import annotations

import psycopg
import pytest

from tests.end_states import gone, same
from tests.sql.helpers import (
    in_background,
    one,
    put,
    refused,
    rows,
    second_version,
    state,
    wait_until_blocked,
    work_off,
    world,
)
from tests.tools import abandon_keeping_leaf, copy_version, live_collection, make_active

RETIRE = "CALL pgvec.retire_due('20 ms', 2)"
NOW = (
    "UPDATE pgvec.model_version SET retire_at = now() - interval '1 s' WHERE retire_at IS NOT NULL"
)


def due(db, **options):
    """v2 active, v1 draining and due."""
    live_collection(db, count=20, **options)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(db, "docs", "v1", "v2")
    make_active(db, "docs", "v2")
    db.execute(NOW.encode())


#: What ``due`` puts into both versions.
FILLED = [f"text {n}" for n in range(1, 21)]


def refusals(db):
    return rows(
        db,
        "SELECT model_version, detail ->> 'reason' FROM pgvec.version_event"
        " WHERE verb = 'retire_refused' ORDER BY event_id",
    )


def test_a_due_version_goes_with_everything_but_its_record(db):
    due(db)
    db.execute(
        "INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)"
        " VALUES ('docs', 'v2', 'v1', '0', '0')"
    )
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    gone(db, "v1")
    assert rows(db, "SELECT relname FROM pg_class WHERE relname ~ 'docs_(_|at_)v1'") == []
    assert rows(db, "SELECT 1 FROM pgvec.work_item") == []
    assert rows(
        db,
        "SELECT retired_at IS NOT NULL, dropped_at IS NOT NULL, retire_at < retired_at"
        "  FROM pgvec.model_version WHERE model_version = 'v1'",
    ) == [(True, True, True)]
    last = (
        "SELECT verb, from_state, to_state, (detail ->> 'bytes')::int > 0 FROM pgvec.version_event"
    )
    assert rows(db, f"{last} ORDER BY event_id DESC LIMIT 1") == [
        ("retire", "draining", "retired", True)
    ]
    same(db, FILLED)
    refused(db, "PV005", "SELECT * FROM pgvec.missing_chunks('docs', 'v1')")
    assert rows(
        db, "SELECT state, chunks FROM pgvec.version_status WHERE model_version = 'v1'"
    ) == [("retired", None)]


def test_nothing_goes_before_its_time(db):
    second_version(db, until="active")
    before = world(db)
    db.execute(RETIRE.encode())
    assert world(db) == before


def test_retire_after_says_when(db):
    second_version(db)
    db.execute("UPDATE pgvec.collection SET retire_after = '3 days'")
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    assert rows(
        db,
        "SELECT retire_at - draining_at = interval '3 days' FROM pgvec.model_version"
        " WHERE model_version = 'v1'",
    ) == [(True,)]


def test_the_active_version_never_goes(db):
    due(db)
    assert one(db, "SELECT pgvec.retire_version('docs', 'v2')") == "active"
    db.execute(RETIRE.encode())
    db.execute(RETIRE.encode())
    assert state(db, "v2") == "active"


def test_the_last_version_never_goes(db):
    due(db)
    db.execute(
        "UPDATE pgvec.model_version SET state = 'draining', draining_at = now(),"
        " retire_at = now() WHERE model_version = 'v2'"
    )
    db.execute(RETIRE.encode())
    assert (state(db, "v1"), state(db, "v2")) == ("draining", "draining")
    assert refusals(db) == [("v1", "last"), ("v2", "last")]


def test_a_version_whose_chunks_are_still_to_be_carried_stays(db):
    due(db)
    put(db, "a", "v1")
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "feeding")]
    work_off(db, "v2")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    same(db, [*FILLED, "a"])


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_chunk_written_while_the_job_waits_is_not_lost(db, connect, isolation):
    due(db)
    writer, job = connect(autocommit=False), connect()
    put(writer, "a", "v1")
    job.execute(f"SET default_transaction_isolation = '{isolation}'".encode())
    with in_background(job.execute, b"CALL pgvec.retire_due('30 s', 1)") as retired:
        wait_until_blocked(db, job)
        writer.commit()
        retired.result()
    assert refusals(db) == [("v1", "feeding")]
    assert state(db, "v1") == "draining"


def test_an_abandoned_version_goes_too(db):
    live_collection(db, count=5)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    db.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
    abandon_keeping_leaf(db, "docs", "v2")
    assert rows(db, "SELECT 1 FROM pgvec.work_item") == []
    db.execute(RETIRE.encode())
    assert state(db, "v2") == "abandoned"
    assert one(db, "SELECT to_regclass('pgvec_leaves.docs__v2')") is None
    assert one(
        db, "SELECT dropped_at IS NOT NULL FROM pgvec.model_version WHERE model_version = 'v2'"
    )
    before = world(db)
    db.execute(RETIRE.encode())
    assert world(db) == before


def test_the_job_commits_after_each_version(db, connect):
    live_collection(db, "docs", count=5)
    live_collection(db, "notes", count=5)
    for name in ("docs", "notes"):
        db.execute("SELECT pgvec.register_version(%s, 'v2', 8)", (name,))
        abandon_keeping_leaf(db, name, "v2")
    holder, job = connect(autocommit=False), connect()
    holder.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
    with in_background(job.execute, b"CALL pgvec.retire_due('30 s', 1)") as retired:
        wait_until_blocked(db, job)
        assert one(db, "SELECT to_regclass('pgvec_leaves.docs__v2')") is None
        assert one(db, "SELECT to_regclass('pgvec_leaves.notes__v2')") is not None
        holder.rollback()
        retired.result()
    assert one(db, "SELECT to_regclass('pgvec_leaves.notes__v2')") is None


def test_the_job_runs_in_no_transaction_block(db):
    due(db)
    with pytest.raises(psycopg.errors.InvalidTransactionTermination), db.transaction():
        db.execute(RETIRE.encode())
    assert state(db, "v1") == "draining"
    assert one(db, "SELECT to_regclass('docs_at_v1') IS NOT NULL")


def test_a_version_that_is_being_read_stays_and_goes_the_next_time(db, connect):
    due(db)
    reader = connect(autocommit=False)
    reader.execute("SELECT count(*) FROM docs")
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "locked")]
    assert one(db, "SELECT count(*) FROM docs_at_v1") == 20
    same(db, FILLED)
    reader.rollback()
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    gone(db, "v1")


def test_a_reader_of_the_retired_version_holds_only_that_one_up(db, connect):
    due(db)
    reader = connect(autocommit=False)
    reader.execute("SELECT count(*) FROM docs_at_v1")
    db.execute(b"CALL pgvec.retire_due('20 ms', 2, ignore_readers => true)")
    assert refusals(db) == [("v1", "locked")]
    assert str(reader.info.backend_pid) in one(
        db,
        "SELECT refused -> 0 ->> 'detail' FROM pgvec.retirement_run ORDER BY run_id DESC LIMIT 1",
    )
    db.execute("SET statement_timeout = '10 s'")
    put(db, "a", "v2")


def test_readers_of_the_routing_view_hold_nothing_up(db, connect):
    due(db)
    reader = connect(autocommit=False)
    reader.execute("SET pgvec.query_version.docs = 'v2'")
    assert one(reader, "SELECT count(*) FROM active_docs") == 20
    reader.execute("DECLARE slow CURSOR FOR SELECT * FROM active_docs")
    reader.execute("FETCH 1 FROM slow")
    rows(reader, "SELECT * FROM pgvec.nearest('docs', '[1,1,1,1,1,1,1,1]', 'v2')")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    assert len(rows(reader, "FETCH ALL FROM slow")) == 19


def test_a_second_job_leaves_at_once(db, connect):
    due(db)
    first = connect(autocommit=False)
    first.execute("SELECT FROM pgvec.retirement_lock FOR UPDATE")
    before = world(db)
    db.execute(RETIRE.encode())
    assert world(db) == before
    first.rollback()
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_what_the_host_built_on_a_version_is_never_dropped(db):
    due(db)
    db.execute("CREATE VIEW mine AS SELECT content FROM docs_at_v1")
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "in use")]
    assert one(
        db, "SELECT detail ->> 'detail' FROM pgvec.version_event ORDER BY event_id DESC LIMIT 1"
    ).startswith("view public.mine depends")
    assert one(db, "SELECT count(*) FROM mine") == 20
    assert state(db, "v1") == "draining"
    db.execute("DROP VIEW mine")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_a_reason_that_stays_the_same_is_recorded_once(db):
    due(db)
    put_item = (
        "INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)"
        " VALUES ('docs', 'v1', 'v2', '0', '0')"
    )
    db.execute(put_item.encode())
    for _ in range(3):
        db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "feeding")]
    db.execute("DELETE FROM pgvec.work_item")
    db.execute("CREATE VIEW of_the_host AS SELECT * FROM docs_at_v1")
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "feeding"), ("v1", "in use")]


@pytest.mark.parametrize(
    "harm", ["ALTER TABLE docs RENAME TO other", "DROP TABLE pgvec_leaves.docs__v1 CASCADE"]
)
def test_one_broken_collection_holds_no_other_up(db, harm):
    due(db)
    live_collection(db, "notes", count=5)
    db.execute("SELECT pgvec.register_version('notes', 'v2', 8)")
    abandon_keeping_leaf(db, "notes", "v2")
    db.execute(harm.encode())
    db.execute(RETIRE.encode())
    assert one(db, "SELECT to_regclass('pgvec_leaves.notes__v2')") is None
    if "DROP" in harm:
        assert state(db, "v1") == "retired"
    else:
        assert refusals(db) == [("v2", "held"), ("v1", "broken")]


# --- The schedule ---


@pytest.mark.parametrize("schedule", ["17 * * * *", "30 seconds"])
def test_without_pg_cron_the_schedule_says_what_to_do_instead(tx, schedule):
    before = world(tx)
    text = one(tx, "SELECT pgvec.schedule_retirement(%s)", schedule)
    for word in ("cron", "systemd", "Kubernetes", "pgvec retire", "CALL pgvec.retire_due()"):
        assert word in text
    assert schedule in text
    assert one(tx, "SELECT pgvec.unschedule_retirement()") is False
    assert world(tx) == before


@pytest.mark.parametrize("schedule", [None, "", "* * * * *\n* * * * * root rm", "x" * 101])
def test_a_schedule_is_one_line(tx, schedule):
    refused(tx, "PV007", "SELECT pgvec.schedule_retirement(%s::text)", schedule)
