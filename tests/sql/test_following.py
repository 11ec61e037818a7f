"""Every live version follows every write, however and through whichever version it comes."""

from __future__ import annotations

import pytest

from tests.end_states import holds, same
from tests.sql.helpers import (
    chunks,
    edit,
    items,
    leaf,
    one,
    pair,
    put,
    refused,
    rows,
    vector,
    work_off,
)
from tests.tools import abandon_keeping_leaf, copy_version, live_collection, make_active

ONE_ID = "chunk_id = md5('a')::uuid"


WAYS = [
    ("v1", "v2", "building"),
    ("v1", "v2", "ready"),
    ("v1", "v2", "active"),
    ("v2", "v1", "building"),
    ("v2", "v1", "ready"),
    ("v2", "v1", "active"),
]


# --- What is carried ---


@pytest.mark.parametrize(("written", "other", "until"), WAYS)
def test_new_and_changed_content_becomes_work(tx, written, other, until):
    pair(tx, until=until)
    put(tx, "c", written)
    assert items(tx) == [(written, other, "c")]
    edit(tx, "a", written, "another text")
    assert items(tx) == [(written, other, "c"), (written, other, "a")]
    assert work_off(tx, "v1", "v2") == 2
    same(tx, ["another text", "b", "c"])
    assert one(
        tx,
        f"SELECT embedding::text = %s::vector::text FROM docs"
        f" WHERE {ONE_ID} AND model_version = '{other}'",
        vector("another text", other),
    )


@pytest.mark.parametrize(("written", "other", "until"), WAYS)
def test_metadata_and_deletes_are_carried_at_once(tx, written, other, until):
    pair(tx, until=until)
    tx.execute(
        f"UPDATE docs SET metadata = '{{\"k\": 1}}', document_id = 'd', position = 3"
        f" WHERE {ONE_ID} AND model_version = '{written}'".encode()
    )
    tx.execute(
        f"DELETE FROM docs WHERE chunk_id = md5('b')::uuid AND model_version = '{written}'".encode()
    )
    assert list(same(tx).values()) == [("a", {"k": 1})]
    assert rows(
        tx, "SELECT DISTINCT document_id, position, written_at = max(written_at) OVER ()  FROM docs"
    ) == [("d", 3, True)]


def test_columns_that_the_host_added_are_carried_too(tx):
    pair(tx)
    tx.execute(
        "ALTER TABLE docs ADD COLUMN \"Sprache\" text DEFAULT 'en', ADD COLUMN hits point,"
        " ADD COLUMN size int GENERATED ALWAYS AS (length(content)) STORED"
    )
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute(
        f"UPDATE docs SET \"Sprache\" = 'de', hits = '(1,2)'"
        f" WHERE model_version = 'v1' AND {ONE_ID}".encode()
    )
    put(tx, "c")
    tx.execute("UPDATE docs SET \"Sprache\" = 'fr' WHERE content = 'c'")
    work_off(tx, "v2")
    assert rows(
        tx,
        'SELECT content, "Sprache", hits::text, size FROM docs'
        " WHERE model_version = 'v2' ORDER BY 1",
    ) == [("a", "de", "(1,2)", 1), ("b", "en", None, 1), ("c", "fr", None, 1)]


def test_every_live_version_follows(tx):
    pair(tx, until="active")
    tx.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    put(tx, "c", "v2")
    assert sorted(items(tx)) == [("v2", "v1", "c"), ("v2", "v3", "c")]
    tx.execute("DELETE FROM docs WHERE content = 'c'")
    assert work_off(tx, "v1", "v3") == 2
    same(tx, ["a", "b"], versions=("v1", "v2"))
    holds(tx, "v3", {})


def test_copy_is_a_write_like_any_other(tx):
    pair(tx)
    with tx.cursor().copy("COPY docs (model_version, content, embedding) FROM STDIN") as copy:
        for text in ("x", "y"):
            copy.write_row(("v1", text, vector(text, "v1")))
    assert len(items(tx)) == 2
    work_off(tx, "v2")
    same(tx, ["a", "b", "x", "y"])


def test_an_upsert_is_carried_whichever_way_it_goes(tx):
    pair(tx)
    upsert = (
        "INSERT INTO docs (chunk_id, model_version, content, embedding)"
        " VALUES (md5(%s)::uuid, 'v1', %s, %s) ON CONFLICT (chunk_id, model_version)"
        " DO UPDATE SET content = excluded.content, embedding = excluded.embedding"
    )
    for word, text in (("a", "new text"), ("c", "c")):
        tx.execute(upsert, (word, text, vector(text, "v1")))
    assert sorted(items(tx)) == [("v1", "v2", "a"), ("v1", "v2", "c")]
    work_off(tx, "v2")
    same(tx, ["new text", "b", "c"])
    refused(
        tx,
        "PV021",
        upsert.replace(", embedding = excluded.embedding", "") + " RETURNING 1",
        "a",
        "stale",
        vector("stale", "v1"),
    )


def test_a_changed_id_moves_in_every_version(tx):
    pair(tx)
    tx.execute(
        f"UPDATE docs SET chunk_id = md5('c')::uuid"
        f" WHERE {ONE_ID} AND model_version = 'v1'".encode()
    )
    assert items(tx) == [("v1", "v2", "c")]
    work_off(tx, "v2")
    same(tx, ["a", "b"])


def test_one_statement_over_all_versions_carries_nothing_twice(tx):
    pair(tx)
    tx.execute("UPDATE docs SET metadata = metadata || '{\"seen\": true}'")
    assert {str(metadata) for _, metadata in same(tx).values()} == {"{'seen': True}"}
    tx.execute("DELETE FROM docs")
    assert same(tx) == {}


# --- A fill by hand ---


def test_a_fill_by_hand_does_not_echo(tx):
    pair(tx, until="building", words="abc")
    assert items(tx) == []
    same(tx, {"a": "a", "b": "b", "c": "c"})


def test_a_fill_of_only_text_and_vector_harms_no_metadata(tx):
    live_collection(tx, count=0)
    put(tx, "a", metadata='{"k": 1}')
    tx.execute("UPDATE docs SET document_id = 'd'")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    put(tx, "a", "v2")
    assert list(same(tx).values()) == [("a", {"k": 1})]
    assert rows(tx, "SELECT DISTINCT document_id FROM docs") == [("d",)]


@pytest.mark.parametrize(
    "change",
    ["content = 'edited', embedding = '[1,1,1,1,1,1,1,1]'", "metadata = '{\"edited\": 1}'"],
)
def test_an_edit_that_commits_while_others_fill_by_hand_is_not_lost(db, connect, change):
    live_collection(db, count=0)
    put(db, "a")
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    editor = connect(autocommit=False)
    editor.execute(f"UPDATE docs SET {change}".encode())
    copy_version(db, "docs", "v1", "v2")
    editor.commit()
    assert work_off(db, "v1", "v2") == 1
    assert "edited" in str(same(db))


def test_a_fill_of_a_text_that_was_edited_meanwhile_does_not_win(db, connect):
    live_collection(db, count=0)
    put(db, "a")
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    reader = connect(autocommit=False)
    content = one(reader, "SELECT content FROM docs")
    edit(db, "a", "v1", "edited")
    db.execute("DELETE FROM pgvec.work_item")
    put(reader, "a", "v2", content)
    reader.commit()
    assert work_off(db, "v1", "v2") == 1
    assert list(same(db).values()) == [("edited", {})]


@pytest.mark.parametrize("with_age", [True, False])
def test_a_fill_of_a_chunk_that_was_deleted_meanwhile_does_not_bring_it_back(db, connect, with_age):
    live_collection(db, count=0)
    put(db, "a")
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    reader = connect(autocommit=False)
    age = one(reader, "SELECT written_at FROM docs")
    if with_age:
        reader.commit()
    db.execute("DELETE FROM docs")
    reader.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, written_at)"
        " VALUES (md5('a')::uuid, 'v2', 'a', %s, coalesce(%s, clock_timestamp()))",
        (vector("a", "v2"), age if with_age else None),
    )
    reader.commit()
    work_off(db, "v1", "v2")
    assert same(db) == {}


# --- What is refused ---


def test_content_without_a_new_vector_is_never_silent(tx):
    pair(tx)
    stale = f"UPDATE docs SET content = 'x' WHERE {ONE_ID} AND model_version = 'v1' RETURNING 1"
    refusal = refused(tx, "PV021", stale)
    assert refusal.detail["model_version"] == "v1"
    with tx.transaction():
        tx.execute(refusal.hint.split(": ")[1].split(";")[0].encode())
        tx.execute(stale.encode())
    assert items(tx) == [("v1", "v2", "a")]


def test_a_version_is_never_changed_on_a_row(tx):
    pair(tx)
    refusal = refused(tx, "PV022", "UPDATE docs SET model_version = 'v2' RETURNING 1")
    assert (refusal.detail["model_version"], refusal.detail["given"]) == ("v1", "v2")
    table = leaf(tx, "v1")
    refused(tx, "PV022", f"UPDATE {table} SET model_version = 'v2' RETURNING 1")


def test_an_abandoned_version_takes_no_rows_and_hurts_nobody_when_emptied(tx):
    pair(tx, until="building")
    abandon_keeping_leaf(tx, "docs", "v2")
    before = chunks(tx, "v1")
    insert = (
        "INSERT INTO docs (model_version, content, embedding) VALUES ('v2', 'x', %s) RETURNING 1"
    )
    assert refused(tx, "PV023", insert, vector("x", "v2")).detail["model_version"] == "v2"
    put(tx, "c", "v1")
    assert items(tx) == []
    tx.execute("DELETE FROM docs WHERE model_version = 'v2'")
    assert chunks(tx, "v1").items() >= before.items()


@pytest.mark.parametrize("label", ["v9", "V1", ""])
def test_a_row_of_an_unknown_version_has_nowhere_to_go(tx, label):
    live_collection(tx, count=0)
    refused(
        tx,
        "23514",
        "INSERT INTO docs (model_version, content, embedding)"
        " VALUES (%s, 'x', '[1,1,1,1,1,1,1,1]') RETURNING 1",
        label,
    )


def test_vectors_of_another_dimension_or_without_direction_are_refused(tx):
    live_collection(tx, count=0)
    insert = (
        "INSERT INTO docs (model_version, content, embedding) VALUES ('v1', 'x', %s) RETURNING 1"
    )
    refused(tx, "23514", insert, "[1,2,3]")
    refused(tx, "23514", insert, "[0,0,0,0,0,0,0,0]")


# --- Draining without following ---


def test_a_draining_version_follows_unless_the_collection_says_no(tx):
    live_collection(tx, count=3, follow_while_draining=False)
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(tx, "docs", "v1", "v2")
    make_active(tx, "docs", "v2")
    assert one(tx, "SELECT follows FROM pgvec.model_version WHERE model_version = 'v1'") is False
    put(tx, "a", "v2")
    tx.execute("DELETE FROM docs WHERE model_version = 'v2' AND content = 'text 1'")
    assert items(tx) == []
    # A delete is carried all the same: nobody may bring the chunk back.
    assert one(tx, "SELECT count(*) FROM docs WHERE model_version = 'v1'") == 2
    put(tx, "b", "v1")
    assert items(tx) == [("v1", "v2", "b")]
