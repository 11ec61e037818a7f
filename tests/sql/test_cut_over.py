"""Cutting over and rolling back: to which version, with what left to do, behind which locks."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.helpers import (
    edit,
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
from tests.sql.states import break_index
from tests.tools import copy_version, live_collection, make_active

# --- Cutting over ---


def test_nobody_is_cut_over_to_a_version_that_lacks_something(tx):
    second_version(tx)
    put(tx, "late", "v1")
    untouched = world(tx)
    refusal = refused(tx, "PV006", "SELECT pgvec.cut_over('docs', 'v2')")
    assert refusal.detail["problems"] == {"open_items": 1}
    assert "worker" in refusal.hint
    assert world(tx) == untouched
    tx.execute("UPDATE pgvec.work_item SET set_aside_at = now()")
    assert refused(tx, "PV006", "SELECT pgvec.cut_over('docs', 'v2')").detail["problems"] == {
        "set_aside": 1
    }


def test_nobody_is_cut_over_to_a_version_with_a_broken_index(tx):
    second_version(tx)
    break_index(tx, "v2")
    refusal = refused(tx, "PV006", "SELECT pgvec.cut_over('docs', 'v2')")
    assert refusal.detail["problems"] == {"index": "invalid"}
    assert "build_index" in refusal.hint


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_cut_over_never_trusts_an_old_snapshot(db, connect, isolation):
    second_version(db)
    other = connect()
    other.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    other.execute("SELECT count(*) FROM pgvec.work_item")
    put(db, "late", "v1")
    refusal = refused(other, "PV007", "SELECT pgvec.cut_over('docs', 'v2')")
    assert "READ COMMITTED" in refusal.hint
    other.execute("ROLLBACK")
    assert one(db, "SELECT pgvec.active_version('docs')") == "v1"


@pytest.mark.parametrize(
    ("verb", "hold"),
    [
        ("cut_over('docs', 'v2', '20 ms', 2)", "SELECT * FROM active_docs"),
        ("cut_over('docs', 'v2', '20 ms', 2)", "LOCK TABLE docs IN ROW EXCLUSIVE MODE"),
        ("roll_back('docs', NULL, '20 ms', 2)", "SELECT * FROM active_docs"),
        ("roll_back('docs', NULL, '20 ms', 2)", "LOCK TABLE docs IN ROW EXCLUSIVE MODE"),
    ],
)
def test_a_verb_that_gets_no_lock_gives_up_and_changes_nothing(db, connect, verb, hold):
    second_version(db, until="ready" if verb.startswith("cut") else "active")
    holder = connect(autocommit=False)
    holder.execute("SET pgvec.query_version.docs = 'any'")
    holder.execute(hold.encode())
    untouched = world(db)
    timeout = one(db, "SHOW lock_timeout")
    with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
        db.execute(f"SELECT pgvec.{verb}".encode())
    assert '"attempts": 2' in (caught.value.diag.message_detail or "")
    assert world(db) == untouched
    assert one(db, "SHOW lock_timeout") == timeout
    holder.rollback()
    db.execute(f"SELECT pgvec.{verb}".encode())
    assert world(db) != untouched


def test_a_cut_over_that_waits_goes_through_when_the_reader_leaves(db, connect):
    second_version(db)
    reader, operator = connect(autocommit=False), connect()
    reader.execute("SET pgvec.query_version.docs = 'v1'")
    reader.execute("SELECT * FROM active_docs")
    with in_background(
        rows, operator, "SELECT pgvec.cut_over('docs', 'v2', '30 s', 1)"
    ) as cut_over:
        wait_until_blocked(db, operator)
        reader.rollback()
        assert cut_over.result() == [("v1",)]
    assert state(db, "v2") == "active"


def test_a_writer_who_is_under_way_is_waited_for_and_then_counted(db, connect):
    second_version(db)
    writer, operator = connect(autocommit=False), connect()
    put(writer, "late", "v1")
    with in_background(
        rows, operator, "SELECT pgvec.cut_over('docs', 'v2', '30 s', 1)"
    ) as cut_over:
        wait_until_blocked(db, operator)
        writer.commit()
        error = cut_over.exception()
    assert isinstance(error, psycopg.Error)
    assert told(error, "PV006").detail["problems"] == {"open_items": 1}
    assert work_off(db, "v2") == 1
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")


@pytest.mark.parametrize("arguments", ["'0', 3", "NULL, 3", "'1 s', 0", "'1 s', NULL"])
def test_waiting_for_ever_or_not_trying_at_all_is_refused(tx, arguments):
    second_version(tx)
    refused(tx, "PV007", f"SELECT pgvec.cut_over('docs', 'v2', {arguments})")


# --- Rolling back ---


def test_rolling_back_goes_to_the_version_that_was_active_last(tx):
    second_version(tx, until="active")
    tx.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    copy_version(tx, "docs", "v2", "v3")
    make_active(tx, "docs", "v3")
    assert one(tx, "SELECT pgvec.roll_back('docs')") == "v2"
    assert (state(tx, "v1"), state(tx, "v2"), state(tx, "v3")) == ("draining", "active", "draining")


def test_rolling_back_twice_goes_forward_again(tx):
    second_version(tx, until="active")
    assert one(tx, "SELECT pgvec.roll_back('docs')") == "v1"
    assert one(tx, "SELECT pgvec.roll_back('docs')") == "v2"
    assert one(tx, "SELECT pgvec.active_version('docs')") == "v2"


def test_rolling_back_takes_the_retirement_off_the_version_it_returns_to(tx):
    second_version(tx, until="active")
    due = "SELECT retire_at FROM pgvec.model_version WHERE model_version = %s"
    assert one(tx, due, "v1") is not None
    tx.execute("SELECT pgvec.roll_back('docs')")
    assert one(tx, due, "v1") is None
    assert one(tx, due, "v2") is not None


def test_without_a_draining_version_there_is_no_way_back(tx):
    second_version(tx)
    assert refused(tx, "PV005", "SELECT pgvec.roll_back('docs')").detail["active"] == "v1"


def test_rolling_back_waits_for_what_the_other_version_lacks_unless_told_otherwise(tx):
    second_version(tx, until="active")
    put(tx, "new", "v2")
    assert refused(tx, "PV006", "SELECT pgvec.roll_back('docs')").detail["problems"] == {
        "open_items": 1
    }
    tx.execute("SELECT pgvec.roll_back('docs', allow_missing => true)")
    assert state(tx, "v1") == "active"
    assert one(
        tx,
        "SELECT detail -> 'missing' FROM pgvec.version_event"
        " WHERE model_version = 'v1' AND verb = 'roll_back'",
    ) == {"open_items": 1}


# --- Collections that stopped following ---


def test_a_version_that_stopped_following_catches_up_before_it_returns(db):
    live_collection(db, count=5, follow_while_draining=False)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(db, "docs", "v1", "v2")
    make_active(db, "docs", "v2")
    put(db, "a", "v2")
    db.execute("DELETE FROM docs WHERE model_version = 'v2' AND content = 'text 1'")
    edit(db, "chunk2", "v2", "text two")
    assert rows(db, "SELECT 1 FROM pgvec.work_item") == []
    refusal = refused(db, "PV006", "SELECT pgvec.roll_back('docs')")
    assert refusal.detail["problems"].keys() == {"stopped_following"}
    assert "plan_backfill" in refusal.hint
    db.execute("SELECT pgvec.plan_backfill('docs', 'v1')")
    work_off(db, "v1")
    assert one(db, "SELECT pgvec.roll_back('docs')") == "v1"
    content = "SELECT content FROM docs WHERE model_version = %s ORDER BY 1"
    assert rows(db, content, "v1") == rows(db, content, "v2")
    assert len(rows(db, content, "v1")) == 5
