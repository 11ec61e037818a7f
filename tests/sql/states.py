"""Bringing a version into a state, and the events that tell of it."""

from __future__ import annotations

from tests.sql.helpers import leaf, one, rows, second_version, state


def bring(db, wanted):
    """Collection docs with v1, and v2 in the wanted state."""
    second_version(db, until="ready" if wanted not in ("building", "abandoned") else "building")
    if wanted in ("active", "draining", "retired"):
        db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    if wanted in ("draining", "retired"):
        db.execute("UPDATE pgvec.collection SET retire_after = '0'")
        db.execute("SELECT pgvec.roll_back('docs')")
    if wanted == "retired":
        assert one(db, "SELECT pgvec.retire_version('docs', 'v2')") == "retired"
    if wanted == "abandoned":
        db.execute("SELECT pgvec.abandon('docs', 'v2')")
    assert state(db, "v2") == wanted


def events(db, version="v2"):
    return rows(
        db,
        "SELECT verb, from_state, to_state FROM pgvec.version_event"
        " WHERE model_version = %s AND from_state IS DISTINCT FROM to_state ORDER BY event_id",
        version,
    )


def break_index(tx, version):
    """Leaves the index as an interrupted build does."""
    tx.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
        (leaf(tx, version) + "_hnsw",),
    )
