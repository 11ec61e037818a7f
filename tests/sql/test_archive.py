"""A version that is kept instead of dropped, and comes back while its record says so."""

from __future__ import annotations

from itertools import product

import pytest

from tests.end_states import gone, holds, same
from tests.faults.looks import assert_catalog_agrees
from tests.sql.helpers import one, put, refused, rows, state, work_off, world
from tests.sql.test_retirement import FILLED, RETIRE, due, refusals
from tests.tools import copy_version, make_active

RESTORE = "SELECT pgvec.restore_version('docs', 'v1') > now()"
VECTOR = "[1,1,1,1,1,1,1,1]"


def archived(db):
    """v2 active, v1 retired and kept in pgvec_archive."""
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'archive')")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_an_archived_version_is_out_of_the_way_and_whole(db):
    due(db)
    role = one(db, "SELECT 'reader_' || current_database()")
    db.execute(f"CREATE ROLE {role}".encode())
    try:
        db.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
        before = rows(db, "SELECT * FROM docs_at_v1 ORDER BY chunk_id")
        db.execute("SELECT pgvec.set_retirement('docs', 'archive')")
        db.execute(RETIRE.encode())
        gone(db, "v1")
        assert rows(db, "SELECT * FROM pgvec_archive.docs__v1 ORDER BY chunk_id") == before
        assert not one(
            db,
            "SELECT bool_or(indexdef ~ 'hnsw') FROM pg_indexes WHERE schemaname = 'pgvec_archive'",
        )
        assert (
            one(db, "SELECT has_table_privilege(%s, 'pgvec_archive.docs__v1', 'SELECT')", role)
            is False
        )
        same(db, FILLED)
        refused(db, "PV013", f"SELECT * FROM pgvec.nearest('docs', '{VECTOR}', 'v1')")
        ((kind, location, kept),) = rows(db, "SELECT kind, location, bytes > 0 FROM pgvec.archive")
        assert (kind, location, kept) == ("table", "pgvec_archive.docs__v1", True)
    finally:
        db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_a_restored_version_answers_as_it_was_and_drains_again(db):
    archived(db)
    put(db, "a", "v2")
    assert one(db, RESTORE) is True
    assert_catalog_agrees(db)
    assert state(db, "v1") == "draining"
    assert one(db, "SELECT count(*) FROM docs_at_v1") == 20
    holds(db, "v1", FILLED)
    db.execute("SELECT pgvec.build_index('docs', 'v1')")
    assert len(rows(db, f"SELECT * FROM pgvec.nearest('docs', '{VECTOR}', 'v1')")) == 10
    assert rows(db, "SELECT 1 FROM pgvec.archive") == []
    event = "SELECT verb, from_state, to_state FROM pgvec.version_event WHERE verb = 'restore'"
    assert rows(db, event) == [("restore", "retired", "draining")]

    refusal = refused(db, "PV006", "SELECT pgvec.roll_back('docs')")
    assert "stopped_following" in refusal.detail["problems"]
    db.execute("SELECT pgvec.plan_backfill('docs', 'v1')")
    work_off(db, "v1")
    assert one(db, "SELECT pgvec.roll_back('docs')") == "v1"
    same(db, [*FILLED, "a"])


def test_a_restored_version_goes_again_when_it_is_due(db):
    archived(db)
    db.execute(RESTORE.encode())
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE model_version = 'v1'")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    assert rows(db, "SELECT count(*) FROM pgvec_archive.docs__v1") == [(20,)]
    assert_catalog_agrees(db)


def test_a_plain_roll_back_goes_to_the_version_that_was_active_last(db):
    archived(db)
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    copy_version(db, "docs", "v2", "v3")
    make_active(db, "docs", "v3")
    db.execute(RESTORE.encode())
    assert one(db, "SELECT pgvec.roll_back('docs')") == "v2"


def test_what_was_dropped_does_not_come_back(db):
    due(db)
    db.execute(RETIRE.encode())
    before = world(db)
    refusal = refused(db, "PV040", RESTORE)
    assert "new label" in refusal.hint
    refused(db, "PV005", "SELECT pgvec.restore_version('docs', 'v2')")
    refused(db, "PV040", "SELECT pgvec.open_archive('docs', 'v1')")
    refused(db, "PV040", "SELECT pgvec.drop_archive('docs', 'v1')")
    assert world(db) == before


def test_an_abandoned_version_is_never_kept(db):
    archived(db)
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    db.execute("SELECT pgvec.abandon('docs', 'v3')")
    db.execute(RETIRE.encode())
    assert rows(db, "SELECT model_version FROM pgvec.archive") == [("v1",)]
    refused(db, "PV005", "SELECT pgvec.restore_version('docs', 'v3')")


def test_the_exception_is_for_restore_alone(db):
    archived(db)
    verbs = ("x", "make_ready", "cut_over", "roll_back", "abandon", "retire")
    for verb, state_ in product(verbs, ("draining", "active", "ready", "building")):
        refused(
            db,
            "PV005",
            "SELECT pgvec.change_state('docs', 'v1', %s, %s)",
            verb,
            state_,
        )


@pytest.mark.parametrize(
    ("change", "repair", "key"),
    [
        ("ALTER TABLE docs ADD COLUMN lang text", "ADD COLUMN lang text", "missing"),
        ("ALTER TABLE docs DROP COLUMN position CASCADE", "DROP COLUMN position", "surplus"),
    ],
)
def test_an_archive_from_before_a_change_of_columns_says_what_to_do(db, change, repair, key):
    archived(db)
    # Views name the columns: they go and come with the host's change.
    db.execute("DROP VIEW active_docs, docs_at_v2")
    db.execute(change.encode())
    db.execute("SELECT pgvec.refresh_collection('docs')")
    refusal = refused(db, "PV041", RESTORE)
    assert len(refusal.detail[key]) == 1
    assert "ALTER TABLE pgvec_archive.docs__v1" in refusal.hint
    db.execute(f"ALTER TABLE pgvec_archive.docs__v1 {repair}".encode())
    assert one(db, RESTORE) is True


def test_a_name_that_was_taken_meanwhile_is_not_overwritten(db):
    archived(db)
    db.execute("CREATE VIEW docs_at_v1 AS SELECT 1 AS mine")
    assert refused(db, "PV004", RESTORE).detail["relation"] == "docs_at_v1"
    assert one(db, "SELECT mine FROM docs_at_v1") == 1


def test_archives_go_with_their_collection_and_one_by_one(db):
    archived(db)
    assert one(db, "SELECT pgvec.drop_archive('docs', 'v1')") > 0
    assert one(db, "SELECT to_regclass('pgvec_archive.docs__v1')") is None
    refused(db, "PV040", RESTORE)
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    copy_version(db, "docs", "v2", "v3")
    make_active(db, "docs", "v3")
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    db.execute(RETIRE.encode())
    assert one(db, "SELECT to_regclass('pgvec_archive.docs__v2')") is not None
    db.execute("SELECT pgvec.drop_collection('docs')")
    assert (
        rows(db, "SELECT relname FROM pg_class WHERE relnamespace = 'pgvec_archive'::regnamespace")
        == []
    )


def test_a_version_that_must_be_exported_first_waits_for_it(db):
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'export')")
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "not exported")]
    db.execute(
        "SELECT pgvec.record_export('docs', 'v1', 'v1.copy', 'copy', 20, 1000, %s, '{chunk_id}')",
        ("0" * 64,),
    )
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"
    assert "pgvec restore v1 --from" in refused(db, "PV040", RESTORE).hint


def test_a_foreign_key_of_the_host_keeps_its_version(db):
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'archive')")
    db.execute(
        """CREATE TABLE cites (c uuid, v text, FOREIGN KEY (c, v) REFERENCES docs);
           INSERT INTO cites SELECT chunk_id, 'v1' FROM docs_at_v1 LIMIT 1"""
    )
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "in use")]
    db.execute("DELETE FROM cites")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_what_was_deleted_while_a_version_lay_in_the_archive_does_not_come_back_with_it(db):
    archived(db)
    gone = "text 7"
    db.execute("DELETE FROM docs WHERE content = %s", (gone,))
    db.execute(RESTORE.encode())
    assert one(db, "SELECT count(*) FROM docs_at_v1") == 19
    db.execute("SELECT pgvec.plan_backfill('docs', 'v1')")
    work_off(db, "v1", "v2")
    assert rows(db, "SELECT model_version FROM docs WHERE content = %s", gone) == []
