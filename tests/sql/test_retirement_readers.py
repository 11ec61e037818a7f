"""A version that an app still reads stays; what only we have touched goes."""

from __future__ import annotations

import pytest

from tests.end_states import holds
from tests.sql.helpers import one, put, rows, second_version, state, work_off
from tests.sql.test_retirement import FILLED, RETIRE, due, refusals

VECTOR = "[1,1,1,1,1,1,1,1]"
LONG_AGO = (
    "UPDATE pgvec.model_version SET draining_at = now() - interval '8 days'"
    " WHERE state = 'draining'"
)
SEARCHES = {
    "the pinned view": f"SELECT content FROM docs_at_v1 ORDER BY embedding <=> '{VECTOR}' LIMIT 3",
    "nearest": f"SELECT content FROM pgvec.nearest('docs', '{VECTOR}', 'v1', k => 3)",
    "the chunk table": "SELECT content FROM docs WHERE model_version = 'v1'"
    f" ORDER BY embedding::vector(8) <=> '{VECTOR}'::vector(8) LIMIT 3",
}


def due_for_days(db):
    due(db)
    db.execute(LONG_AGO.encode())


def search(connect, how="the pinned view"):
    """An app that searches v1 by its index and goes away; its statistics are in."""
    with connect() as app:
        # On so few rows the planner would not take the index.
        app.execute("SET enable_seqscan = off; SET enable_sort = off")
        assert len(rows(app, SEARCHES[how])) == 3
        app.execute("SELECT pg_stat_force_next_flush()")
        app.execute("SELECT 1")


@pytest.mark.parametrize("how", SEARCHES)
def test_a_version_that_was_searched_within_the_window_stays(db, connect, how):
    due_for_days(db)
    search(connect, how)
    db.execute(RETIRE.encode())
    assert refusals(db) == [("v1", "still read")]
    detail = "SELECT detail ->> 'detail' FROM pgvec.version_event ORDER BY event_id DESC LIMIT 1"
    assert one(db, detail).startswith("search, last at ")
    assert one(db, "SELECT count(*) FROM docs_at_v1") == 20
    holds(db, "v1", FILLED)

    db.execute("SELECT pgvec.set_retirement('docs', read_window => '1 microsecond')")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_the_operator_may_retire_what_is_still_read(db, connect):
    due_for_days(db)
    search(connect)
    db.execute(b"CALL pgvec.retire_due(ignore_readers => true)")
    assert state(db, "v1") == "retired"


def test_a_window_of_zero_looks_at_no_reader(db, connect):
    due_for_days(db)
    search(connect)
    db.execute("SELECT pgvec.set_retirement('docs', read_window => '0')")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_searches_from_before_the_cut_over_are_no_sign(db, connect):
    second_version(db)
    search(connect)
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE model_version = 'v1'")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


def test_a_session_whose_last_statement_names_the_pinned_view_is_a_reader(db, connect):
    due_for_days(db)
    app = connect()
    app.execute("SELECT count(*) FROM docs_at_v1 WHERE metadata @> '{}'")
    db.execute(RETIRE.encode())
    assert one(
        db, "SELECT detail ->> 'detail' FROM pgvec.version_event ORDER BY event_id DESC LIMIT 1"
    ).startswith("pinned view, last at ")
    app.execute("SELECT 'docs_at_v11'")
    db.execute(RETIRE.encode())
    assert state(db, "v1") == "retired"


@pytest.mark.parametrize("plans", ["as they come", "by index", "by scan"])
def test_what_we_do_ourselves_is_no_reading(db, connect, plans):
    due_for_days(db)
    with connect() as ours:
        if plans == "by index":
            ours.execute("SET enable_seqscan = off; SET enable_sort = off")
        if plans == "by scan":
            ours.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
        rows(ours, "SELECT * FROM pgvec.version_status")
        for version in ("v1", "v2"):
            rows(ours, "SELECT * FROM pgvec.missing_chunks('docs', %s)", version)
            ours.execute("SELECT pgvec.plan_backfill('docs', %s)", (version,))
            ours.execute("SELECT pgvec.build_index('docs', %s)", (version,))
        ours.execute("SELECT pgvec.refresh_collection('docs')")
        # What the app does with the active version reaches the draining one too.
        put(ours, "a", "v2")
        work_off(ours, "v1")
        ours.execute("UPDATE docs SET metadata = '{\"a\": 1}' WHERE model_version = 'v2'")
        ours.execute("DELETE FROM docs WHERE document_id = 'doc-1'")
        rows(ours, f"SELECT * FROM pgvec.nearest('docs', '{VECTOR}', 'v2')")
        ours.execute("VACUUM ANALYZE docs")
        rows(ours, "SELECT pgvec.retirement_watch()")
        ours.execute("SELECT pg_stat_force_next_flush()")
        ours.execute("SELECT 1")
    db.execute(RETIRE.encode())
    assert refusals(db) == []
    assert state(db, "v1") == "retired"


def test_without_a_time_of_the_last_search_its_count_tells(db, connect):
    """PostgreSQL 15 has the count alone; the same rule on any version."""
    due_for_days(db)
    last = "SELECT evidence FROM pgvec.last_read('docs', 'v1', by_count => true)"
    search(connect)
    db.execute("SELECT pgvec.record_searches()")
    assert one(db, last) is None, "the first look has nothing to compare with"
    rows(db, "SELECT * FROM pgvec.version_status")
    db.execute("SELECT pgvec.record_searches()")
    assert one(db, last) is None
    search(connect)
    db.execute("SELECT pgvec.record_searches()")
    assert one(db, last) == "search"
    assert one(db, last.replace("evidence", "read_at > now() - interval '1 minute'")) is True
