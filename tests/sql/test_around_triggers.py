"""What is written around the triggers: versions are compared both ways, and the way out works.

Around the triggers is a session with session_replication_role = replica, as logical replication and
some restores have it, a table with its triggers disabled, or a write to a leaf.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.end_states import same
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
    state,
    vector,
    work_off,
)
from tests.tools import copy_version, live_collection, make_active

A = "chunk_id = md5('a')::uuid"
#: What a row may hold besides its vector, and a value that no row has.
COLUMNS = {
    "content": "'edited'",
    "metadata": "'{\"edited\": true}'",
    "document_id": "'edited'",
    "position": "77",
    "shelf": "'[1]'",
}


@contextmanager
def replica(db):
    db.execute("SET session_replication_role = replica")
    yield
    db.execute("RESET session_replication_role")


@contextmanager
def disabled(db):
    db.execute("ALTER TABLE docs DISABLE TRIGGER USER")
    yield
    db.execute("ALTER TABLE docs ENABLE TRIGGER USER")


@contextmanager
def only_following_disabled(db):
    """The row triggers draw turns, and nothing is carried."""
    for verb in ("insert", "update", "delete"):
        db.execute(f"ALTER TABLE docs DISABLE TRIGGER pgvec_follow_{verb}".encode())
    yield
    db.execute("ALTER TABLE docs ENABLE TRIGGER USER")


#: The states that the other version may be in, each with one of the ways.
WHERE = [("building", replica), ("ready", disabled), ("draining", replica)]
#: The same, with turns drawn.
FOLLOWING = [("building", only_following_disabled), ("draining", only_following_disabled)]


def scene(db, wanted, words="ab"):
    """The other version is building, ready or draining. Returns the active one, then the other."""
    pair(db, until="active" if wanted == "draining" else wanted, words=words)
    db.execute("ALTER TABLE docs ADD COLUMN shelf json; SELECT pgvec.refresh_collection('docs')")
    if wanted == "building":
        db.execute("SELECT pgvec.build_index('docs', 'v2')")
    same(db)
    return ("v2", "v1") if wanted == "draining" else ("v1", "v2")


def insert(db, chunk, version, turn=0):
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding, turn)"
        " VALUES (md5(%s)::uuid, %s, %s, %s, %s)",
        (chunk, version, chunk, vector(chunk, version), turn),
    )


def unsettled(db, version):
    return rows(
        db,
        "SELECT difference, count(*) FROM pgvec.unsettled_chunks('docs', %s) GROUP BY 1 ORDER BY 1",
        version,
    )


def problems(db, version):
    return one(db, "SELECT pgvec.ready_problems('docs', %s)", version)


def follow(db, advice, first=True):
    """Runs the commands of one way out, the first or the second, and a worker where it says so."""
    if "If " in advice:
        _, one_way, other_way = advice.split("If ")
        advice = (one_way if first else other_way).split(": ", 1)[1]
    statement, found, _ = advice.partition(";")
    assert found
    db.execute(statement.encode())
    if "pgvec worker" in advice:
        work_off(db, "v1", "v2")


def ways_out(db, version, difference):
    return one(db, "SELECT pgvec.ways_out('docs', %s, %s)", version, difference)


@pytest.mark.parametrize(("wanted", "around"), WHERE)
@pytest.mark.parametrize("edited", ["active", "other"])
def test_an_edit_around_the_triggers_is_found_and_the_active_version_is_right(
    tx, wanted, around, edited
):
    """Each chunk is edited in another column."""
    active, other = scene(tx, wanted, words="abcde")
    version = active if edited == "active" else other
    with around(tx):
        for chunk, (column, value) in zip("abcde", COLUMNS.items(), strict=True):
            tx.execute(
                f"UPDATE docs SET {column} = {value}"
                f" WHERE model_version = '{version}' AND chunk_id = md5('{chunk}')::uuid".encode()
            )
    columns = ", ".join(COLUMNS)
    right = f"SELECT chunk_id, {columns} FROM docs WHERE model_version = '{active}' ORDER BY 1"
    seen = rows(tx, right)
    assert unsettled(tx, other) == [("different", 5)]
    assert unsettled(tx, active) == []
    assert problems(tx, other) == {"missing": 5}
    follow(tx, ways_out(tx, other, "different"))
    same(tx)
    assert rows(tx, right) == seen


@pytest.mark.parametrize("wanted", ["building", "ready"])
def test_make_ready_refuses_what_an_edit_around_the_triggers_left(tx, wanted):
    scene(tx, wanted)
    with replica(tx):
        tx.execute(f"UPDATE docs SET content = 'z' WHERE model_version = 'v1' AND {A}".encode())
    if wanted == "building":
        hint = refused(tx, "PV006", "SELECT pgvec.make_ready('docs', 'v2')").hint
        tx.execute(hint.partition(";")[0].encode())
        work_off(tx, "v2")
    else:
        assert one(tx, "SELECT pgvec.make_ready('docs', 'v2')") == "building"
        tx.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
        work_off(tx, "v2")
    assert one(tx, "SELECT pgvec.make_ready('docs', 'v2')") == "ready"
    same(tx, {"a": "z", "b": "b"})


@pytest.mark.parametrize("text", ["0", "~~~"])
def test_the_order_of_the_texts_decides_nothing(tx, text):
    scene(tx, "ready")
    with replica(tx):
        tx.execute("UPDATE docs SET content = %s WHERE model_version = 'v2'", (text,))
    tx.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
    work_off(tx, "v1", "v2")
    same(tx, {"a": "a", "b": "b"})


@pytest.mark.parametrize(("wanted", "around"), [*WHERE, *FOLLOWING])
@pytest.mark.parametrize("comes_back", [False, True])
def test_a_delete_around_the_triggers_comes_back_only_if_you_say_so(tx, wanted, around, comes_back):
    active, other = scene(tx, wanted)
    with around(tx):
        tx.execute(f"DELETE FROM docs WHERE model_version = '{active}' AND {A}".encode())
    assert problems(tx, other) == {"surplus": 1}
    tx.execute("SELECT pgvec.plan_backfill('docs', %s)", (other,))
    work_off(tx, "v1", "v2")
    assert len(chunks(tx, active)) == 1
    assert unsettled(tx, other) == [("surplus", 1)]
    if wanted == "building":
        advice = refused(tx, "PV006", "SELECT pgvec.make_ready('docs', 'v2')").hint
    else:
        assert unsettled(tx, active) == [("missing", 1)]
        advice = ways_out(tx, active, "missing")
    follow(tx, advice, first=comes_back)
    same(tx, {"a": "a", "b": "b"} if comes_back else {"b": "b"})
    assert unsettled(tx, active) == unsettled(tx, other) == []


@pytest.mark.parametrize(("wanted", "around"), [*WHERE, *FOLLOWING])
def test_what_the_other_version_lost_around_the_triggers_is_planned_again(tx, wanted, around):
    active, other = scene(tx, wanted)
    with around(tx):
        tx.execute(f"DELETE FROM docs WHERE model_version = '{other}' AND {A}".encode())
    assert problems(tx, other) == {"missing": 1}
    assert unsettled(tx, other) == [("missing", 1)]
    assert unsettled(tx, active) == []
    follow(tx, ways_out(tx, other, "missing"))
    same(tx, {"a": "a", "b": "b"})


@pytest.mark.parametrize(("wanted", "around"), [*WHERE, *FOLLOWING])
@pytest.mark.parametrize("added", ["active", "other"])
def test_what_was_added_around_the_triggers_is_found(tx, wanted, around, added):
    active, other = scene(tx, wanted)
    with around(tx):
        insert(tx, "c", active if added == "active" else other)
    difference = "missing" if added == "active" else "surplus"
    assert problems(tx, other) == {difference: 1}
    assert unsettled(tx, other) == [(difference, 1)]
    follow(tx, ways_out(tx, other, difference))
    same(tx, {"a": "a", "b": "b", "c": "c"})


@pytest.mark.parametrize("wanted", ["building", "ready", "draining"])
@pytest.mark.parametrize("keep_later", [True, False])
def test_a_later_edit_that_nobody_carried_is_found_in_the_other_version(tx, wanted, keep_later):
    active, other = scene(tx, wanted)
    with only_following_disabled(tx):
        edit(tx, "a", other, "later")
    assert unsettled(tx, other) == [("ahead", 1)]
    assert problems(tx, other) == {"ahead": 1}
    tx.execute("SELECT pgvec.plan_backfill('docs', %s)", (other,))
    assert items(tx) == []
    if wanted == "building":
        advice = refused(tx, "PV006", "SELECT pgvec.make_ready('docs', 'v2')").hint
    else:
        assert unsettled(tx, active) == [("stale", 1)]
        advice = ways_out(tx, active, "stale")
    follow(tx, advice, first=keep_later)
    same(tx, {"a": "later" if keep_later else "a", "b": "b"})


@pytest.mark.parametrize("wanted", ["ready", "draining"])
@pytest.mark.parametrize("stays", [True, False])
def test_a_deleted_chunk_that_a_restore_brought_back_is_found(tx, wanted, stays):
    active, other = scene(tx, wanted)
    tx.execute(f"DELETE FROM docs WHERE {A}".encode())
    with replica(tx):
        insert(tx, "a", active)
    assert unsettled(tx, active) == [("deleted", 1)]
    assert problems(tx, other) == {"restored": 1}
    follow(tx, ways_out(tx, active, "deleted"), first=stays)
    same(tx, {"a": "a", "b": "b"} if stays else {"b": "b"})


def test_a_deleted_chunk_that_a_restore_brought_back_in_the_other_version_goes(tx):
    _, other = scene(tx, "ready")
    tx.execute(f"DELETE FROM docs WHERE {A}".encode())
    with replica(tx):
        insert(tx, "a", other)
    assert unsettled(tx, other) == [("deleted", 1)]
    assert problems(tx, other) == {"surplus": 1}
    follow(tx, ways_out(tx, other, "deleted"))
    same(tx, {"b": "b"})


@pytest.mark.parametrize("added", ["v1", "v2"])
def test_a_turn_that_was_never_drawn_is_found(tx, added):
    scene(tx, "ready")
    with replica(tx):
        insert(tx, "c", added, turn=one(tx, "SELECT last_value + 1000 FROM pgvec.turn"))
    assert ("undrawn", 1) in unsettled(tx, added)
    if added == "v2":
        assert problems(tx, "v2") == {"surplus": 1, "undrawn_turns": 1}
    follow(tx, ways_out(tx, added, "undrawn"))
    assert ("undrawn", 1) not in unsettled(tx, added)
    edit(tx, "c", added, "edited")
    work_off(tx, "v1", "v2")
    same(tx, {"a": "a", "b": "b", "c": "edited"})


def test_ordinary_writes_leave_nothing_to_settle(tx):
    """Also while their work items are open, and in both directions."""
    active, other = scene(tx, "draining")
    edit(tx, "a", active, "one")
    edit(tx, "b", other, "two")
    put(tx, "c", active)
    put(tx, "d", other)
    assert len(items(tx)) == 4
    assert unsettled(tx, active) == unsettled(tx, other) == []
    work_off(tx, "v1", "v2")
    tx.execute("DELETE FROM docs WHERE content = 'd'")
    same(tx, {"a": "one", "b": "two", "c": "c"})
    assert unsettled(tx, active) == unsettled(tx, other) == []


def test_a_difference_in_the_microsecond_of_the_write_is_none(tx):
    scene(tx, "ready")
    with replica(tx):
        tx.execute("UPDATE docs SET written_at = '2001-01-01' WHERE model_version = 'v2'")
    same(tx)
    assert unsettled(tx, "v2") == []


def test_before_the_first_cut_over_versions_are_compared_too(tx):
    tx.execute("SELECT pgvec.create_collection('docs')")
    for version in ("v1", "v2"):
        tx.execute("SELECT pgvec.register_version('docs', %s, 8)", (version,))
    put(tx, "a", "v1")
    work_off(tx, "v2")
    with replica(tx):
        tx.execute("UPDATE docs SET content = 'z' WHERE model_version = 'v1'")
    assert unsettled(tx, "v1") == unsettled(tx, "v2") == [("different", 1)]
    tx.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
    work_off(tx, "v1", "v2")
    same(tx, {"a": "z"})


@pytest.mark.parametrize("id_type", ["bigint", "text"])
def test_ids_of_every_type_are_compared(tx, id_type):
    live_collection(tx, count=0, id_type=id_type)
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    for version in ("v1", "v2"):
        tx.execute(
            "INSERT INTO docs (chunk_id, model_version, content, embedding)"
            f" SELECT i::text::{id_type}, %s, i::text, '[1,0,0,0,0,0,0,0]'"
            "   FROM generate_series(1, 9) i".encode(),
            (version,),
        )
    with replica(tx):
        tx.execute("UPDATE docs SET content = 'x' WHERE model_version = 'v1' AND content = '2'")
        tx.execute("DELETE FROM docs WHERE model_version = 'v1' AND content = '3'")
    assert unsettled(tx, "v2") == [("different", 1), ("surplus", 1)]
    # An interval that is on its way to the active version covers the chunk that is missing there.
    tx.execute(
        "INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi)"
        " VALUES ('docs', 'v2', 'v1', '1', '9')"
    )
    assert unsettled(tx, "v2") == [("different", 1)]


def test_three_versions_agree_after_the_advice(tx):
    active, other = scene(tx, "draining")
    tx.execute(
        "SELECT pgvec.register_version('docs', 'v3', 8); SELECT pgvec.plan_backfill('docs', 'v3')"
    )
    work_off(tx, "v3")
    with replica(tx):
        tx.execute(
            f"UPDATE docs SET content = 'z' WHERE model_version = '{active}' AND {A}".encode()
        )
        tx.execute(f"DELETE FROM docs WHERE model_version = '{active}' AND NOT {A}".encode())
    # The plan for the first makes the active version's row later, which the second then lacks.
    for version, difference in ((other, "different"), ("v3", "stale")):
        assert unsettled(tx, version) == [(difference, 1), ("surplus", 1)]
        follow(tx, ways_out(tx, version, difference))
    work_off(tx, "v1", "v2", "v3")
    follow(tx, ways_out(tx, active, "missing"), first=False)
    assert [unsettled(tx, version) for version in ("v1", "v2", "v3")] == [[], [], []]
    for version in ("v1", "v2", "v3"):
        assert [content for content, _ in chunks(tx, version).values()] == ["z"]


def test_a_version_that_does_not_follow_brings_back_no_deleted_chunk_on_its_own(tx):
    live_collection(tx, count=0, follow_while_draining=False)
    put(tx, "a")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(tx, "docs", "v1", "v2")
    make_active(tx, "docs", "v2")
    with replica(tx):
        tx.execute("DELETE FROM docs WHERE model_version = 'v2'")
    assert unsettled(tx, "v1") == [("surplus", 1)]
    # To roll back, the version catches up first.
    tx.execute("SELECT pgvec.plan_backfill('docs', 'v1')")
    assert items(tx) == []
    assert chunks(tx, "v2") == {}


def test_the_comparison_writes_no_texts_to_temporary_files(tx):
    scene(tx, "ready", words="")
    with replica(tx):
        for version in ("v1", "v2"):
            tx.execute(
                "INSERT INTO docs (chunk_id, model_version, content, embedding, turn)"
                " SELECT md5(i::text)::uuid, %s, repeat(md5(i::text), 50), '[1,0,0,0,0,0,0,0]', i"
                "   FROM generate_series(1, 2000) i",
                (version,),
            )
    tx.execute("SELECT setval('pgvec.turn', 2000); ANALYZE docs; SET work_mem = '64kB'")
    for check in ("missing_chunks", "unsettled_chunks"):
        plan = one(
            tx,
            "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)"
            f" SELECT count(*) FROM pgvec.{check}('docs', 'v2')",
        )
        # The texts alone are 800 blocks.
        assert plan[0]["Plan"]["Temp Written Blocks"] < 100, check


# --- TRUNCATE ---


@pytest.mark.parametrize("wanted", ["building", "ready", "draining"])
def test_truncate_of_one_leaf_is_refused(tx, wanted):
    scene(tx, wanted)
    before = rows(tx, "SELECT * FROM docs ORDER BY chunk_id, model_version")
    for version in ("v1", "v2"):
        for form in ("{}", "ONLY {}", "{} CASCADE", "{} RESTART IDENTITY"):
            table = leaf(tx, version)
            refusal = refused(tx, "PV007", f"TRUNCATE {form.format(table)}")
            assert table in refusal.message
            assert refusal.detail["model_version"] == version
            assert "TRUNCATE public.docs" in refusal.hint
    assert rows(tx, "SELECT * FROM docs ORDER BY chunk_id, model_version") == before


@pytest.mark.parametrize("form", ["docs", "pgvec_leaves.docs__v1, pgvec_leaves.docs__v2"])
def test_truncate_of_every_version_empties_every_version(tx, form):
    scene(tx, "ready")
    tx.execute(f"TRUNCATE {form}".encode())
    same(tx, {})
    put(tx, "a", "v1")
    work_off(tx, "v2")
    same(tx, {"a": "a"})


def test_truncate_of_a_table_that_chunks_refer_to_empties_every_version(tx):
    scene(tx, "ready")
    tx.execute(
        "CREATE TABLE tenant (tenant int PRIMARY KEY);"
        " ALTER TABLE docs ADD COLUMN tenant int REFERENCES tenant;"
        " SELECT pgvec.refresh_collection('docs'); TRUNCATE tenant CASCADE"
    )
    same(tx, {})


def test_truncate_of_the_only_version_is_allowed(tx):
    tx.execute("SELECT pgvec.create_collection('docs')")
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    put(tx, "a", "v1")
    tx.execute("TRUNCATE pgvec_leaves.docs__v1")
    assert chunks(tx, "v1") == {}


def test_truncate_around_the_triggers_is_found(tx):
    active, _ = scene(tx, "draining")
    with replica(tx):
        tx.execute(f"TRUNCATE {leaf(tx, active)}".encode())
    assert unsettled(tx, active) == [("missing", 2)]
    follow(tx, ways_out(tx, active, "missing"))
    same(tx, {"a": "a", "b": "b"})


def test_no_table_of_the_catalog_is_truncated(tx):
    scene(tx, "ready")
    tables = rows(
        tx,
        "SELECT c.oid::regclass::text FROM pg_class c"
        " WHERE c.relnamespace = 'pgvec'::regnamespace AND c.relkind = 'r'",
    )
    assert ("pgvec.tombstone",) in tables
    for (table,) in tables:
        assert refused(tx, "PV007", f"TRUNCATE {table} CASCADE").hint
    assert state(tx, "v1") == "active"


def test_a_dropped_trigger_is_created_again_by_refresh(tx):
    scene(tx, "ready")
    tx.execute(
        "DROP TRIGGER pgvec_follow_update ON docs; DROP TRIGGER pgvec_take_turn ON docs;"
        " DROP TRIGGER pgvec_refuse_truncate ON pgvec_leaves.docs__v2"
    )
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    edit(tx, "a", "v1", "edited")
    put(tx, "c", "v1")
    refused(tx, "PV007", "TRUNCATE pgvec_leaves.docs__v2")
    work_off(tx, "v2")
    same(tx, {"a": "edited", "b": "b", "c": "c"})
