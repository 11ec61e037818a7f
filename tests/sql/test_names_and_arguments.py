"""What is asked for wrongly is refused whole, with data and a next step."""

from __future__ import annotations

import pytest

from tests.sql.helpers import leaf, one, put, refused, rows, second_version, world
from tests.tools import live_collection, make_active

HOSTILE = "docs'; DROP TABLE pgvec.collection; --"

BAD_COLLECTIONS = [
    None,
    "",
    " ",
    "Docs",
    "two words",
    "1docs",
    "a.b",
    "a-b",
    'do"cs',
    "do'cs",
    "größe",
    "docs\n",
    "x" * 41,
    "x" * 70,
    HOSTILE,
]
BAD_LABELS = [
    None,
    "",
    " ",
    "two words",
    "-v1",
    ".v1",
    "_v1",
    "v'1",
    'v"1',
    "v\\1",
    "v/1",
    "größe",
    "v1\n",
    "v" * 47,
    "v" * 70,
    "any",
    HOSTILE,
]


@pytest.mark.parametrize("name", BAD_COLLECTIONS)
def test_what_is_no_identifier_is_no_collection(tx, name):
    before = world(tx)
    refusal = refused(tx, "PV003", "SELECT pgvec.create_collection(%s::text)", name)
    assert refusal.detail["collection"] == name
    assert refusal.hint
    assert world(tx) == before


@pytest.mark.parametrize("label", BAD_LABELS)
def test_what_fits_no_identifier_is_no_label(tx, label):
    tx.execute("SELECT pgvec.create_collection('docs')")
    before = world(tx)
    refusal = refused(tx, "PV003", "SELECT pgvec.register_version('docs', %s::text, 8)", label)
    assert refusal.detail["model_version"] == label
    assert refusal.hint
    assert world(tx) == before


def test_the_longest_names_still_give_whole_identifiers(tx):
    collection, label = "c" * 40, "V" * 10
    live_collection(tx, collection, label, count=1)
    assert leaf(tx, label, collection) == f"pgvec_leaves.{'c' * 40}__{'v' * 10}"
    tx.execute(f"SET pgvec.query_version.{collection} = '{label}'".encode())
    assert one(tx, f"SELECT count(*) FROM active_{collection}") == 1
    assert one(tx, f"SELECT count(*) FROM {collection}_at_{label}") == 1


def test_labels_that_differ_only_in_signs_live_side_by_side(tx):
    labels = ["a-1", "a_1", "A.1", "a.1", "A-1", "a-1_2", "a-1-hnsw", "a-1.pkey", "a"]
    tx.execute("SELECT pgvec.create_collection('docs')")
    for label in labels:
        tx.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
        put(tx, "a", label)
    found = rows(tx, "SELECT leaf, pinned_view FROM pgvec.model_version")
    assert len({row[0] for row in found}) == len({row[1] for row in found}) == len(labels)
    for label in labels:
        tx.execute("SELECT pgvec.build_index('docs', %s)", (label,))
        tx.execute("SELECT pgvec.make_ready('docs', %s)", (label,))
    for label in labels:
        view = one(
            tx, "SELECT pinned_view FROM pgvec.model_version WHERE model_version = %s", label
        )
        assert rows(tx, f'SELECT model_version FROM "{view}"') == [(label,)]


def test_a_suffix_that_is_taken_too_is_passed_over(tx):
    tx.execute("SELECT pgvec.create_collection('docs')")
    for label in ("b", "b_2", "B", "b_3", "B_2"):
        tx.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
    assert len(rows(tx, "SELECT DISTINCT leaf FROM pgvec.model_version")) == 5


# --- What exists already ---


def test_a_collection_is_created_once(tx):
    live_collection(tx, count=1)
    before = world(tx)
    refusal = refused(tx, "PV004", "SELECT pgvec.create_collection('docs')")
    assert refusal.detail == {"collection": "docs"}
    assert world(tx) == before


@pytest.mark.parametrize(
    ("taken", "arguments"),
    [
        ("CREATE TABLE notes (a int)", "'notes'"),
        ("CREATE VIEW active_notes AS SELECT 1 AS a", "'notes'"),
        ("CREATE SEQUENCE notes", "'notes'"),
        ("CREATE SEQUENCE notes_chunk_id_seq", "'notes', id_type => 'bigint'"),
    ],
)
def test_a_relation_of_the_hosts_is_never_touched(tx, taken, arguments):
    tx.execute(taken.encode())
    before = world(tx)
    refusal = refused(tx, "PV004", f"SELECT pgvec.create_collection({arguments})")
    assert refusal.detail["relation"] in taken
    assert world(tx) == before


def test_no_collection_takes_a_view_that_another_ones_version_will_need(tx):
    tx.execute("SELECT pgvec.create_collection('active')")
    tx.execute("SELECT pgvec.register_version('active', 'v1', 8)")
    refused(tx, "PV004", "SELECT pgvec.create_collection('at_v1')")
    refused(tx, "PV004", "SELECT pgvec.create_collection('active_at_v1')")
    make_active(tx, "active", "v1")
    assert one(tx, "SELECT to_regclass('active_at_v1') IS NOT NULL")


def test_a_version_leaves_a_view_of_the_hosts_alone(tx):
    tx.execute("CREATE VIEW docs_at_v1 AS SELECT 1 AS mine")
    live_collection(tx, count=1)
    assert rows(tx, "SELECT * FROM docs_at_v1") == [(1,)]
    assert one(tx, "SELECT count(*) FROM docs_at_v1_2") == 1


# --- Arguments ---


@pytest.mark.parametrize(
    "arguments",
    [
        "distance => 'manhattan'",
        "distance => NULL",
        "distance => 'cosine''; --'",
        "storage => 'bit'",
        "storage => NULL",
        "id_type => 'int'",
        "id_type => 'bigint; --'",
        "id_type => NULL",
        "retire_after => NULL",
        "retire_after => '-1 second'",
    ],
)
def test_a_collection_of_an_unknown_kind_is_refused(tx, arguments):
    before = world(tx)
    refused(tx, "PV007", f"SELECT pgvec.create_collection('docs', {arguments})")
    assert world(tx) == before


def test_a_collection_needs_a_schema_to_stand_in(tx):
    tx.execute("SET search_path = nowhere")
    assert "search_path" in refused(tx, "PV007", "SELECT pgvec.create_collection('docs')").hint


@pytest.mark.parametrize(
    ("storage", "arguments"),
    [
        ("vector", "0"),
        ("vector", "-1"),
        ("vector", "NULL"),
        ("vector", "2001"),
        ("halfvec", "4001"),
        ("vector", "8, m => 1"),
        ("vector", "8, m => 101, ef_construction => 1000"),
        ("vector", "8, m => NULL"),
        ("vector", "8, ef_construction => 3"),
        ("vector", "8, ef_construction => 1001"),
        ("vector", "8, ef_construction => NULL"),
        ("vector", "8, m => 16, ef_construction => 31"),
        ("vector", "8, embedder => NULL"),
        ("vector", "8, embedder => '[1]'"),
    ],
)
def test_a_version_whose_index_cannot_be_built_is_refused(tx, storage, arguments):
    tx.execute("SELECT pgvec.create_collection('docs', storage => %s)", (storage,))
    before = world(tx)
    refused(tx, "PV007", f"SELECT pgvec.register_version('docs', 'v1', {arguments})")
    assert world(tx) == before


@pytest.mark.parametrize(("storage", "most"), [("vector", 2000), ("halfvec", 4000)])
def test_the_largest_dimension_can_be_indexed(tx, storage, most):
    tx.execute("SELECT pgvec.create_collection('docs', storage => %s)", (storage,))
    tx.execute("SELECT pgvec.register_version('docs', 'v1', %s)", (most,))
    put(tx, "a", dimensions=most)
    make_active(tx, "docs", "v1")


def test_too_many_dimensions_come_with_the_way_out(tx):
    tx.execute("SELECT pgvec.create_collection('docs')")
    refusal = refused(tx, "PV007", "SELECT pgvec.register_version('docs', 'v1', 3072)")
    assert refusal.detail == {"dimensions": 3072, "most": 2000, "storage": "vector"}
    assert "halfvec" in refusal.hint


# --- Names nobody knows ---

ON_A_COLLECTION = [
    "drop_collection(%s)",
    "register_version(%s, 'v9', 8)",
    "roll_back(%s)",
    "active_version(%s)",
    "retry_set_aside(%s)",
    "refresh_collection(%s)",
    "grant_read(%s, current_user::regrole)",
]
ON_A_VERSION = [
    "plan_backfill(%s, %s)",
    "missing_chunks(%s, %s)",
    "build_index(%s, %s)",
    "make_ready(%s, %s)",
    "cut_over(%s, %s)",
    "abandon(%s, %s)",
    "retire_version(%s, %s)",
    "nearest(%s, '[1,2,3]', %s)",
]


@pytest.mark.parametrize("verb", [*ON_A_COLLECTION, *ON_A_VERSION])
@pytest.mark.parametrize("name", ["dosc", None, HOSTILE])
def test_an_unknown_collection_is_named_beside_those_that_exist(tx, verb, name):
    second_version(tx, count=1)
    before = world(tx)
    params = (name, "v1") if verb in ON_A_VERSION else (name,)
    refusal = refused(tx, "PV001", f"SELECT pgvec.{verb}".replace("%s", "%s::text"), *params)
    assert refusal.detail == {"collection": name, "collections": ["docs"]}
    assert "docs" in refusal.hint
    assert world(tx) == before


@pytest.mark.parametrize("verb", ON_A_VERSION)
@pytest.mark.parametrize("label", ["v9", None, HOSTILE])
def test_an_unknown_version_is_named_beside_those_that_exist(tx, verb, label):
    second_version(tx, count=1)
    before = world(tx)
    statement = f"SELECT pgvec.{verb}".replace("%s", "%s::text")
    refusal = refused(tx, "PV002", statement, "docs", label)
    assert refusal.detail["model_version"] == label
    assert refusal.detail["versions"] == ["v1", "v2"]
    assert "v2 (ready)" in refusal.hint
    assert world(tx) == before


def test_without_any_collection_the_hint_says_how_to_make_one(tx):
    refusal = refused(tx, "PV001", "SELECT pgvec.active_version('docs')")
    assert refusal.detail["collections"] == []
    assert "create_collection" in refusal.hint


# --- Dropping ---


def test_a_dropped_collection_leaves_its_events_and_nothing_else(tx):
    before = world(tx)
    second_version(tx, until="active")
    put(tx, "a", "v1")
    tx.execute("SELECT pgvec.drop_collection('docs')")
    after = world(tx)
    assert after.pop("version_event") != before.pop("version_event")
    assert after == before
    live_collection(tx, count=1)


def test_a_collection_that_the_host_still_needs_is_not_dropped(tx):
    live_collection(tx, count=1)
    tx.execute("CREATE VIEW mine AS SELECT content FROM active_docs")
    before = world(tx)
    refused(tx, "2BP01", "SELECT pgvec.drop_collection('docs')")
    assert world(tx) == before


# --- Grants ---


def test_each_grant_is_enough_for_its_work_and_for_no_more(tx):
    tx.execute("SELECT pgvec.create_collection('docs', id_type => 'bigint')")
    tx.execute("CREATE ROLE pgvec_writer")
    tx.execute("SELECT pgvec.grant_write('docs', 'pgvec_writer')")
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    make_active(tx, "docs", "v1")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    tx.execute("SET LOCAL ROLE pgvec_writer")
    tx.execute(
        "INSERT INTO docs (model_version, content, embedding)"
        " VALUES ('v1', 'a', '[1,1,1,1,1,1,1,1]')"
    )
    refused(tx, "42501", "SELECT count(*) FROM pgvec.work_item")
    tx.execute("UPDATE docs SET metadata = '{\"a\": 1}' WHERE model_version = 'v1'")
    tx.execute("DELETE FROM docs WHERE model_version = 'v1'")
    refused(tx, "42501", "SELECT pgvec.register_version('docs', 'v3', 8)")
    refused(tx, "42501", "INSERT INTO pgvec_leaves.docs__v1 DEFAULT VALUES RETURNING 1")
    refused(tx, "42501", "DELETE FROM pgvec.work_item RETURNING 1")
    refused(tx, "42501", "UPDATE pgvec.model_version SET state = 'active' RETURNING 1")
    tx.execute("RESET ROLE")


def test_a_stranger_may_do_nothing(tx):
    live_collection(tx, count=1)
    tx.execute("CREATE ROLE pgvec_stranger")
    tx.execute("SET LOCAL ROLE pgvec_stranger")
    for statement in (
        "SELECT * FROM docs",
        "SELECT * FROM active_docs",
        "SELECT pgvec.active_version('docs')",
        "SELECT * FROM pgvec.version_status",
        "SELECT * FROM pgvec.nearest('docs', '[1,1,1,1,1,1,1,1]', 'v1')",
        "SELECT pgvec.drop_collection('docs')",
    ):
        refused(tx, "42501", statement)
