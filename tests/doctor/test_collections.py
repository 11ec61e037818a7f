"""The doctor on collections of ours: every fault that is made here is found, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.doctor import Finding, examine
from pgvec_versions.embedders import Embedder
from pgvec_versions.errors import InvalidVector
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.db.helpers import create_collection, execute, open_store, texts
from tests.tools import TinyEmbedder, literal, live_collection

LEAF = "pgvec_leaves.docs__v1"
NOW = timedelta(0)


def tiny(*_: str) -> Embedder:
    return TinyEmbedder()


def ill(engine: Engine, embedder: Callable[[str, str], Embedder | None] = tiny) -> list[Finding]:
    """What is wrong, apart from the job that no test server has and its pgvector."""
    found = examine(engine, embedder=embedder)
    return [f for f in found if f.level != "ok" and f.what not in ("retirement", "pgvector")]


def sick(engine: Engine, words: str) -> Finding:
    """The finding with these words; it says what to do."""
    matching = [f for f in ill(engine) if words in f.evidence]
    assert len(matching) == 1, ill(engine)
    assert matching[0].to_do
    return matching[0]


@pytest.fixture
def store(engine: Engine) -> ChunkStore:
    return open_store(engine, TinyEmbedder(), texts(30))


def test_a_healthy_collection_has_nothing(engine: Engine, store: ChunkStore) -> None:
    assert ill(engine) == []
    said = [f.evidence for f in examine(engine, embedder=tiny)]
    assert any("20 of 20 sampled chunks are reproduced" in text for text in said)
    assert any("32 canaries: least cosine 1.0000" in text for text in said)


def test_looking_changes_nothing_and_loads_no_model_unless_asked(
    engine: Engine, store: ChunkStore
) -> None:
    asked = TinyEmbedder()
    examine(engine, sample=0, embedder=lambda *_: asked)
    assert asked.seen == asked.canaries_seen == []
    examine(engine, embedder=lambda *_: TinyEmbedder("b"))
    events = execute(engine, "SELECT count(*) FROM pgvec.version_event WHERE verb LIKE 'finger%%'")
    assert events == [(0,)]


def test_vectors_that_the_embedder_did_not_make_are_found(
    engine: Engine, store: ChunkStore
) -> None:
    other = TinyEmbedder("b")
    for text in texts(30)[:25]:
        execute(
            engine,
            f"UPDATE {LEAF} SET embedding = %s::vector WHERE content = %s",
            literal(other.vector(text)),
            text,
        )
    assert sick(engine, "sampled chunks are reproduced").level == "problem"


def test_a_text_that_changed_without_its_vector_is_found(engine: Engine, store: ChunkStore) -> None:
    execute(
        engine,
        "DO $$ BEGIN SET LOCAL session_replication_role = replica;"
        f" UPDATE {LEAF} SET content = 'edited ' || content; END $$",
    )
    assert "0 of 20" in sick(engine, "sampled chunks are reproduced").evidence


def test_another_model_behind_the_name_is_found(engine: Engine, store: ChunkStore) -> None:
    class Impostor(TinyEmbedder):
        @property
        def identity(self):  # type: ignore[no-untyped-def]
            return TinyEmbedder().identity

    (found,) = ill(engine, lambda *_: Impostor("b"))
    assert (found.level, "32 canaries" in found.evidence) == ("problem", True)
    (found,) = ill(engine, lambda *_: TinyEmbedder("b"))
    assert "was made by another embedder" in found.evidence


def test_a_verdict_that_was_recorded_is_shown(engine: Engine, store: ChunkStore) -> None:
    execute(engine, "UPDATE pgvec.fingerprint SET agrees = false")
    assert sick(engine, "does not make its vectors").level == "problem"


def test_a_version_without_canaries_is_said_to_have_none(engine: Engine) -> None:
    create_collection(engine)
    execute(engine, "SELECT pgvec.register_version('docs', 'v1', 8)")
    said = [f for f in examine(engine) if "no canaries" in f.evidence]
    assert [f.level for f in said] == ["ok"], "made by a client, and allowed"
    execute(engine, "SELECT pgvec.register_version('docs', 'v2', 8, '{\"model\": \"x\"}')")
    assert sick(engine, "no canaries").what == "docs/v2"


def test_lengths_of_two_kinds_are_found(engine: Engine, store: ChunkStore) -> None:
    execute(
        engine,
        f"UPDATE {LEAF} SET embedding = (SELECT array_agg(2 * x) FROM unnest(embedding::real[]) x)"
        "::real[]::vector WHERE content < 'text 010'",
    )
    assert "67%" in sick(engine, "have length one").evidence


def test_texts_that_are_there_twice_are_found(engine: Engine, store: ChunkStore) -> None:
    store.add([Chunk("text 001", "a copy", 0)])
    assert "1 of 31" in sick(engine, "have the text of another one").evidence


def test_a_vector_of_several_texts_is_found(engine: Engine, store: ChunkStore) -> None:
    execute(engine, f"UPDATE {LEAF} SET embedding = (SELECT embedding FROM {LEAF} LIMIT 1)")
    assert "1 vectors" in sick(engine, "belong to several different texts").evidence


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DROP INDEX pgvec_leaves.docs__v1_hnsw", "index is missing"),
        ("ALTER TABLE docs DISABLE TRIGGER USER", "triggers"),
        (f"ALTER TABLE {LEAF} ENABLE ROW LEVEL SECURITY", "row-level security"),
        (
            f"CREATE POLICY p ON docs USING (true); ALTER POLICY p ON {LEAF} USING (false)",
            "row-level security",
        ),
        (f"ALTER TABLE {LEAF} DROP CONSTRAINT pgvec_dimensions", "CHECK of its leaf"),
        (f"ALTER TABLE {LEAF} DROP CONSTRAINT pgvec_not_zero", "CHECK of its leaf"),
    ],
)
def test_what_somebody_did_by_hand_is_found(
    engine: Engine, store: ChunkStore, harm: str, words: str
) -> None:
    execute(engine, harm)
    sick(engine, words)


def test_an_index_that_nobody_used_is_found_where_searches_would(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    live_collection(db, count=1500)
    execute(
        engine,
        "UPDATE pgvec.model_version SET activated_at = clock_timestamp() - interval '2 days'",
    )
    assert sick(engine, "never used").level == "warning"


def test_a_grant_that_does_not_reach_the_leaf_is_found(engine: Engine, store: ChunkStore) -> None:
    execute(engine, "CREATE ROLE doctor_reader")
    try:
        execute(engine, "SELECT pgvec.grant_read('docs', 'doctor_reader')")
        assert ill(engine) == []
        execute(engine, f"REVOKE SELECT ON {LEAF} FROM doctor_reader")
        assert "doctor_reader" in sick(engine, "recorded grant").evidence
    finally:
        execute(engine, "DROP OWNED BY doctor_reader")
        execute(engine, "DROP ROLE doctor_reader")


def test_a_grant_of_a_role_that_is_gone_is_found(engine: Engine, store: ChunkStore) -> None:
    execute(engine, "CREATE ROLE doctor_leaver")
    execute(engine, "SELECT pgvec.grant_read('docs', 'doctor_leaver')")
    execute(engine, "SELECT pgvec.grant_worker('docs', 'doctor_leaver')")
    execute(engine, "DROP OWNED BY doctor_leaver")
    execute(engine, "DROP ROLE doctor_leaver")
    found = sick(engine, "a role that was dropped")
    assert found.what == "docs"
    assert "read, worker" in found.evidence
    execute(engine, "SELECT pgvec.refresh_collection('docs')")
    assert ill(engine) == []


def test_an_index_that_is_there_and_invalid_is_found(engine: Engine, store: ChunkStore) -> None:
    execute(
        engine,
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'pgvec_leaves.docs__v1_hnsw'::regclass",
    )
    assert sick(engine, "missing or invalid").level == "problem"


def test_a_chunk_that_a_version_lacks_is_found(engine: Engine, store: ChunkStore) -> None:
    other = TinyEmbedder("b")
    Transition(engine, "docs", "v2", other).run(cut_over=True)
    store.add(["new to v1"])
    assert "1 chunks are missing or stale" in sick(engine, "missing or stale").evidence


def test_work_that_was_set_aside_is_found(engine: Engine, store: ChunkStore) -> None:
    Transition(engine, "docs", "v2", TinyEmbedder("b")).begin()
    Worker(engine, "docs", {"v2": TinyEmbedder("b", fail_on="text 003")}, retry_in=NOW).drain()
    assert "cannot read" in sick(engine, "set aside").evidence


def test_a_missing_job_is_found_and_one_that_runs_is_not(engine: Engine, store: ChunkStore) -> None:
    def job() -> list[str]:
        return [f.level for f in examine(engine, sample=0) if f.what == "retirement"]

    assert set(job()) - {"ok"}, "nobody calls pgvec.retire_due"
    execute(engine, "CALL pgvec.retire_due()")
    execute(engine, "CALL pgvec.retire_due()")
    assert set(job()) == {"ok"}


def test_zeros_cannot_come_in_and_are_found_where_they_did(
    engine: Engine, store: ChunkStore
) -> None:
    zero = f"UPDATE {LEAF} SET embedding = '[0,0,0,0,0,0,0,0]' WHERE content = 'text 001'"
    with pytest.raises(InvalidVector):
        execute(engine, zero)
    execute(engine, f"ALTER TABLE {LEAF} DROP CONSTRAINT pgvec_not_zero")
    execute(engine, zero)
    assert "all zeros" in sick(engine, "1 of 30 sampled vectors").evidence


def test_a_version_that_got_stuck_is_found(engine: Engine, store: ChunkStore) -> None:
    execute(engine, "SELECT pgvec.register_version('docs', 'v2', 8)")
    execute(
        engine,
        "UPDATE pgvec.model_version SET registered_at = clock_timestamp() - interval '9 days'"
        " WHERE model_version = 'v2'",
    )
    assert sick(engine, "for more than a week").what == "docs/v2"


def plans(engine: Engine) -> list[Finding]:
    return [f for f in examine(engine, sample=0) if "the plan" in f.evidence]


def settings(engine: Engine, *given: str) -> None:
    """Sets them for all new connections."""
    for setting in given:
        execute(engine, f"ALTER DATABASE {engine.url.database} SET {setting}")
    engine.dispose()


def test_the_plan_is_looked_at_where_it_matters(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    live_collection(db, count=1500)
    assert [(f.level, f.evidence) for f in plans(engine)] == [
        ("ok", "the plan uses its HNSW index")
    ]
    settings(engine, "enable_indexscan = off")
    found = sick(engine, "the plan does not use")
    assert (found.level, "enable_indexscan = off" in found.evidence) == ("problem", True)
    settings(engine, "enable_indexscan = on", "random_page_cost = 4000")
    assert "random_page_cost = 4000" in sick(engine, "the plan does not use").evidence


@pytest.mark.parametrize(("count", "dimensions"), [(5, 8), (1000, 8), (1000, 384)])
def test_a_planner_that_reads_a_small_leaf_whole_is_right(
    engine: Engine, db: psycopg.Connection[Any], count: int, dimensions: int
) -> None:
    live_collection(db, count=count, dimensions=dimensions)
    execute(
        engine,
        "UPDATE pgvec.model_version SET activated_at = clock_timestamp() - interval '2 days'",
    )
    (found,) = plans(engine)
    assert (found.level, "cheaper than the HNSW index" in found.evidence) == ("ok", True)
    said = [f.evidence for f in examine(engine, sample=0)]
    assert not any("never used" in text for text in said), "there was no reason to use it"


def test_settings_that_favour_an_index_are_nothing_to_speak_of(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    live_collection(db, count=1000)
    settings(engine, "random_page_cost = 3.9", "enable_hashjoin = off")
    assert [f.level for f in plans(engine)] == ["ok"]


def test_an_index_that_fits_no_search_is_found(engine: Engine, db: psycopg.Connection[Any]) -> None:
    live_collection(db, count=100)
    execute(engine, "DROP INDEX pgvec_leaves.docs__v1_hnsw")
    execute(
        engine,
        f"CREATE INDEX docs__v1_hnsw ON {LEAF} USING hnsw ((embedding::vector(8)) vector_l2_ops)",
    )
    assert "it does not fit" in sick(engine, "the plan does not use").evidence


def test_a_check_that_may_not_look_says_so(engine: Engine, store: ChunkStore) -> None:
    execute(engine, "CREATE ROLE doctor_stranger")
    try:
        execute(engine, "SELECT pgvec.grant_read('docs', 'doctor_stranger')")
        execute(engine, "GRANT SELECT ON pgvec.version_status, pgvec.work_item TO doctor_stranger")
        execute(engine, "GRANT SELECT ON docs TO doctor_stranger")
        from pgvec_versions.postgres.database import engine_for

        url = engine.url.update_query_dict({"options": "-c role=doctor_stranger"})
        found = examine(engine_for(url))
        assert any(f.what == "leaves" and "could not be checked" in f.evidence for f in found)
    finally:
        execute(engine, "DROP OWNED BY doctor_stranger")
        execute(engine, "DROP ROLE doctor_stranger")
