"""A roll-back that names its version can be repeated; one that names none goes to and fro."""

from __future__ import annotations

import pytest

from tests.sql.helpers import in_background, one, refused, rows, second_version, world

TO_V1 = "SELECT pgvec.roll_back('docs', 'v1')"
PLAN = "SELECT kind, what FROM pgvec.preview('roll_back', 'docs', %s::text)"
UNDOES = "SELECT pgvec.undoes_roll_back('docs', pgvec.previous_version('docs'))"


def test_with_its_version_it_changes_nothing_the_second_time(tx):
    second_version(tx, until="active")
    assert one(tx, TO_V1) == "v1"
    before = world(tx)
    assert one(tx, TO_V1) == "v1"
    assert one(tx, "SELECT pgvec.roll_back('docs', model_version => 'v1')") == "v1"
    assert world(tx) == before
    assert rows(tx, PLAN, "v1") == [("does", "nothing: v1 is active already")]


def test_without_a_version_it_goes_forward_again(tx):
    second_version(tx, until="active")
    assert one(tx, UNDOES) is False
    assert [one(tx, "SELECT pgvec.roll_back('docs')") for _ in range(3)] == ["v1", "v2", "v1"]
    assert one(tx, UNDOES) is True
    (first, *_) = rows(tx, PLAN, None)
    assert first == ("does", "v2, which was rolled back from, becomes active again")


def test_a_cut_over_after_a_roll_back_is_no_roll_back_to_undo(tx):
    second_version(tx, until="active")
    tx.execute("SELECT pgvec.roll_back('docs')")
    tx.execute("SELECT pgvec.roll_back('docs', 'v2')")
    # v1 drains again, by a roll-back.
    assert one(tx, UNDOES) is True
    assert one(tx, "SELECT pgvec.undoes_roll_back('docs', 'v2')") is False


@pytest.mark.parametrize(("label", "code"), [("v9", "PV002"), ("", "PV002"), ("v3", "PV005")])
def test_another_version_is_refused(tx, label, code):
    second_version(tx, until="active")
    tx.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    before = world(tx)
    refused(tx, code, "SELECT pgvec.roll_back('docs', %s)", label)
    assert world(tx) == before


def test_the_active_version_without_a_draining_one_needs_nothing(tx):
    second_version(tx, until="ready")
    assert one(tx, TO_V1) == "v1"
    refused(tx, "PV005", "SELECT pgvec.roll_back('docs')")


def test_two_who_roll_back_at_once_to_one_version_both_succeed(db, connect):
    second_version(db, until="active")
    other, reader = connect(), connect(autocommit=False)
    reader.execute("LOCK TABLE docs IN ROW EXCLUSIVE MODE")
    call = b"SELECT pgvec.roll_back('docs', 'v1', lock_timeout => '20 s', attempts => 1)"
    with in_background(db.execute, call) as left, in_background(other.execute, call) as right:
        while one(reader, "SELECT count(*) FROM pg_locks WHERE NOT granted") < 2:
            pass
        reader.rollback()
        assert [left.result().fetchone(), right.result().fetchone()] == [("v1",), ("v1",)]
    assert one(db, "SELECT pgvec.active_version('docs')") == "v1"
