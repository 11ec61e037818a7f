"""The gate stops a candidate that was spoilt, with real models on real text."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions.embedders import (
    Embedder,
    SentenceTransformerEmbedder,
    StaticTokenEmbedder,
)
from pgvec_versions.errors import GateRefused
from pgvec_versions.evaluation.bounds import parse_bounds
from pgvec_versions.evaluation.measure import evaluate
from pgvec_versions.evaluation.records import Evaluation, set_gate
from pgvec_versions.states import State
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.values import Chunk
from tests.db.helpers import execute
from tests.evaluation.helpers import WordsEmbedder, passages, two_versions
from tests.tools import MINILM, MINILM_REVISION, literal

pytestmark = [
    pytest.mark.skipif(
        find_spec("sentence_transformers") is None or find_spec("ir_measures") is None,
        reason="needs the extras sentence-transformers and evaluate",
    ),
    # Real models: on a busy machine loading them alone may take a minute.
    pytest.mark.timeout(400),
]

BOUNDS = parse_bounds(["recall@10>=0.95", "ndcg@10>=active-0.05"])


@pytest.fixture(scope="module")
def models() -> tuple[Embedder, Embedder]:
    """Two real models: MiniLM's token table cut to 256 dimensions, and whole."""
    return (
        StaticTokenEmbedder(MINILM, revision=MINILM_REVISION, truncate_dim=256),
        StaticTokenEmbedder(MINILM, revision=MINILM_REVISION),
    )


CHUNKS = passages(60, 240)


def judged(
    engine: Engine, old: Embedder, new: Embedder, chunks: int = 60, **more: Any
) -> Evaluation:
    set_gate(engine, "docs", BOUNDS)
    return evaluate(engine, "docs", "v2", {"v1": old, "v2": new}, count=chunks, sweep=(), **more)


def stopped(engine: Engine, new: Embedder) -> set[str]:
    """What the gate has against v2, which it must stop."""
    transition = Transition(engine, "docs", "v2", new)
    with pytest.raises(GateRefused) as caught:
        transition.cut_over()
    assert transition.state == State.READY
    return {failure["check"] for failure in caught.value.detail["failures"]}


def test_a_sound_candidate_passes(engine: Engine, models: tuple[Embedder, Embedder]) -> None:
    old, new = models
    two_versions(engine, old, new, CHUNKS)
    made = judged(engine, old, new)
    assert made.metrics["reproduced"] == 1.0
    assert Transition(engine, "docs", "v2", new).cut_over() == "v1"


def test_shuffled_vectors_are_stopped(engine: Engine, models: tuple[Embedder, Embedder]) -> None:
    old, new = models
    two_versions(engine, old, new, CHUNKS)
    execute(
        engine,
        """WITH here AS (SELECT chunk_id, row_number() OVER (ORDER BY chunk_id) AS n
                           FROM pgvec_leaves.docs__v2),
                next AS (SELECT embedding, row_number() OVER (ORDER BY chunk_id) % 60 + 1 AS n
                           FROM pgvec_leaves.docs__v2)
           UPDATE pgvec_leaves.docs__v2 t SET embedding = next.embedding
             FROM here JOIN next USING (n) WHERE here.chunk_id = t.chunk_id""",
    )
    made = judged(engine, old, new)
    assert stopped(engine, new) == {"ndcg@10"}
    assert made.metrics["reproduced"] == 0.0


def test_vectors_of_another_model_are_stopped(
    engine: Engine, models: tuple[Embedder, Embedder]
) -> None:
    old, new = models
    two_versions(engine, old, new, CHUNKS)
    minilm = SentenceTransformerEmbedder(MINILM, revision=MINILM_REVISION, device="cpu")
    half = CHUNKS[::2]
    texts = [chunk.content for chunk in half]
    for text, vector in zip(texts, minilm.embed_documents(texts), strict=True):
        execute(
            engine,
            "UPDATE pgvec_leaves.docs__v2 SET embedding = %s::vector WHERE content = %s",
            literal(vector),
            text,
        )
    made = judged(engine, old, new)
    assert stopped(engine, new) == {"ndcg@10"}
    assert 0.2 < made.metrics["reproduced"] < 0.8


def test_a_poor_index_is_stopped(engine: Engine) -> None:
    old, new = WordsEmbedder("a"), WordsEmbedder("b")
    texts = [
        Chunk(" ".join(f"w{(i * p) % 977}" for p in range(1, 12)), f"d{i}", 0) for i in range(2500)
    ]
    two_versions(engine, old, new, texts, m=2, ef_construction=4)
    made = judged(engine, old, new, 40)
    assert "recall@10" in stopped(engine, new)
    assert made.baseline["recall@10"] > 0.95 > made.metrics["recall@10"]
