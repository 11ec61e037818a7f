"""An abandoned version stands in no writer's way, and its leaf goes at once where it can."""

from __future__ import annotations

import psycopg
import pytest

from tests.end_states import gone
from tests.sql.helpers import (
    chunks,
    claim,
    complete,
    edit,
    in_background,
    items,
    one,
    pair,
    put,
    read,
    refused,
    rows,
    state,
    vector,
    wait_until_blocked,
    work_off,
)
from tests.tools import abandon_keeping_leaf, live_collection

A = "chunk_id = md5('a')::uuid"
ABANDON = "SELECT pgvec.abandon('docs', 'v2')"
LEAF = "SELECT to_regclass('pgvec_leaves.docs__v2')"
WHY = (
    "SELECT detail ->> 'reason' FROM pgvec.version_event"
    " WHERE model_version = 'v2' AND verb = 'retire_refused'"
)


@pytest.fixture
def kept(tx):
    """v1 active with a and b, and v2 abandoned; the leaf of v2 is still there, with old rows."""
    pair(tx)
    tx.execute("ALTER TABLE docs ADD COLUMN place int, ADD UNIQUE (place, model_version)")
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute(f"UPDATE docs SET place = 1, position = 7 WHERE {A}".encode())
    abandon_keeping_leaf(tx, "docs", "v2")
    # From here on v1 differs: these statements find what they look for in v2 alone.
    tx.execute(f"UPDATE docs SET place = 2, position = 8 WHERE {A} AND model_version = 'v1'")
    assert one(tx, LEAF) is not None
    return tx


# --- Writers ---


def old_rows(db):
    return rows(db, "SELECT * FROM docs WHERE model_version = 'v2' ORDER BY chunk_id")


@pytest.mark.parametrize(
    ("statement", "touched"),
    [
        ("UPDATE docs SET metadata = '{}' WHERE position = 7", 0),
        ("UPDATE docs SET metadata = '{}', turn = turn WHERE position = 7", 0),
        ("UPDATE docs SET metadata = '{}' WHERE model_version <> 'v1'", 0),
        (f"UPDATE docs SET metadata = '{{\"k\": 1}}' WHERE {A}", 1),
        # The leaf of v2 would refuse each of these: a place that is taken there, a vector of
        # another dimension, and the vector of the row that is there with another text.
        ("UPDATE docs SET place = 1 WHERE content = 'b'", 1),
        (f"UPDATE docs SET content = 'x', embedding = '[1,2,3]' WHERE {A} AND position = 7", 0),
        ("UPDATE docs SET content = 'x' WHERE position = 7", 0),
        (
            "MERGE INTO docs USING (SELECT 7 AS position) k ON docs.position = k.position"
            " WHEN MATCHED THEN UPDATE SET metadata = '{}'",
            0,
        ),
        (
            "INSERT INTO docs SELECT * FROM docs WHERE position = 7"
            " ON CONFLICT (chunk_id, model_version) DO UPDATE SET metadata = '{}'",
            0,
        ),
        (
            "INSERT INTO docs SELECT * FROM docs"
            " ON CONFLICT (chunk_id, model_version) DO UPDATE SET metadata = '{}'",
            2,
        ),
        ("INSERT INTO docs SELECT * FROM docs ON CONFLICT DO NOTHING", 0),
    ],
)
def test_a_write_that_names_no_version_passes_over_the_abandoned_one(kept, statement, touched):
    before = old_rows(kept)
    assert kept.execute(statement.encode()).rowcount == touched
    assert old_rows(kept) == before
    assert items(kept) == []


def test_rows_of_the_abandoned_version_are_deleted_without_any_effect(kept):
    before = chunks(kept, "v1")
    kept.execute("DELETE FROM docs WHERE position = 7")
    kept.execute("MERGE INTO docs USING (SELECT 'v2' AS v) k ON docs.model_version = k.v"
                 " WHEN MATCHED THEN DELETE")  # fmt: skip
    assert old_rows(kept) == []
    assert chunks(kept, "v1") == before
    assert items(kept) == []


def test_a_chunk_deleted_in_the_active_version_leaves_the_abandoned_one_too(kept):
    kept.execute(f"DELETE FROM docs WHERE model_version = 'v1' AND {A}".encode())
    assert rows(kept, f"SELECT model_version FROM docs WHERE {A}") == []
    kept.execute("DELETE FROM docs")
    assert one(kept, "SELECT count(*) FROM docs") == 0


def test_truncate_empties_the_abandoned_version_too(kept):
    kept.execute("TRUNCATE docs")
    assert one(kept, "SELECT count(*) FROM docs") == 0
    put(kept, "a")
    assert items(kept) == []


@pytest.mark.parametrize(
    "action", ["ON DELETE SET NULL", "ON DELETE CASCADE", "ON DELETE SET DEFAULT"]
)
def test_the_action_of_a_foreign_key_reaches_the_abandoned_rows(tx, action):
    pair(tx)
    tx.execute(
        f"""CREATE TABLE shelf (shelf int PRIMARY KEY);
            INSERT INTO shelf VALUES (1);
            ALTER TABLE docs ADD COLUMN shelf int REFERENCES shelf ON UPDATE CASCADE {action};
            UPDATE docs SET shelf = 1;
            SELECT pgvec.refresh_collection('docs')""".encode()
    )
    abandon_keeping_leaf(tx, "docs", "v2")
    tx.execute("UPDATE docs SET shelf = NULL WHERE model_version = 'v1'")
    tx.execute("UPDATE shelf SET shelf = 2")
    assert rows(tx, "SELECT DISTINCT shelf FROM docs WHERE model_version = 'v2'") == [(2,)]
    tx.execute("DELETE FROM shelf")
    assert rows(tx, "SELECT 1 FROM docs WHERE shelf IS NOT NULL") == []
    assert one(tx, "SELECT count(*) FROM docs WHERE model_version = 'v1'") == 2


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_writers_of_any_isolation_go_on(db, connect, isolation):
    pair(db)
    abandon_keeping_leaf(db, "docs", "v2")
    edit(db, "a", "v1", "another text")
    writer = connect()
    writer.execute(f"SET default_transaction_isolation = '{isolation}'".encode())
    assert writer.execute("UPDATE docs SET position = 1 WHERE content = 'a'").rowcount == 0
    writer.execute("UPDATE docs SET position = 1")
    writer.execute("DELETE FROM docs WHERE content = 'a'")
    assert rows(db, "SELECT content, position FROM docs WHERE model_version = 'v1' ORDER BY 1") == [
        ("another text", 1),
        ("b", 1),
    ]


def test_with_no_active_version_an_update_finds_nothing_and_fails_not(tx):
    tx.execute("SELECT pgvec.create_collection('docs')")
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    put(tx, "a")
    abandon_keeping_leaf(tx, "docs", "v1")
    assert tx.execute("UPDATE docs SET position = 1").rowcount == 0


@pytest.mark.parametrize("labels", [["v2"], ["v1", "v2"]])
def test_an_insert_into_the_abandoned_version_is_refused(kept, labels):
    values = ", ".join(f"('{v}', 'x', '{vector('x', v)}')" for v in labels)
    error = refused(
        kept,
        "PV023",
        f"INSERT INTO docs (model_version, content, embedding) VALUES {values} RETURNING 1",
    )
    assert error.detail["model_version"] == "v2"
    assert "live version" in error.hint


# --- The leaf ---


@pytest.mark.parametrize("until", ["building", "ready"])
def test_the_leaf_goes_at_once(db, until):
    pair(db, until=until)
    db.execute(ABANDON.encode())
    assert state(db, "v2") == "abandoned"
    gone(db, "v2")
    assert db.execute("UPDATE docs SET position = 1 WHERE content = 'a'").rowcount == 1
    db.execute("CALL pgvec.retire_due()")
    assert one(db, "SELECT count(*) FROM pgvec.version_event WHERE verb = 'retire'") == 1


@pytest.mark.parametrize("looked", [True, False], ids=["after reading", "before reading"])
def test_a_worker_whose_version_was_abandoned_learns_it(db, looked):
    pair(db)
    put(db, "late", "v1")
    mine = claim(db, ["v2"])
    assert mine is not None
    made = read(db, mine) if looked else []
    db.execute(ABANDON.encode())
    gone(db, "v2")
    assert read(db, mine) == []
    with pytest.raises(psycopg.Error) as caught:
        complete(db, mine, made)
    assert caught.value.sqlstate == "PV023"


def test_a_leaf_that_goes_while_a_worker_begins_to_read_is_no_error(db, connect):
    pair(db)
    put(db, "late", "v1")
    mine = claim(db, ["v2"])
    worker, operator = connect(), connect(autocommit=False)
    operator.execute(ABANDON.encode())
    with in_background(read, worker, mine) as reading:
        wait_until_blocked(db, worker)
        operator.commit()
        assert reading.result() == []


def test_a_leaf_that_somebody_dropped_by_hand_is_an_error_for_its_worker(db):
    pair(db)
    put(db, "late", "v1")
    mine = claim(db, ["v2"])
    db.execute("DROP TABLE pgvec_leaves.docs__v2 CASCADE")
    with pytest.raises(psycopg.errors.UndefinedTable):
        read(db, mine)


def test_the_only_version_goes_at_once_too(db):
    db.execute("SELECT pgvec.create_collection('docs')")
    db.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    db.execute("SELECT pgvec.abandon('docs', 'v1')")
    gone(db, "v1")
    assert rows(db, "SELECT * FROM active_docs") == []
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")


@pytest.mark.parametrize("what", ["docs", "pgvec_leaves.docs__v2"])
def test_a_session_that_reads_it_keeps_the_leaf_and_holds_nobody_up(db, connect, what):
    pair(db)
    reader = connect(autocommit=False)
    reader.execute(f"SELECT count(*) FROM {what}".encode())
    db.execute("SET statement_timeout = '5s'")
    db.execute(ABANDON.encode())
    assert one(db, LEAF) is not None
    assert rows(db, WHY) == [("locked",)]
    assert db.execute("UPDATE docs SET position = 1 WHERE content = 'a'").rowcount == 1
    reader.rollback()
    db.execute("CALL pgvec.retire_due()")
    gone(db, "v2")


def test_a_version_that_still_feeds_another_keeps_its_leaf(db):
    pair(db)
    put(db, "c", "v2")
    db.execute(ABANDON.encode())
    assert rows(db, WHY) == [("feeding",)]
    assert db.execute("UPDATE docs SET position = 1 WHERE content = 'c'").rowcount == 0
    assert work_off(db, "v1") == 1
    db.execute("CALL pgvec.retire_due()")
    gone(db, "v2")
    assert sorted(c for c, _ in chunks(db, "v1").values()) == ["a", "b", "c"]


def test_a_version_that_is_held_or_that_something_depends_on_keeps_its_leaf(db):
    pair(db, until="building")
    db.execute("CREATE VIEW mine AS SELECT * FROM pgvec_leaves.docs__v2")
    (does, *more) = rows(db, "SELECT what, detail FROM pgvec.preview('abandon', 'docs', 'v2')")
    assert more == []
    assert "with a later retire_due: in use, view" in does[0]
    assert does[1]["leaf_stays"] == "in use"
    db.execute(ABANDON.encode())
    assert rows(db, WHY) == [("in use",)]
    assert one(db, LEAF) is not None


def test_the_dry_run_says_that_the_leaf_goes_at_once(tx):
    pair(tx)
    assert "its leaf goes at once too" in one(
        tx, "SELECT what FROM pgvec.preview('abandon', 'docs', 'v2')"
    )


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_an_old_snapshot_abandons_and_leaves_the_leaf_to_the_job(db, isolation):
    pair(db)
    with db.transaction():
        db.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
        db.execute(ABANDON.encode())
    assert state(db, "v2") == "abandoned"
    db.execute("CALL pgvec.retire_due()")
    gone(db, "v2")


def test_a_writer_that_waits_for_abandon_goes_on_without_the_leaf(db, connect):
    pair(db)
    writer, second = connect(), connect(autocommit=False)
    second.execute(ABANDON.encode())
    with in_background(writer.execute, b"UPDATE docs SET position = 1 WHERE content = 'a'") as done:
        wait_until_blocked(db, writer)
        second.commit()
        assert done.result().rowcount == 1
    gone(db, "v2")


def test_an_index_build_that_runs_is_not_waited_for(db, connect):
    live_collection(db, count=5)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    builder = connect(autocommit=False)
    builder.execute("LOCK TABLE pgvec_leaves.docs__v2 IN SHARE MODE")
    db.execute(ABANDON.encode())
    assert rows(db, WHY) == [("locked",)]
    builder.rollback()
    with pytest.raises(psycopg.Error):
        db.execute("SELECT pgvec.build_index('docs', 'v2')")
