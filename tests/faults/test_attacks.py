"""Two and three sessions against the one rule: the later write wins, whole; a delete is one.

Each test is an order of events that once left two versions holding different chunks for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from tests.end_states import idle, same
from tests.faults.looks import wait_until
from tests.sql.helpers import (
    Claim,
    chunks,
    claim,
    complete,
    edit,
    in_background,
    one,
    put,
    read,
    rows,
    vector,
    wait_until_blocked,
    work_off,
)
from tests.tools import Connect, live_collection

Connection = psycopg.Connection[Any]


def versions(db: Connection, *states: str, words: str = "", **options: Any) -> None:
    """Versions v1, v2 … brought to the given states one after the other; words are chunks."""
    live_collection(db, count=0, **options)
    for word in words:
        put(db, word)
    for number, state in enumerate(states[1:], 2):
        label = f"v{number}"
        db.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
        if state == "building":
            continue
        db.execute("SELECT pgvec.plan_backfill('docs', %s)", (label,))
        work_off(db, label)
        db.execute("SELECT pgvec.build_index('docs', %s)", (label,))
        db.execute("SELECT pgvec.make_ready('docs', %s)", (label,))
        if state == "active":
            db.execute("SELECT pgvec.cut_over('docs', %s)", (label,))


def repeatable_read(connect: Connect) -> Connection:
    """A session whose transactions keep the snapshot that they begin with."""
    session = connect()
    session.isolation_level = IsolationLevel.REPEATABLE_READ
    session.execute("SET default_transaction_isolation = 'repeatable read'")
    return session


def delete(db: Connection, word: str, version: str) -> None:
    db.execute(
        "DELETE FROM docs WHERE model_version = %s AND chunk_id = md5(%s)::uuid", (version, word)
    )


def put_at(db: Connection, word: str, version: str, text: str, written_at: str) -> None:
    """Inserts a chunk as old as the given SQL expression says."""
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, written_at)"
        f" VALUES (md5(%s)::uuid, %s, %s, %s, {written_at})".encode(),
        (word, version, text, vector(text, version)),
    )


def copy_by_hand(db: Connection, word: str, source: str, target: str, text: str) -> None:
    """Copies one chunk with all its columns, as old as it is, and the target's own vector."""
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, document_id, position, content, metadata,"
        " embedding, written_at) SELECT chunk_id, %s, document_id, position, content, metadata,"
        " %s, written_at FROM docs WHERE model_version = %s AND chunk_id = md5(%s)::uuid",
        (target, vector(text, target), source, word),
    )


def is_blocked(observer: Connection, session: Connection) -> bool:
    return one(observer, "SELECT cardinality(pg_blocking_pids(%s)) > 0", session.info.backend_pid)


@contextmanager
def completing(db: Connection, mine: Claim) -> Iterator[None]:
    """A worker's write, not committed before the block ends."""
    made = read(db, mine)
    with db.transaction():
        db.execute(
            "CREATE TEMPORARY TABLE pgvec_made (item_ids bigint[], chunk_id uuid,"
            " content_hash bytea, embedding vector) ON COMMIT DROP"
        )
        for item_ids, chunk_id, content, digest in made:
            db.execute(
                "INSERT INTO pg_temp.pgvec_made VALUES (%s, %s, %s, %s)",
                (item_ids, chunk_id, digest, vector(content, mine.target)),
            )
        db.execute(
            "SELECT * FROM pgvec.complete_work('docs', %s, %s, %s, %s, %s)",
            (mine.source, mine.target, mine.items, mine.revisions, mine.lease),
        )
        yield


def work_for_a_moment(db: Connection, label: str) -> None:
    """A worker that works what it can, and gives the rest back when it meets a lock."""
    db.execute("SET lock_timeout = '300ms'")
    mine = claim(db, [label], 10)
    assert mine is not None
    try:
        complete(db, mine, read(db, mine))
    except psycopg.errors.LockNotAvailable:
        one(db, "SELECT pgvec.release_work(%s)", mine.lease)


def agree(db: Connection, *labels: str) -> dict[str, Any]:
    """Works everything off; then all the versions hold the same, with their own vectors."""
    work_off(db, *labels)
    idle(db)
    held = same(db, versions=labels)
    for label, content, right in rows(db, "SELECT model_version, content, embedding FROM docs"):
        assert right == one(db, "SELECT %s::vector::text", vector(content, label))
    return dict(held.values())


def test_a_delete_is_remembered_as_long_as_a_version_that_stopped_following_stands(
    connect: Connect,
) -> None:
    db, old = connect(), repeatable_read(connect)
    versions(db, "draining", "active", words="ab", follow_while_draining=False)
    # A snapshot may not reach into other versions; v1 does not follow, so no work item says it.
    delete(old, "a", "v2")
    one(db, "SELECT pgvec.prune_tombstones('docs', interval '0')")
    one(db, "SELECT pgvec.plan_backfill('docs', 'v1')")
    assert agree(db, "v1", "v2").keys() == {"b"}


def test_a_delete_skipped_by_a_version_that_stopped_following_is_remembered(
    connect: Connect,
) -> None:
    db, holder = connect(), connect()
    versions(db, "draining", "active", words="ab", follow_while_draining=False)
    with holder.transaction():
        holder.execute("SELECT FROM docs WHERE model_version = 'v1' FOR UPDATE")
        delete(db, "a", "v2")
    one(db, "SELECT pgvec.prune_tombstones('docs', interval '0')")
    one(db, "SELECT pgvec.plan_backfill('docs', 'v1')")
    assert agree(db, "v1", "v2").keys() == {"b"}


def test_a_chunk_renamed_to_a_deleted_id_is_put_again(connect: Connect) -> None:
    db = connect()
    versions(db, "active", "ready", words="b")
    put_at(db, "a", "v1", "a", "clock_timestamp() + interval '1 hour'")
    work_off(db, "v2")
    delete(db, "a", "v1")
    db.execute(
        "UPDATE docs SET chunk_id = md5('a')::uuid WHERE content = 'b' AND model_version = 'v1'"
    )
    assert agree(db, "v1", "v2").keys() == {"b"}
    assert len(chunks(db, "v1")) == 1


def test_a_chunk_renamed_while_its_new_id_is_deleted_is_put_again(connect: Connect) -> None:
    db, deleter, holder, renamer = connect(), connect(), connect(), connect()
    versions(db, "active", "ready", words="abz")
    rename = (
        "UPDATE docs SET chunk_id = md5('a')::uuid"
        " WHERE model_version = 'v1' AND chunk_id = md5('b')::uuid"
    )
    with holder.transaction():
        holder.execute("SELECT FROM docs WHERE model_version = 'v1' AND content = 'z' FOR UPDATE")
        with in_background(
            deleter.execute, "DELETE FROM docs WHERE model_version = 'v1' AND content <> 'b'"
        ):
            wait_until_blocked(db, deleter)
            with in_background(renamer.execute, rename):
                wait_until_blocked(db, renamer)
                holder.execute("ROLLBACK")
    assert agree(db, "v1", "v2").keys() == {"b"}


def test_an_insert_with_an_old_snapshot_that_waited_for_a_delete_goes_again(
    connect: Connect,
) -> None:
    db, deleter, holder = connect(), connect(), connect()
    writer = repeatable_read(connect)
    versions(db, "active", "ready", words="az")
    holder.execute("BEGIN")
    holder.execute("SELECT FROM docs WHERE model_version = 'v1' AND content = 'z' FOR UPDATE")
    with in_background(deleter.execute, "DELETE FROM docs WHERE model_version = 'v1'"):
        wait_until_blocked(db, deleter)
        with in_background(put, writer, "a", "v1") as written:
            wait_until_blocked(db, writer)
            holder.execute("ROLLBACK")
            with pytest.raises(SerializationFailure):
                written.result()
    assert agree(db, "v1", "v2") == {}
    put(writer, "a", "v1")
    assert agree(db, "v1", "v2").keys() == {"a"}


def two_before_the_first_cut_over(db: Connection) -> None:
    """v1 holds a and b, v2 was registered later and holds b; nothing is active, nothing waits."""
    db.execute("SELECT pgvec.create_collection('docs')")
    db.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    put(db, "a")
    put(db, "b")
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_by_hand(db, "b", "v1", "v2", "b")
    assert rows(db, "SELECT * FROM pgvec.work_item") == []


def test_a_copy_of_a_chunk_that_is_being_deleted_goes_too(connect: Connect) -> None:
    db, filler = connect(), connect()
    two_before_the_first_cut_over(db)
    with db.transaction():
        delete(db, "a", "v1")
        copy_by_hand(filler, "a", "v1", "v2", "a")
    assert agree(db, "v1", "v2").keys() == {"b"}


def test_a_copy_not_yet_committed_of_a_chunk_that_is_deleted_goes_too(connect: Connect) -> None:
    db, filler, deleter = connect(), connect(), connect()
    two_before_the_first_cut_over(db)
    filler.execute("BEGIN")
    copy_by_hand(filler, "a", "v1", "v2", "a")
    with in_background(delete, deleter, "a", "v1") as deleted:
        # It waits for the copy, or does not see it and leaves word.
        wait_until(lambda: deleted.done() or is_blocked(db, deleter))
        filler.execute("COMMIT")
    assert agree(db, "v1", "v2").keys() == {"b"}


def test_what_is_put_again_with_an_old_stamp_survives_everywhere(connect: Connect) -> None:
    db, old = connect(), repeatable_read(connect)
    versions(db, "draining", "draining", "active", words="a")
    db.execute("UPDATE docs SET metadata = '{}' WHERE model_version = 'v3'")
    read_at = one(db, "SELECT clock_timestamp()")
    delete(old, "a", "v3")
    # v1's row is gone, v2's not yet; and now the chunk is put again, with the time it was read at.
    work_off(db, "v1")
    put_at(db, "a", "v1", "a", f"'{read_at.isoformat()}'")
    assert agree(db, "v1", "v2", "v3").keys() == {"a"}


def test_a_delete_outlives_a_worker_that_had_read_another_version(connect: Connect) -> None:
    db, slow, quick = connect(), connect(), connect()
    versions(db, "draining", "active", "building", words="a")
    one(db, "SELECT pgvec.plan_backfill('docs', 'v3')")
    mine = claim(slow, ["v3"])
    assert mine is not None
    assert mine.source == "v2"
    with completing(slow, mine):
        delete(db, "a", "v1")
        # The delete's item for v3 is taken before the row is there that it is for.
        work_for_a_moment(quick, "v3")
    assert agree(db, "v1", "v2", "v3") == {}


def test_a_delete_outlives_a_fill_by_hand_from_another_version(connect: Connect) -> None:
    db, filler, quick = connect(), connect(), connect()
    versions(db, "draining", "active", "building", words="a")
    with filler.transaction():
        copy_by_hand(filler, "a", "v2", "v3", "a")
        delete(db, "a", "v1")
        work_for_a_moment(quick, "v3")
    assert agree(db, "v1", "v2", "v3") == {}


def test_a_fill_by_hand_copies_nothing_whose_delete_is_on_its_way(connect: Connect) -> None:
    db, old = connect(), repeatable_read(connect)
    versions(db, "draining", "active", "building", words="a")
    delete(old, "a", "v1")
    work_off(db, "v3")
    copy_by_hand(db, "a", "v2", "v3", "a")
    assert agree(db, "v1", "v2", "v3") == {}


def test_a_writer_with_an_old_snapshot_may_go_again_after_a_retirement(connect: Connect) -> None:
    db, old = connect(), connect()
    versions(db, "draining", "active", words="a")
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    one(old, "SELECT count(*) FROM pgvec.model_version")
    db.execute(
        "UPDATE pgvec.model_version SET retire_at = clock_timestamp() WHERE state = 'draining'"
    )
    assert one(db, "SELECT pgvec.retire_version('docs', 'v1')") == "retired"
    with pytest.raises(psycopg.errors.SerializationFailure):
        put(old, "b", "v2")


def test_an_edit_does_not_wait_for_a_fill_by_hand_of_an_older_text(connect: Connect) -> None:
    db, filler, writer = connect(), connect(), connect()
    versions(db, "active", "building", words="a")
    edit(db, "a", "v1", "another")
    writer.execute("SET lock_timeout = '2s'")
    with filler.transaction():
        put(filler, "a", "v2", "a")
        edit(writer, "a", "v1", "a third")
    assert agree(db, "v1", "v2").keys() == {"a third"}


def test_an_infinite_stamp_is_refused(connect: Connect) -> None:
    db = connect()
    versions(db, "active", "ready")
    try:
        put_at(db, "a", "v1", "a", "'infinity'")
    except psycopg.errors.CheckViolation:
        return
    work_off(db, "v2")
    db.execute("UPDATE docs SET metadata = '{\"n\": 1}' WHERE model_version = 'v1'")
    assert agree(db, "v1", "v2") == {"a": {"n": 1}}


def test_a_chunk_replaced_in_one_statement_stays(connect: Connect) -> None:
    db = connect()
    versions(db, "active", "ready", words="a")
    db.execute(
        "WITH gone AS (DELETE FROM docs WHERE model_version = 'v1' RETURNING *)"
        " INSERT INTO docs (chunk_id, model_version, content, metadata, embedding)"
        " SELECT chunk_id, model_version, 'two', metadata, %s FROM gone",
        (vector("two", "v1"),),
    )
    assert agree(db, "v1", "v2").keys() == {"two"}


def test_merge_that_deletes_edits_and_inserts_converges(connect: Connect) -> None:
    db = connect()
    versions(db, "draining", "active", "ready", words="abc")
    db.execute(
        "MERGE INTO docs d USING (VALUES ('a', 'v1', 'x'), ('b', 'v1', 'two'), ('c', 'v3', 'x'),"
        " ('d', 'v1', 'd'), ('a', 'v2', 'new')) s(word, version, content)"
        " ON d.chunk_id = md5(s.word)::uuid AND d.model_version = s.version"
        " WHEN MATCHED AND s.content = 'x' THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET content = s.content, embedding ="
        "   CASE s.content WHEN 'two' THEN %(v1two)s ELSE %(v2new)s END::vector"
        " WHEN NOT MATCHED THEN INSERT (chunk_id, model_version, content, embedding)"
        "   VALUES (md5(s.word)::uuid, s.version, s.content, %(v1d)s::vector)",
        {"v1two": vector("two", "v1"), "v2new": vector("new", "v2"), "v1d": vector("d", "v1")},
    )
    agree(db, "v1", "v2", "v3")
