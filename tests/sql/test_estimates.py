"""What a version will take is known before it is started, and true of what is then built."""

from __future__ import annotations

import pytest

from tests.sql.helpers import Connection, leaf, one, rows

FILL = """
INSERT INTO docs (chunk_id, model_version, content, embedding)
SELECT md5(i::text)::uuid, %s, repeat('words ', 40) || i,
       (SELECT array_agg(random() - 0.5) FROM generate_series(1, %s) WHERE i = i)::real[]::vector
  FROM generate_series(1, 1500) i"""


@pytest.mark.parametrize(
    ("storage", "dimensions", "m"),
    [
        ("vector", 384, 16),
        ("vector", 64, 8),
        ("vector", 1024, 24),
        ("halfvec", 384, 16),
        ("halfvec", 1536, 16),
    ],
)
def test_an_estimate_is_within_a_fifth_of_what_is_built(
    db: Connection, storage: str, dimensions: int, m: int
) -> None:
    one(db, "SELECT pgvec.create_collection('docs', storage => %s)", storage)
    one(db, "SELECT pgvec.register_version('docs', 'v1', 32)")
    db.execute(FILL.encode(), ("v1", 32))
    for verb in ("build_index", "make_ready", "cut_over"):
        one(db, f"SELECT pgvec.{verb}('docs', 'v1')")
    ((chunks, leaf_bytes, index_bytes, graph_bytes),) = rows(
        db, "SELECT * FROM pgvec.estimate_size('docs', %s, %s)", dimensions, m
    )
    one(db, "SELECT pgvec.register_version('docs', 'v2', %s, m => %s)", dimensions, m)
    db.execute(FILL.encode(), ("v2", dimensions))
    one(db, "SELECT pgvec.build_index('docs', 'v2')")
    table = leaf(db, "v2")
    # A fill by hand touches its rows twice; a worker's does not.
    db.execute(f"VACUUM FULL {table}".encode())
    index = one(db, "SELECT pg_relation_size(%s)", table + "_hnsw")
    whole = one(db, "SELECT pg_total_relation_size(%s)", table)
    assert chunks == 1500
    assert index_bytes == pytest.approx(index, rel=0.2)
    assert leaf_bytes == pytest.approx(whole - index, rel=0.2)
    assert graph_bytes > 1500 * dimensions * 2


def test_without_an_active_version_there_is_nothing_to_go_by(db: Connection) -> None:
    one(db, "SELECT pgvec.create_collection('docs')")
    assert rows(db, "SELECT * FROM pgvec.estimate_size('docs', 384)") == [(0, 0, 0, 0)]
