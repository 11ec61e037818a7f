"""Writes are ordered by turns, drawn when every wait for the row is over; no clock has a say."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.faults.test_attacks import agree, repeatable_read, versions
from tests.sql.helpers import (
    chunks,
    edit,
    in_background,
    leaf,
    one,
    put,
    refused,
    rows,
    vector,
    wait_until_blocked,
    work_off,
)
from tests.tools import Connect, abandon_keeping_leaf

Connection = psycopg.Connection[Any]

OVER_ALL = "UPDATE docs SET metadata = metadata || '{\"seen\": true}'"
MANNERS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


def seen(db: Connection, *labels: str) -> dict[str, Any]:
    """Everything worked off; what the versions hold, all the same."""
    held = agree(db, *labels)
    for label in labels:
        assert one(db, "SELECT pgvec.ready_problems('docs', %s)", label) == {}
    return held


@pytest.mark.parametrize("isolation", MANNERS)
@pytest.mark.parametrize("written", ["v1", "v2"])
@pytest.mark.parametrize("states", [("active", "ready"), ("draining", "active")])
def test_an_edit_that_waits_survives_an_update_of_all_versions(
    connect: Connect, states: tuple[str, ...], written: str, isolation: str
) -> None:
    db = connect()
    versions(db, *states, words="ab")
    edit(db, "a", written, "new text")
    with db.transaction():
        db.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
        db.execute(OVER_ALL.encode())
    assert seen(db, "v1", "v2") == {"new text": {"seen": True}, "b": {"seen": True}}


@pytest.mark.parametrize("written", ["v1", "v2", "v3"])
def test_with_three_live_versions_too(connect: Connect, written: str) -> None:
    db = connect()
    versions(db, "draining", "active", "ready", words="ab")
    edit(db, "a", written, "new text")
    # Once more, through another version, before anybody has carried the first.
    other = {"v1": "v2", "v2": "v3", "v3": "v1"}[written]
    db.execute(OVER_ALL.encode())
    edit(db, "b", other, "other text")
    db.execute(OVER_ALL.encode())
    assert seen(db, "v1", "v2", "v3") == {
        "new text": {"seen": True},
        "other text": {"seen": True},
    }


def test_rows_in_step_stay_in_step_under_an_update_of_all_versions(connect: Connect) -> None:
    db = connect()
    versions(db, "draining", "active", "ready", words="ab")
    db.execute(OVER_ALL.encode())
    assert rows(db, "SELECT * FROM pgvec.work_item") == []
    assert one(db, "SELECT count(DISTINCT (chunk_id, turn)) FROM docs") == 2


@pytest.mark.parametrize("follow_up", [OVER_ALL, "UPDATE docs SET document_id = 'd'"])
def test_a_stale_fill_stays_behind_under_an_update_of_all_versions(
    connect: Connect, follow_up: str
) -> None:
    db = connect()
    versions(db, "active", "building", words="a")
    edit(db, "a", "v1", "new text")
    db.execute("DELETE FROM pgvec.work_item")
    put(db, "a", "v2", "a")
    db.execute(follow_up.encode())
    assert agree(db, "v1", "v2").keys() == {"new text"}


def test_an_edit_of_the_text_of_all_versions_with_each_ones_vector_is_one_write(
    connect: Connect,
) -> None:
    db = connect()
    versions(db, "active", "ready", words="a")
    db.execute(
        "UPDATE docs SET content = 'two', embedding = CASE model_version"
        " WHEN 'v1' THEN %s::vector ELSE %s::vector END",
        (vector("two", "v1"), vector("two", "v2")),
    )
    assert rows(db, "SELECT * FROM pgvec.work_item") == []
    assert seen(db, "v1", "v2").keys() == {"two"}


def test_the_turn_of_an_update_is_drawn_after_the_wait_for_its_row(connect: Connect) -> None:
    db, holder, writer = connect(), connect(), connect()
    versions(db, "active", "ready", words="a")
    with holder.transaction():
        holder.execute("SELECT FROM docs WHERE model_version = 'v1' FOR UPDATE")
        with in_background(edit, writer, "a", "v1", "waited") as waiting:
            wait_until_blocked(db, writer)
            before = one(db, "SELECT nextval('pgvec.turn')")
            holder.execute("ROLLBACK")
            waiting.result()
    assert one(db, "SELECT turn FROM docs WHERE model_version = 'v1'") > before
    assert agree(db, "v1", "v2").keys() == {"waited"}


def test_the_turn_of_an_insert_that_waited_for_a_delete_is_later_than_it(connect: Connect) -> None:
    db, deleter, writer = connect(), connect(), connect()
    versions(db, "active", "ready", words="a")
    with deleter.transaction():
        deleter.execute("DELETE FROM docs WHERE model_version = 'v1'")
        with in_background(put, writer, "a", "v1", "again") as waiting:
            wait_until_blocked(db, writer)
            deleter.execute("COMMIT")
            waiting.result()
    assert agree(db, "v1", "v2").keys() == {"again"}


def test_dates_order_nothing(connect: Connect) -> None:
    db = connect()
    versions(db, "active", "ready", words="ab")
    for label, date in (("v1", "1999-01-01"), ("v2", "2999-01-01")):
        # As after a clock that was put back, or forward.
        db.execute(
            f"ALTER TABLE {leaf(db, label)} DISABLE TRIGGER USER;"
            f" UPDATE {leaf(db, label)} SET written_at = '{date}';"
            f" ALTER TABLE {leaf(db, label)} ENABLE TRIGGER USER".encode()
        )
    edit(db, "a", "v1", "edited")
    db.execute("DELETE FROM docs WHERE model_version = 'v1' AND content = 'b'")
    assert agree(db, "v1", "v2").keys() == {"edited"}
    db.execute("DELETE FROM docs WHERE model_version = 'v2'")
    assert agree(db, "v1", "v2") == {}


def test_a_turn_that_was_never_drawn_is_refused(connect: Connect) -> None:
    db = connect()
    versions(db, "active", words="a")
    before = rows(db, "SELECT * FROM docs")
    insert = (
        "INSERT INTO docs (chunk_id, model_version, content, embedding, turn)"
        " VALUES (md5('x')::uuid, 'v1', 'x', %s, %s) RETURNING 1"
    )
    refused(db, "PV007", insert, vector("x", "v1"), 2**60)
    refused(db, "PV007", "UPDATE docs SET turn = %s RETURNING 1", 2**60)
    assert rows(db, "SELECT * FROM docs") == before


@pytest.mark.parametrize("turn", [0, -5, 1])
def test_an_edit_that_brings_an_old_turn_is_an_edit_all_the_same(
    connect: Connect, turn: int
) -> None:
    db = connect()
    versions(db, "active", "ready", words="a")
    db.execute(
        "UPDATE docs SET content = 'edited', embedding = %s, turn = %s WHERE model_version = 'v1'",
        (vector("edited", "v1"), turn),
    )
    assert agree(db, "v1", "v2").keys() == {"edited"}


@pytest.mark.parametrize("text", ["a", "another"])
@pytest.mark.parametrize("target", ["v1", "v2", "v3"])
def test_a_row_put_with_the_turn_of_another_versions_row_leaves_no_difference(
    connect: Connect, target: str, text: str
) -> None:
    db = connect()
    versions(db, "draining", "active", "ready", words="a")
    db.execute("UPDATE docs SET metadata = '{\"kept\": 1}'")
    source = "v2" if target != "v2" else "v1"
    # A gap: the row is gone around the triggers.
    db.execute(f"DELETE FROM {leaf(db, target)}".encode())
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, metadata, turn)"
        " SELECT chunk_id, %s, %s, %s, metadata, turn FROM docs WHERE model_version = %s",
        (target, text, vector(text, target), source),
    )
    assert len(seen(db, "v1", "v2", "v3")) == 1


def test_a_copy_into_a_ready_version_with_its_turn_takes_the_other_columns(
    connect: Connect,
) -> None:
    db = connect()
    versions(db, "active", "ready", words="a")
    db.execute("UPDATE docs SET metadata = '{\"kept\": 1}'")
    db.execute(f"DELETE FROM {leaf(db, 'v2')}".encode())
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, turn)"
        " SELECT chunk_id, 'v2', content, %s, turn FROM docs WHERE model_version = 'v1'",
        (vector("a", "v2"),),
    )
    assert seen(db, "v1", "v2") == {"a": {"kept": 1}}


@pytest.mark.parametrize("name", ["pgvec.carrying", "pgvec.turn", "pgvec.follow"])
def test_no_setting_makes_a_stale_vector_silent_or_an_edit_invisible(
    connect: Connect, name: str
) -> None:
    db = connect()
    versions(db, "active", "ready", words="a")
    db.execute("SELECT set_config(%s, 'on', false)", (name,))
    refused(db, "PV021", "UPDATE docs SET content = 'stale' RETURNING 1")
    edit(db, "a", "v1", "edited")
    assert agree(db, "v1", "v2").keys() == {"edited"}


def test_an_update_of_all_versions_passes_over_an_abandoned_one(connect: Connect) -> None:
    db = connect()
    versions(db, "active", "ready", words="a")
    abandon_keeping_leaf(db, "docs", "v2")
    db.execute(OVER_ALL.encode())
    assert list(chunks(db, "v1").values()) == [("a", {"seen": True})]
    assert rows(db, "SELECT * FROM pgvec.work_item") == []


def test_an_old_snapshot_that_updates_all_versions_loses_no_edit(connect: Connect) -> None:
    db, old = connect(), repeatable_read(connect)
    versions(db, "active", "ready", words="a")
    edit(db, "a", "v2", "new text")
    old.execute(OVER_ALL.encode())
    edit(db, "a", "v1", "a third")
    db.execute(OVER_ALL.encode())
    work_off(db, "v2")
    assert agree(db, "v1", "v2") == {"a third": {"seen": True}}


def test_a_copy_that_brings_the_turn_of_a_deleted_chunk_does_not_bring_it_back(
    connect: Connect,
) -> None:
    db = connect()
    versions(db, "active", "building", words="ab")
    read_at = one(db, "SELECT turn FROM docs WHERE content = 'a'")
    db.execute("DELETE FROM docs WHERE content = 'a'")
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, turn)"
        " VALUES (md5('a')::uuid, 'v2', 'a', %s, %s)",
        (vector("a", "v2"), read_at),
    )
    one(db, "SELECT pgvec.plan_backfill('docs', 'v2')")
    assert agree(db, "v1", "v2").keys() == {"b"}
