"""The index serves every way of reading, and the guard costs one call a query.

2,500 vectors of 8 dimensions are enough for the planner to prefer the index by its own figures:
nothing here switches another plan off.
"""

from __future__ import annotations

from contextlib import contextmanager

import psycopg
import pytest

from tests.conftest import TEMPLATE, _database
from tests.sql.helpers import one, rows
from tests.tools import copy_version, live_collection, make_active

COUNT = 2500
SIGNS = {"cosine": "<=>", "l2": "<->", "inner_product": "<#>"}
KINDS = [(storage, distance) for storage in ("vector", "halfvec") for distance in SIGNS]
QUERY = "[1,-1,1,-1,1,-1,1,-1]"


@pytest.fixture(scope="module")
def filled(server):
    """A database with one collection of each kind; c_moved went on to another dimension."""
    with contextmanager(_database)(server, TEMPLATE) as url:
        with psycopg.connect(url, autocommit=True) as db:
            for storage, distance in KINDS:
                name = f"c_{storage}_{distance}"
                live_collection(db, name, count=COUNT, storage=storage, distance=distance)
            live_collection(db, "c_moved", count=COUNT, dimensions=4)
            db.execute("SELECT pgvec.register_version('c_moved', 'v2', 8)")
            copy_version(db, "c_moved", "v1", "v2")
            make_active(db, "c_moved", "v2")
            db.execute("ANALYZE")
        yield url


@pytest.fixture
def plans(filled):
    with psycopg.connect(filled) as connection:
        yield connection
        connection.rollback()


def shown(plans, statement):
    return "\n".join(row[0] for row in rows(plans, f"EXPLAIN {statement}"))


def declare(plans, collection, version):
    plans.execute(f"SET pgvec.query_version.{collection} = '{version}'".encode())


def scans(plans, index):
    """How often this transaction has used the index."""
    return one(
        plans, "SELECT pg_stat_get_xact_numscans(to_regclass(%s))", f"pgvec_leaves.{index}_hnsw"
    )


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(("storage", "distance"), KINDS)
def test_the_index_serves_every_way_of_reading(plans, storage, distance, mode):
    name = f"c_{storage}_{distance}"
    plans.execute(f"SET plan_cache_mode = {mode}".encode())
    declare(plans, name, "v1")
    for view in (f"active_{name}", f"{name}_at_v1"):
        plans.execute(
            f"PREPARE {view}_q ({storage}, int) AS SELECT content FROM {view}"
            f" ORDER BY embedding {SIGNS[distance]} $1 LIMIT $2".encode()
        )
        # With an unknown LIMIT a generic plan assumes a tenth of the rows.
        plan = shown(plans, f"EXECUTE {view}_q ('{QUERY}', 5)")
        assert f"Index Scan using {name}__v1_hnsw" in plan
        assert plan.count("assert_query_version") == plan.count("One-Time Filter") == 1
        assert len(rows(plans, f"EXECUTE {view}_q ('{QUERY}', 5)")) == 5
    plans.execute(
        f"PREPARE n (vector) AS SELECT content FROM pgvec.nearest('{name}', $1, 'v1')".encode()
    )
    before = scans(plans, f"{name}__v1")
    assert len(rows(plans, f"EXECUTE n ('{QUERY}')")) == 10
    assert scans(plans, f"{name}__v1") == before + 1


@pytest.mark.parametrize(("version", "dimensions"), [("v2", 8), ("v1", 4)])
def test_the_index_serves_after_a_change_of_dimension(plans, version, dimensions):
    query = "[" + ",".join(["1"] * dimensions) + "]"
    declare(plans, "c_moved", version)
    views = [f"c_moved_at_{version}", *(["active_c_moved"] if version == "v2" else [])]
    for view in views:
        plan = shown(plans, f"SELECT * FROM {view} ORDER BY embedding <=> '{query}' LIMIT 5")
        assert f"Index Scan using c_moved__{version}_hnsw" in plan
    found = rows(plans, f"SELECT * FROM pgvec.nearest('c_moved', '{query}', '{version}')")
    assert len(found) == 10
    assert scans(plans, f"c_moved__{version}") == 1


def test_a_plan_prepared_before_a_cut_over_is_made_anew(plans):
    declare(plans, "c_moved", "v2")
    plans.execute("SET plan_cache_mode = force_generic_plan")
    plans.execute("PREPARE q AS SELECT model_version FROM active_c_moved LIMIT 1")
    assert rows(plans, "EXECUTE q") == [("v2",)]
    plans.execute("SELECT pgvec.roll_back('c_moved')")
    declare(plans, "c_moved", "v1")
    assert rows(plans, "EXECUTE q") == [("v1",)]


def test_the_exact_answer_does_not_come_from_the_index(plans):
    nearest = f"SELECT * FROM pgvec.nearest('c_vector_l2', '{QUERY}', 'v1', exact => true)"
    assert len(rows(plans, nearest)) == 10
    assert scans(plans, "c_vector_l2__v1") == 0


def test_the_guard_is_called_once_however_many_rows_there_are(plans):
    plans.execute("SET track_functions = 'all'")
    declare(plans, "c_vector_l2", "v1")
    assert one(plans, "SELECT count(*) FROM active_c_vector_l2") == COUNT
    calls = "SELECT calls FROM pg_stat_xact_user_functions WHERE funcname = 'assert_query_version'"
    assert one(plans, calls) == 1


def test_readers_hold_no_lock_on_the_chunk_table(plans):
    declare(plans, "c_vector_l2", "v1")
    rows(plans, "SELECT * FROM active_c_vector_l2 LIMIT 1")
    rows(plans, "SELECT * FROM c_vector_l2_at_v1 LIMIT 1")
    rows(plans, f"SELECT * FROM pgvec.nearest('c_vector_l2', '{QUERY}', 'v1')")
    assert (
        rows(
            plans,
            "SELECT mode FROM pg_locks WHERE relation = 'c_vector_l2'::regclass"
            " AND pid = pg_backend_pid()",
        )
        == []
    )


def test_the_leaf_keeps_the_checks_and_indexes_that_attaching_relied_on(plans):
    assert rows(
        plans,
        "SELECT conname FROM pg_constraint WHERE conrelid = 'pgvec_leaves.c_vector_cosine__v1'"
        "::regclass AND contype = 'c' AND convalidated ORDER BY 1",
    ) == [("pgvec_dimensions",), ("pgvec_not_zero",), ("pgvec_version",), ("pgvec_written_at",)]
    definition = one(plans, "SELECT pg_get_indexdef('pgvec_leaves.c_moved__v2_hnsw'::regclass)")
    assert "vector(8)" in definition
    assert "WHERE (model_version = 'v2'::text)" in definition
