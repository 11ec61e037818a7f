"""Holds, races, runs and settings of the retirement job."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from tests.end_states import gone, idle, same
from tests.sql.helpers import (
    in_background,
    one,
    put,
    refused,
    rows,
    second_version,
    state,
    told,
    wait_until_blocked,
    work_off,
    world,
)
from tests.sql.test_retirement import FILLED, NOW, RETIRE, due, refusals
from tests.tools import abandon_keeping_leaf, copy_version, live_collection, make_active

PATIENT = "SELECT pgvec.retire_version('docs', 'v1', lock_timeout => '30 s', attempts => 1)"
LAST_RUN = "SELECT {} FROM pgvec.retirement_run ORDER BY run_id DESC LIMIT 1"


# --- Holds ---


def test_a_held_version_stays_until_it_is_released(db):
    due(db)
    db.execute("SELECT pgvec.hold_version('docs', 'v1', 'the audit of May')")
    db.execute(RETIRE.encode())
    db.execute(b"CALL pgvec.retire_due(ignore_readers => true)")
    assert refusals(db) == [("v1", "held")]
    assert "the audit of May" in one(db, LAST_RUN.format("refused -> 0 ->> 'detail'"))
    assert one(db, "SELECT pgvec.release_version('docs', 'v1')") is True
    assert one(db, "SELECT pgvec.release_version('docs', 'v1')") is False
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    verbs = [r[0] for r in rows(db, "SELECT verb FROM pgvec.version_event ORDER BY event_id")]
    assert verbs[-4:] == ["hold", "retire_refused", "release", "retire"]


def test_a_second_hold_replaces_the_reason(tx):
    second_version(tx, until="active")
    for reason in ("one", " two "):
        tx.execute("SELECT pgvec.hold_version('docs', 'v1', %s)", (reason,))
    assert rows(tx, "SELECT reason FROM pgvec.retirement_hold") == [("two",)]


def test_a_hold_needs_a_reason_and_a_version_that_is_there(tx):
    second_version(tx, until="active")
    for reason in (None, "", "  "):
        refused(tx, "PV007", "SELECT pgvec.hold_version('docs', 'v1', %s::text)", reason)
    refused(tx, "PV002", "SELECT pgvec.hold_version('docs', 'v9', 'x')")
    tx.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE model_version = 'v1'")
    assert one(tx, "SELECT pgvec.retire_version('docs', 'v1')") == "retired"
    assert (
        refused(tx, "PV005", "SELECT pgvec.hold_version('docs', 'v1', 'x')").detail["state"]
        == "retired"
    )


def test_a_hold_that_comes_while_the_version_goes_is_told_so(db, connect):
    due(db)
    job, operator = connect(autocommit=False), connect()
    assert one(job, PATIENT) == "retired"
    hold = b"SELECT pgvec.hold_version('docs', 'v1', 'wait')"
    with in_background(operator.execute, hold) as held:
        wait_until_blocked(db, operator)
        job.commit()
        with pytest.raises(psycopg.Error) as caught:
            held.result()
    told(caught.value, "PV005")
    assert rows(db, "SELECT 1 FROM pgvec.retirement_hold") == []


# --- Races ---


def test_a_version_that_is_rolled_back_to_while_the_job_waits_stays(db, connect):
    due(db)
    operator, job = connect(autocommit=False), connect()
    operator.execute("SELECT pgvec.roll_back('docs')")
    with in_background(job.execute, b"CALL pgvec.retire_due('30 s', 1)") as retired:
        wait_until_blocked(db, job)
        operator.commit()
        retired.result()
    assert (state(db, "v1"), state(db, "v2")) == ("active", "draining")
    assert refusals(db) == [("v1", "rolled back")]
    db.execute("SET pgvec.query_version.docs = 'v1'")
    assert one(db, "SELECT count(*) FROM active_docs") == 20
    same(db, FILLED)


def test_a_roll_back_that_comes_while_the_version_goes_is_refused(db, connect):
    due(db)
    job, operator = connect(autocommit=False), connect()
    assert one(job, PATIENT) == "retired"
    back = b"SELECT pgvec.roll_back('docs', lock_timeout => '30 s', attempts => 1)"
    with in_background(operator.execute, back) as rolled:
        wait_until_blocked(db, operator)
        job.commit()
        with pytest.raises(psycopg.Error) as caught:
            rolled.result()
    assert told(caught.value, "PV005").detail["state"] == "retired"
    assert (state(db, "v1"), state(db, "v2")) == ("retired", "active")


def test_four_jobs_at_once_retire_each_version_once(db, connect):
    names = ["docs", "notes", "mails"]
    for name in names:
        live_collection(db, name, count=3)
        db.execute("SELECT pgvec.register_version(%s, 'v2', 8)", (name,))
        copy_version(db, name, "v1", "v2")
        make_active(db, name, "v2")
    db.execute(NOW.encode())
    jobs, together = [connect() for _ in range(4)], Barrier(4)

    def run(job):
        together.wait()
        job.execute("CALL pgvec.retire_due('200 ms', 5)")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, jobs))
    # A run that meets another one leaves at once; together, or with the next run, they do all.
    db.execute(RETIRE.encode())
    assert rows(
        db,
        "SELECT collection, count(*) FROM pgvec.version_event WHERE verb = 'retire'"
        " GROUP BY 1 ORDER BY 1",
    ) == [("docs", 1), ("mails", 1), ("notes", 1)]
    assert one(db, "SELECT count(*) FROM pgvec.retirement_run WHERE outcome IS NULL") == 0
    assert one(db, "SELECT sum(jsonb_array_length(did)) FROM pgvec.retirement_run") == 3


def test_a_job_that_is_killed_in_the_middle_has_done_whole_versions_only(db, connect):
    live_collection(db, "docs", count=5)
    live_collection(db, "notes", count=5)
    for name in ("docs", "notes"):
        db.execute("SELECT pgvec.register_version(%s, 'v2', 8)", (name,))
        abandon_keeping_leaf(db, name, "v2")
    holder, job = connect(autocommit=False), connect()
    holder.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
    with in_background(job.execute, b"CALL pgvec.retire_due('30 s', 1)") as retired:
        wait_until_blocked(db, job)
        db.execute("SELECT pg_terminate_backend(%s)", (job.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            retired.result()
    holder.rollback()
    assert rows(db, LAST_RUN.format("outcome, ended_at, jsonb_array_length(did)")) == [
        (None, None, 1)
    ]
    dropped = (
        "SELECT collection, dropped_at IS NOT NULL, to_regclass('pgvec_leaves.' || leaf) IS NULL"
        "  FROM pgvec.model_version WHERE model_version = 'v2' ORDER BY 1"
    )
    assert rows(db, dropped) == [("docs", True, True), ("notes", False, False)]
    db.execute(RETIRE.encode())
    assert rows(db, dropped) == [("docs", True, True), ("notes", True, True)]
    assert rows(db, "SELECT outcome FROM pgvec.retirement_run ORDER BY run_id") == [
        ("failed",),
        ("succeeded",),
    ]


# --- Reasons, runs, settings ---


def test_each_refusal_by_name_has_its_own_reason(db):
    second_version(db, until="active")
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    ask = "SELECT pgvec.retire_version('docs', %s)"
    assert [one(db, ask, v) for v in ("v1", "v2", "v3")] == ["in grace", "active", "not due"]
    assert refusals(db) == [("v1", "in grace"), ("v2", "active"), ("v3", "not due")]


def test_a_run_says_what_it_did_and_what_it_refused(db):
    due(db)
    live_collection(db, "notes", count=1)
    db.execute("SELECT pgvec.register_version('notes', 'v2', 8)")
    abandon_keeping_leaf(db, "notes", "v2")
    put(db, "a", "v1")
    db.execute(RETIRE.encode())
    ((did, refused_, outcome, ended),) = rows(
        db, LAST_RUN.format("did, refused, outcome, ended_at >= started_at")
    )
    assert (outcome, ended) == ("succeeded", True)
    assert [(d["collection"], d["model_version"]) for d in did] == [("notes", "v2")]
    assert did[0]["bytes"] > 0
    assert [(r["collection"], r["outcome"], r["detail"]) for r in refused_] == [
        ("docs", "feeding", "1 work items")
    ]
    work_off(db, "v2")
    db.execute(RETIRE.encode())
    assert rows(db, LAST_RUN.format("jsonb_array_length(did), refused")) == [(1, [])]
    db.execute(RETIRE.encode())
    assert rows(db, LAST_RUN.format("did, refused, outcome")) == [([], [], "succeeded")]


def test_a_dry_run_changes_nothing_and_says_what_would_go(db):
    due(db)
    before = world(db)
    heard = []
    db.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    db.execute(b"CALL pgvec.retire_due(dry_run => true)")
    ((name, outcome, bytes_),) = rows(
        db, "SELECT model_version, outcome, bytes FROM pgvec.retirement_plan()"
    )
    assert (name, outcome) == ("v1", "would retire")
    assert heard == [f"version v1 of docs: would retire, {bytes_} bytes"]
    assert world(db) == before
    assert rows(db, "SELECT 1 FROM pgvec.retirement_run") == []
    with db.transaction():
        db.execute(b"CALL pgvec.retire_due(dry_run => true)")


def test_an_error_nobody_foresaw_holds_no_other_version_up(db):
    due(db)
    live_collection(db, "notes", count=1)
    db.execute("SELECT pgvec.register_version('notes', 'v2', 8)")
    abandon_keeping_leaf(db, "notes", "v2")
    db.execute(
        """CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() o
                         WHERE o.object_name = 'docs__v1')
             THEN RAISE EXCEPTION 'not this one'; END IF; END $$;
           CREATE EVENT TRIGGER stop ON sql_drop EXECUTE FUNCTION stop()"""
    )
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v2", "held"), ("v1", "failed")]
    assert rows(db, LAST_RUN.format("outcome, refused -> 0 ->> 'detail'")) == [
        ("failed", "P0001: not this one")
    ]
    gone(db, "v2", "notes")
    assert one(db, "SELECT count(*) FROM docs_at_v1") == 20
    same(db, FILLED)


def test_the_job_prunes_what_it_leaves_behind(db):
    live_collection(db, count=1)
    db.execute(
        """INSERT INTO pgvec.retirement_run (started_at, ended_at, outcome)
           SELECT now() - i * interval '20 days', now() - i * interval '20 days', 'succeeded'
             FROM generate_series(3, 1, -1) i;
           INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)
           VALUES ('docs', 'v1', 'gone', 'a', 'a'), ('gone', 'v1', 'v1', 'a', 'a')"""
    )
    db.execute(RETIRE.encode())
    assert rows(db, "SELECT count(*), max(pruned) FROM pgvec.retirement_run") == [(2, 4)]
    idle(db)
    idle(db, "gone")


def test_a_role_that_may_not_is_known_before_and_told_after(db):
    due(db)
    role = one(db, "SELECT 'stranger_' || current_database()")
    db.execute(f"CREATE ROLE {role}".encode())
    try:
        assert one(db, "SELECT pgvec.may_retire(current_user::text)") is True
        assert one(db, "SELECT pgvec.may_retire(%s)", role) is False
        assert one(db, "SELECT pgvec.may_retire('nobody at all')") is False
        db.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(RETIRE.encode())
    finally:
        db.execute("RESET ROLE")
        db.execute(f"DROP ROLE {role}".encode())
    assert state(db, "v1") == "draining"


def test_settings_are_checked_and_kept_apart(tx):
    live_collection(tx, count=1)
    settings = "SELECT on_retire, read_window::text FROM pgvec.retirement_settings('docs')"
    assert rows(tx, settings) == [("drop", "01:00:00")]
    tx.execute("SELECT pgvec.set_retirement('docs', 'archive')")
    tx.execute(
        "SELECT pgvec.set_retirement('docs', read_window => '2 hours', retire_after => '3 days')"
    )
    assert rows(tx, settings) == [("archive", "02:00:00")]
    assert one(tx, "SELECT retire_after = '3 days' FROM pgvec.collection")
    refused(tx, "PV007", "SELECT pgvec.set_retirement('docs', 'burn')")
    refused(tx, "PV007", "SELECT pgvec.set_retirement('docs', read_window => '-1 s')")
    refused(tx, "PV001", "SELECT pgvec.set_retirement('nothing')")
