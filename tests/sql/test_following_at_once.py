"""Versions end equal, whatever writers, workers and index builds do at the same time."""

from __future__ import annotations

from hashlib import md5, sha256

import psycopg
import pytest

from tests.end_states import holds, same, unchanged
from tests.sql.helpers import (
    Done,
    chunks,
    claim,
    complete,
    edit,
    in_background,
    items,
    leaf,
    one,
    pair,
    put,
    read,
    refused,
    rows,
    second_version,
    told,
    vector,
    wait_until_blocked,
    work_off,
)
from tests.tools import live_collection

BUILD_LOCK = "LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE"
ONE_ID = "chunk_id = md5('a')::uuid"


# --- Two writers at once ---


@pytest.mark.parametrize("order", [("v1", "v2"), ("v2", "v1")])
@pytest.mark.parametrize("later", ["v1", "v2"])
def test_versions_edited_at_once_end_equal_with_the_later_text(db, connect, later, order):
    pair(db)
    first, second = connect(autocommit=False), connect(autocommit=False)
    earlier = "v2" if later == "v1" else "v1"
    edit(first, "a", earlier, "earlier")
    edit(second, "a", later, "later")
    second.commit()
    first.commit()
    assert len(items(db)) == 2
    for version in order:
        work_off(db, version)
    same(db, ["later", "b"])


@pytest.mark.parametrize("order", [("v1", "v2"), ("v2", "v1")])
def test_a_chunk_new_in_both_versions_at_once_ends_equal(db, connect, order):
    pair(db, words="b")
    first, second = connect(autocommit=False), connect(autocommit=False)
    put(first, "a", "v1", "one", metadata='{"n": 1}')
    put(second, "a", "v2", "two", metadata='{"n": 2}')
    first.commit()
    second.commit()
    for version in order:
        work_off(db, version)
    assert ("two", {"n": 2}) in same(db).values()


def test_a_delete_waits_for_whoever_relies_on_the_row(db, connect):
    pair(db, words="b")
    put(db, "a", "v2")
    db.execute("DELETE FROM pgvec.work_item")
    writer, deleter = connect(autocommit=False), connect()
    put(writer, "a", "v1")
    delete = f"DELETE FROM docs WHERE {ONE_ID} AND model_version = 'v2' RETURNING 1"
    with in_background(rows, deleter, delete) as deleted:
        wait_until_blocked(db, deleter)
        writer.commit()
        assert deleted.result() == [(1,)]
    work_off(db, "v1", "v2")
    same(db, ["b"])


def test_an_older_row_that_comes_late_does_not_win(tx):
    pair(tx, words="b")
    put(tx, "a", "v2", metadata='{"k": 2}')
    tx.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, turn)"
        " VALUES (md5('a')::uuid, 'v1', 'a', %s, 1)",
        (vector("a", "v1"),),
    )
    assert ("a", {"k": 2}) in chunks(tx, "v2").values()
    work_off(tx, "v1", "v2")
    assert ("a", {"k": 2}) in same(tx).values()


def test_a_merge_is_a_write_like_any_other(tx):
    pair(tx)
    tx.execute(
        "MERGE INTO docs d USING (VALUES ('a'), ('c')) s(word)"
        " ON d.chunk_id = md5(s.word)::uuid AND d.model_version = 'v1'"
        " WHEN MATCHED THEN UPDATE SET metadata = '{\"k\": 1}'"
        " WHEN NOT MATCHED THEN INSERT (chunk_id, model_version, content, embedding)"
        " VALUES (md5(s.word)::uuid, 'v1', s.word, %s)",
        (vector("c", "v1"),),
    )
    assert items(tx) == [("v1", "v2", "c")]
    work_off(tx, "v2")
    assert sorted(same(tx).values(), key=str) == [("a", {"k": 1}), ("b", {}), ("c", {})]


@pytest.mark.parametrize(
    "change", ['UPDATE docs SET metadata = \'{"by": "%s"}\'', "DELETE FROM docs"]
)
def test_writers_of_two_versions_never_wait_for_each_other(db, connect, change):
    pair(db)
    first, second = connect(autocommit=False), connect(autocommit=False)
    both = [(first, "v1"), (second, "v2")]
    for connection, _ in both:
        connection.execute("SET LOCAL lock_timeout = '1ms'")
    second.execute("SELECT FROM docs WHERE model_version = 'v2' FOR UPDATE")
    for connection, version in both:
        statement = change.replace("%s", version) + f" WHERE model_version = '{version}'"
        connection.execute(statement.encode())
    first.commit()
    second.commit()
    work_off(db, "v1", "v2")
    held = same(db)
    if change.startswith("DELETE"):
        assert held == {}
    else:
        assert [metadata for _, metadata in held.values()] == [{"by": "v2"}] * 2


# --- Deletes that something stands in the way of ---


def test_a_delete_passes_by_a_row_that_another_session_holds_and_reaches_it_later(db, connect):
    pair(db)
    holder = connect(autocommit=False)
    holder.execute("SELECT FROM docs WHERE model_version = 'v2' FOR UPDATE")
    db.execute("SET lock_timeout = '1ms'")
    db.execute(f"DELETE FROM docs WHERE model_version = 'v1' AND {ONE_ID}".encode())
    assert items(db) == [("v1", "v2", "a")]
    problems = one(db, "SELECT pgvec.ready_problems('docs', 'v2')")
    assert problems == {"open_items": 1, "surplus": 1}
    holder.commit()
    assert work_off(db, "v2") == 1
    assert list(same(db).values()) == [("b", {})]


def test_an_insert_that_commits_after_a_later_delete_goes_in_both_versions(db, connect):
    pair(db, words="b")
    put(db, "a", "v1")
    db.execute("DELETE FROM pgvec.work_item")
    writer = connect(autocommit=False)
    put(writer, "a", "v2", "another text")
    db.execute(f"DELETE FROM docs WHERE model_version = 'v1' AND {ONE_ID}".encode())
    writer.commit()
    assert work_off(db, "v1", "v2") == 1
    assert list(same(db).values()) == [("b", {})]


def test_a_chunk_put_again_after_its_delete_stays_whatever_its_age(tx):
    pair(tx)
    tx.execute(f"DELETE FROM docs WHERE {ONE_ID}".encode())
    tx.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, written_at)"
        " VALUES (md5('a')::uuid, 'v1', 'again', %s, '2001-01-01')",
        (vector("again", "v1"),),
    )
    assert work_off(tx, "v1", "v2") == 1
    same(tx, {"a": "again", "b": "b"})


def test_a_change_is_later_than_what_it_replaces_though_the_clock_was_put_back(tx):
    pair(tx)
    for chunk_table in ("v1", "v2"):
        tx.execute(
            f"ALTER TABLE {leaf(tx, chunk_table)} DISABLE TRIGGER USER;"
            f" UPDATE {leaf(tx, chunk_table)} SET written_at = '2100-01-01';"
            f" ALTER TABLE {leaf(tx, chunk_table)} ENABLE TRIGGER USER".encode()
        )
    edit(tx, "a", "v1", "edited")
    tx.execute("DELETE FROM docs WHERE model_version = 'v2' AND content = 'b'")
    assert work_off(tx, "v1", "v2") == 1
    assert list(same(tx).values()) == [("edited", {})]


def test_deletes_are_forgotten_once_they_can_hold_nothing_back(db, connect):
    pair(db, until="active", words="abc")
    count = "SELECT count(*) FROM pgvec.tombstone"
    db.execute("DELETE FROM docs WHERE content = 'a'")
    assert one(db, count) == 1
    assert one(db, "SELECT pgvec.prune_tombstones('docs')") == 0
    older = connect(autocommit=False)
    older.execute("SELECT pg_current_xact_id()")
    db.execute("DELETE FROM docs WHERE content = 'b'")
    put(db, "d", "v2")
    db.execute("DELETE FROM docs WHERE content = 'd'")
    # What is old, what a transaction beside it may still undo, what a work item is open for.
    assert one(db, "SELECT pgvec.prune_tombstones('docs', '0')") == 1
    older.rollback()
    assert one(db, "SELECT pgvec.prune_tombstones('docs', '0')") == 1
    assert work_off(db, "v1") == 1
    assert one(db, "SELECT pgvec.prune_tombstones('docs', '1 day')") == 0
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    db.execute("CALL pgvec.retire_due()")
    assert one(db, count) == 0


# --- Deletes against the backfill ---


def backfill_ready(db):
    live_collection(db, count=0)
    put(db, "a")
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    assert one(db, "SELECT pgvec.plan_backfill('docs', 'v2')") == 1
    mine = claim(db, ["v2"])
    return mine, read(db, mine)


def test_a_chunk_deleted_before_the_backfill_writes_it_does_not_come_back(db, connect):
    mine, made = backfill_ready(db)
    deleter, worker = connect(autocommit=False), connect()
    deleter.execute("DELETE FROM docs")
    with in_background(complete, worker, mine, made) as completed:
        wait_until_blocked(db, worker)
        deleter.commit()
        assert completed.result() == Done(completed=1)
    assert same(db) == {}


def test_a_chunk_deleted_while_the_backfill_writes_it_is_deleted_there_too(db, connect):
    mine, made = backfill_ready(db)
    deleter, worker = connect(), connect()
    worker.execute("BEGIN")
    assert complete(worker, mine, made) == Done(completed=1, written=1)
    with in_background(rows, deleter, "DELETE FROM docs RETURNING 1") as deleted:
        wait_until_blocked(db, deleter)
        worker.execute("COMMIT")
        assert deleted.result() == [(1,)]
    assert same(db) == {}


def test_an_edit_while_the_backfill_writes_is_the_later_one(db, connect):
    mine, made = backfill_ready(db)
    editor, worker = connect(), connect()
    worker.execute("BEGIN")
    assert complete(worker, mine, made) == Done(completed=1, written=1)
    with in_background(
        rows, editor, "UPDATE docs SET metadata = '{\"k\": 1}' RETURNING 1"
    ) as edited:
        wait_until_blocked(db, editor)
        worker.execute("COMMIT")
        edited.result()
    work_off(db, "v2")
    assert list(same(db).values()) == [("a", {"k": 1})]


# --- Workers that come late ---


def test_a_worker_whose_lease_ran_out_changes_nothing(db):
    mine, made = backfill_ready(db)
    db.execute("UPDATE pgvec.work_item SET leased_until = clock_timestamp()")
    with unchanged(db):
        assert complete(db, mine, made) == Done(fenced=1)
    holds(db, "v2", {})
    again = claim(db, ["v2"])
    with unchanged(db):
        assert complete(db, mine, made) == Done(fenced=1)
    assert complete(db, again, read(db, again)) == Done(completed=1, written=1)
    with unchanged(db):
        assert complete(db, mine, made) == Done(fenced=1)
    same(db, {"a": "a"})


def test_a_worker_who_made_a_vector_of_an_older_text_does_not_write_it(db):
    live_collection(db, count=0)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    put(db, "a")
    mine = claim(db, ["v2"])
    made = read(db, mine)
    edit(db, "a", "v1", "newer")
    with unchanged(db):
        assert complete(db, mine, made) == Done(fenced=1)
    holds(db, "v2", {})
    assert work_off(db, "v2") == 1
    same(db, ["newer"])


def test_a_worker_does_not_write_over_what_came_later_through_the_other_version(db):
    pair(db)
    edit(db, "a", "v1", "earlier")
    mine = claim(db, ["v2"])
    made = read(db, mine)
    edit(db, "a", "v2", "later")
    assert complete(db, mine, made) == Done(completed=1)
    work_off(db, "v1", "v2")
    same(db, ["later", "b"])


def test_an_item_whose_text_changed_behind_our_back_stays_open(db):
    mine, made = backfill_ready(db)
    put(db, "b")
    edit(db, "a", "v1", "newer")
    db.execute(
        "UPDATE pgvec.work_item SET revision = %s, lease = %s, leased_until = 'infinity'"
        " WHERE item_id = %s",
        (mine.revisions[0], mine.lease, mine.items[0]),
    )
    assert complete(db, mine, made) == Done()
    holds(db, "v2", {})
    assert sorted(items(db)) == [("v1", "v2", "a"), ("v1", "v2", "b")]
    assert work_off(db, "v2") == 2
    same(db, {"a": "newer", "b": "b"})


def test_vectors_for_chunks_outside_the_claim_are_not_written(db):
    mine, made = backfill_ready(db)
    put(db, "b")
    text = "b"
    foreign = [(made[0][0], md5(text.encode()).hexdigest(), text, sha256(text.encode()).digest())]
    assert complete(db, mine, foreign) == Done()
    holds(db, "v2", {})
    assert sorted(items(db)) == [("v1", "v2", "a"), ("v1", "v2", "b")]


# --- While an index is built ---


def test_no_writer_waits_for_a_build_and_nothing_is_forgotten(db, connect):
    pair(db, words="abc")
    builder = connect(autocommit=False)
    builder.execute(BUILD_LOCK.format(leaf(db, "v2")).encode())
    db.execute("SET lock_timeout = '5 s'")
    db.execute("DELETE FROM docs WHERE model_version = 'v1' AND content = 'a'")
    db.execute(
        "UPDATE docs SET metadata = '{\"k\": 1}' WHERE model_version = 'v1' AND content = 'b'"
    )
    edit(db, "c", "v1", "changed")
    put(db, "d", "v1")
    assert sorted(items(db)) == [("v1", "v2", word) for word in "abcd"]
    holds(db, "v2", {"a": "a", "b": "b", "c": "c"})
    assert claim(db, ["v2"]) is None
    builder.rollback()
    assert work_off(db, "v2") == 4
    assert sorted(same(db).values(), key=str) == [("b", {"k": 1}), ("changed", {}), ("d", {})]


@pytest.mark.parametrize("order", [("v1", "v2"), ("v2", "v1")])
def test_a_delete_that_was_put_off_spares_what_was_written_later(db, connect, order):
    pair(db)
    builder = connect(autocommit=False)
    builder.execute(BUILD_LOCK.format(leaf(db, "v2")).encode())
    db.execute(f"DELETE FROM docs WHERE {ONE_ID} AND model_version = 'v1'".encode())
    builder.rollback()
    edit(db, "a", "v2", "later")
    for version in order:
        work_off(db, version)
    same(db, ["later", "b"])


def test_a_build_waits_for_the_writers_that_are_under_way(db, connect):
    pair(db, until="building")
    writer, builder = connect(autocommit=False), connect()
    writer.execute("UPDATE docs SET position = 1 WHERE model_version = 'v1'")
    with in_background(rows, builder, "SELECT pgvec.build_index('docs', 'v2')") as built:
        wait_until_blocked(db, builder)
        writer.commit()
        assert built.result() == [(True,)]
    same(db)


def test_a_worker_gives_way_to_a_build(db, connect):
    mine, made = backfill_ready(db)
    builder = connect(autocommit=False)
    builder.execute(BUILD_LOCK.format(leaf(db, "v2")).encode())
    with pytest.raises(psycopg.Error) as caught:
        complete(db, mine, made)
    told(caught.value, "PV009")
    builder.rollback()
    assert complete(db, mine, made) == Done(completed=1, written=1)


def test_only_one_session_builds_an_index(db, connect):
    second_version(db, until="building")
    builder = connect(autocommit=False)
    builder.execute("SELECT pgvec.build_index('docs', 'v2')")
    assert refused(db, "PV009", "SELECT pgvec.build_index('docs', 'v2')").hint
    builder.commit()
    assert one(db, "SELECT pgvec.build_index('docs', 'v2')") is False


# --- Writers with an old snapshot ---


def old_snapshot(connect, isolation="REPEATABLE READ"):
    connection = connect()
    connection.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    connection.execute("SELECT count(*) FROM pgvec.model_version")
    return connection


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_writer_who_cannot_see_the_new_version_is_told_to_run_again(db, connect, isolation):
    live_collection(db, count=0)
    writer = old_snapshot(connect, isolation)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    with pytest.raises(psycopg.errors.SerializationFailure):
        put(writer, "a")
    writer.execute("ROLLBACK")
    writer.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    put(writer, "a")
    writer.execute("COMMIT")
    assert items(db) == [("v1", "v2", "a")]


def test_a_delete_with_an_old_snapshot_brings_no_chunk_back(db, connect):
    mine, made = backfill_ready(db)
    deleter = old_snapshot(connect)
    assert complete(db, mine, made) == Done(completed=1, written=1)
    deleter.execute("DELETE FROM docs WHERE model_version = 'v1'")
    deleter.execute("COMMIT")
    work_off(db, "v2")
    assert same(db) == {}


def test_an_edit_with_an_old_snapshot_is_carried(db, connect):
    mine, made = backfill_ready(db)
    editor = old_snapshot(connect)
    complete(db, mine, made)
    editor.execute("UPDATE docs SET metadata = '{\"k\": 1}' WHERE model_version = 'v1'")
    edit(editor, "a", "v1", "newer")
    editor.execute("COMMIT")
    work_off(db, "v2")
    assert list(same(db).values()) == [("newer", {"k": 1})]
