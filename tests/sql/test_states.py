"""The state table, by every verb and from every state."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest

from pgvec_versions.states import LIVE, State
from tests.sql.helpers import (
    edit,
    in_background,
    leaf,
    one,
    put,
    refused,
    rows,
    second_version,
    state,
    told,
    vector,
    wait_until_blocked,
    work_off,
    world,
)
from tests.tools import copy_version, live_collection, make_active

VERBS = {
    "make_ready": ("SELECT pgvec.make_ready('docs', 'v2')", "ready"),
    "cut_over": ("SELECT pgvec.cut_over('docs', 'v2', '200 ms', 1)", "active"),
    "abandon": ("SELECT pgvec.abandon('docs', 'v2')", "abandoned"),
    "retire": ("SELECT pgvec.retire_version('docs', 'v2')", "retired"),
}


def bring(db, wanted):
    """Collection docs with v1, and v2 in the wanted state."""
    second_version(db, until="ready" if wanted not in ("building", "abandoned") else "building")
    if wanted in ("active", "draining", "retired"):
        db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    if wanted in ("draining", "retired"):
        db.execute("UPDATE pgvec.collection SET retire_after = '0'")
        db.execute("SELECT pgvec.roll_back('docs')")
    if wanted == "retired":
        assert one(db, "SELECT pgvec.retire_version('docs', 'v2')") == "retired"
    if wanted == "abandoned":
        db.execute("SELECT pgvec.abandon('docs', 'v2')")
    assert state(db, "v2") == wanted


def events(db, version="v2"):
    return rows(
        db,
        "SELECT verb, from_state, to_state FROM pgvec.version_event"
        " WHERE model_version = %s AND from_state IS DISTINCT FROM to_state ORDER BY event_id",
        version,
    )


# --- The table ---


def table(db):
    """Verb, from, to: as the database has it."""
    return set(rows(db, "SELECT verb, from_state, to_state FROM pgvec.state_change()"))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("before", State)
def test_a_verb_happens_from_its_states_and_from_no_other(tx, before, verb):
    statement, after = VERBS[verb]
    bring(tx, before)
    if verb == "make_ready" and before == "building":
        tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    known = len(events(tx))
    if before != after and (verb, before.value, after) in table(tx):
        tx.execute(statement.encode())
        assert state(tx, "v2") == after
        assert [(e[1], e[2]) for e in events(tx)[known:]] == [(before, after)]
        return
    untouched = world(tx)
    if verb == "retire":
        if before == "active":
            assert one(tx, statement) == "active"
        else:
            assert one(tx, statement) in ("not due", "retired")
        assert state(tx, "v2") == before
        return
    if (verb, before) == ("make_ready", "ready"):
        assert one(tx, statement) == "ready"
    else:
        refusal = refused(tx, "PV005", statement)
        assert refusal.detail["state"] == before
        assert refusal.detail["model_version"] == "v2"
        assert refusal.hint
    assert world(tx) == untouched


def test_the_states_lead_where_the_design_says_and_nowhere_else(tx):
    assert {(a, b) for _, a, b in table(tx) if a and a != b} == {
        ("building", "ready"),
        ("ready", "building"),
        ("ready", "active"),
        ("active", "draining"),
        ("draining", "active"),
        ("draining", "retired"),
        ("building", "abandoned"),
        ("ready", "abandoned"),
        # An archived version comes back.
        ("retired", "draining"),
    }
    assert {a for verb, a, _ in table(tx) if verb == "build_index"} == LIVE


def test_a_state_changes_only_by_a_verb_that_leads_there(tx):
    second_version(tx)
    allowed = table(tx)
    happened = set()
    moments = {
        "ready": "ready_at = now()",
        "active": "activated_at = now()",
        "draining": "draining_at = now(), retire_at = now()",
        "retired": "retired_at = now(), dropped_at = now()",
        "abandoned": "abandoned_at = now(), retire_at = now()",
    }
    tx.execute(
        "UPDATE pgvec.model_version SET state = 'draining', draining_at = now(),"
        " retire_at = now() WHERE model_version = 'v1'"
    )
    verbs = {verb for verb, _, _ in allowed} - {"register_version", "restore"} | {"test"}
    for verb, before, after in product(sorted(verbs), State, State):
        with tx.transaction(force_rollback=True):
            times = moments.get(before, "ready_at = NULL")
            tx.execute(
                f"UPDATE pgvec.model_version SET state = '{before}', {times}"
                " WHERE model_version = 'v2'".encode()
            )
            try:
                tx.execute("SELECT pgvec.change_state('docs', 'v2', %s, %s)", (verb, after))
                happened.add((verb, before.value, after.value))
            except psycopg.Error as error:
                told(error, "PV005")
    assert happened == {row for row in allowed if row[0] in verbs}


def test_two_versions_of_a_collection_are_never_active_at_once(tx):
    second_version(tx)
    refused(
        tx,
        "23505",
        "UPDATE pgvec.model_version SET state = 'active', activated_at = now()"
        " WHERE model_version = 'v2' RETURNING 1",
    )


@pytest.mark.parametrize(
    "change",
    [
        "state = 'ready', ready_at = NULL",
        "state = 'active', activated_at = NULL",
        "state = 'draining', retire_at = now()",
        "state = 'draining', draining_at = now()",
        "state = 'retired'",
        "state = 'retired', retired_at = now()",
        "state = 'abandoned', abandoned_at = now()",
        "state = 'abandoned', retire_at = now()",
        "retired_at = now()",
        "abandoned_at = now()",
        "dropped_at = now()",
        "retire_at = now()",
        "state = 'gone'",
    ],
)
def test_a_state_without_its_moments_does_not_exist(tx, change):
    second_version(tx)
    refused(
        tx,
        "23514",
        f"UPDATE pgvec.model_version SET {change} WHERE model_version = 'v2' RETURNING 1",
    )


# --- The events ---


def test_every_change_leaves_one_event_with_who_and_when(tx):
    second_version(tx, until="active")
    tx.execute("SELECT pgvec.roll_back('docs')")
    assert events(tx, "v1") == [
        ("register_version", None, "building"),
        ("make_ready", "building", "ready"),
        ("cut_over", "ready", "active"),
        ("cut_over", "active", "draining"),
        ("roll_back", "draining", "active"),
    ]
    assert one(
        tx,
        "SELECT bool_and(who = session_user AND at BETWEEN now() AND clock_timestamp())"
        "  FROM pgvec.version_event",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pgvec.version_event SET who = 'nobody' RETURNING 1",
        "DELETE FROM pgvec.version_event RETURNING 1",
        "TRUNCATE pgvec.version_event",
    ],
)
def test_what_happened_stays_written(tx, statement):
    live_collection(tx, count=0)
    assert "append-only" in refused(tx, "PV007", statement).message


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


# --- Labels ---


@pytest.mark.parametrize("last", State)
def test_a_label_is_never_used_twice(tx, last):
    bring(tx, last)
    untouched = world(tx)
    refusal = refused(tx, "PV004", "SELECT pgvec.register_version('docs', 'v2', 8)")
    assert refusal.detail == {"collection": "docs", "model_version": "v2", "state": last}
    assert world(tx) == untouched


# --- Ready ---


def problems(tx):
    untouched = world(tx)
    refusal = refused(tx, "PV006", "SELECT pgvec.make_ready('docs', 'v2')")
    assert refusal.hint
    assert world(tx) == untouched
    return refusal.detail["problems"]


def test_a_version_that_lacks_chunks_is_not_ready(tx):
    second_version(tx, until="building")
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    tx.execute(f"DELETE FROM {leaf(tx, 'v2')} WHERE position < 3".encode())
    lacking = one(tx, "SELECT count(*) FROM docs WHERE model_version = 'v1' AND position < 3")
    assert lacking == 6
    assert problems(tx) == {"missing": lacking}


def test_a_version_with_a_stale_chunk_is_not_ready(tx):
    second_version(tx, until="building")
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    tx.execute(
        "UPDATE docs SET content = 'changed', embedding = %s"
        " WHERE model_version = 'v1' AND content = 'text 7'",
        (vector("changed", "v1"),),
    )
    tx.execute("DELETE FROM pgvec.work_item")
    assert problems(tx) == {"missing": 1}


def test_a_version_with_chunks_that_nobody_has_is_not_ready(tx):
    second_version(tx, until="building")
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    tx.execute(f"DELETE FROM {leaf(tx, 'v1')} WHERE content = 'text 7'".encode())
    assert problems(tx) == {"surplus": 1}


def test_a_version_with_open_work_is_not_ready(tx):
    second_version(tx, until="building")
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    put(tx, "a", "v1")
    put(tx, "b", "v1")
    tx.execute("UPDATE pgvec.work_item SET set_aside_at = now() WHERE lo = md5('b')::uuid::text")
    assert problems(tx) == {"missing": 2, "open_items": 1, "set_aside": 1}


def test_a_version_without_a_valid_index_is_not_ready(tx):
    second_version(tx, until="building")
    assert problems(tx) == {"index": "missing"}
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    break_index(tx, "v2")
    assert problems(tx) == {"index": "invalid"}
    assert one(tx, "SELECT pgvec.build_index('docs', 'v2')")
    assert one(tx, "SELECT pgvec.make_ready('docs', 'v2')") == "ready"


def break_index(tx, version):
    """As a build that broke off leaves it."""
    tx.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
        (leaf(tx, version) + "_hnsw",),
    )


def test_vectors_of_another_model_behind_a_dropped_check_are_found(tx):
    second_version(tx, until="building")
    table = leaf(tx, "v2")
    tx.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT pgvec_dimensions,"
        " DROP CONSTRAINT pgvec_not_zero".encode()
    )
    tx.execute(f"UPDATE {table} SET embedding = '[1,2,3]' WHERE content = 'text 1'".encode())
    tx.execute(
        f"UPDATE {table} SET embedding = '[0,0,0,0,0,0,0,0]'"
        " WHERE content IN ('text 2', 'text 3')".encode()
    )
    assert problems(tx) == {
        "index": "missing",
        "wrong_dimensions": 1,
        "zero_vectors": 2,
        "constraints": "missing or not validated",
    }


@pytest.mark.parametrize("check", ["pgvec_version", "pgvec_dimensions", "pgvec_not_zero"])
def test_a_leaf_without_its_checks_is_not_ready(tx, check):
    second_version(tx, until="building")
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    tx.execute(f"ALTER TABLE {leaf(tx, 'v2')} DROP CONSTRAINT {check}".encode())
    assert problems(tx) == {"constraints": "missing or not validated"}


def test_a_ready_version_that_fails_its_check_is_building_again(tx):
    second_version(tx)
    put(tx, "late", "v1")
    told_so = []
    tx.add_notice_handler(lambda diag: told_so.append((diag.severity, diag.message_primary)))
    assert one(tx, "SELECT to_regclass('docs_at_v2')") == "docs_at_v2"
    assert one(tx, "SELECT pgvec.make_ready('docs', 'v2')") == "building"
    assert state(tx, "v2") == "building"
    assert one(tx, "SELECT to_regclass('docs_at_v2')") is None
    assert [severity for severity, message in told_so if "v2 of docs" in message] == ["WARNING"]
    assert events(tx)[-1] == ("make_ready", "ready", "building")


def test_checking_a_ready_version_again_changes_nothing(tx):
    second_version(tx)
    untouched = world(tx)
    assert one(tx, "SELECT pgvec.make_ready('docs', 'v2')") == "ready"
    assert world(tx) == untouched


def test_the_first_active_version_has_what_was_written_before_it_came(tx):
    tx.execute("SELECT pgvec.create_collection('docs')")
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    put(tx, "a", "v1")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    assert problems(tx) == {"missing": 1}


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
