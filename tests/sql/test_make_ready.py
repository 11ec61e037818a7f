"""A version is ready when it lacks nothing, and building again when it fails the check."""

from __future__ import annotations

import pytest

from tests.sql.helpers import leaf, one, put, refused, second_version, state, vector, world
from tests.sql.states import break_index, events


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
