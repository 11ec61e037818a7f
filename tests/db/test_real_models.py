"""The whole way with two real models of the same dimension: MiniLM's table, then MiniLM itself."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import SentenceTransformerEmbedder, StaticTokenEmbedder
from pgvec_versions.errors import EmbedderMismatch
from pgvec_versions.upgrade.transition import Transition, roll_back
from pgvec_versions.values import Chunk
from tests.db.helpers import create_collection
from tests.tools import MINILM, MINILM_REVISION

pytestmark = pytest.mark.skipif(
    find_spec("sentence_transformers") is None, reason="needs the extra sentence-transformers"
)

TEXTS = {
    "bread": "Knead the dough, let it rise for an hour, and bake the loaf until it is brown.",
    "sails": "Haul in the sheet and steer closer to the wind, or the mainsail will flap.",
    "taxes": "The return must be filed with the revenue office by the end of July.",
}
QUESTIONS = {
    "bread": "How do I make bread at home?",
    "sails": "What must a sailor do when the sail flaps?",
    "taxes": "When is my tax declaration due?",
}


def test_an_upgrade_between_two_real_models_answers_in_both_versions(engine: Engine) -> None:
    static = StaticTokenEmbedder(MINILM, revision=MINILM_REVISION)
    minilm = SentenceTransformerEmbedder(MINILM, revision=MINILM_REVISION, device="cpu")
    assert static.dimensions == minilm.dimensions
    create_collection(engine)
    Transition(engine, "docs", "static-1", static).run(cut_over=True)
    store = ChunkStore(engine, "docs", {"static-1": static, "minilm-1": minilm})
    store.add([Chunk(text, name, 0) for name, text in TEXTS.items()])

    def assert_answers(version: str) -> None:
        for name, question in QUESTIONS.items():
            hits = store.search(question)
            assert (hits[0].document_id, hits[0].model_version) == (name, version)

    assert_answers("static-1")
    Transition(engine, "docs", "minilm-1", minilm).run(cut_over=True)
    assert_answers("minilm-1")
    roll_back(engine, "docs")
    assert_answers("static-1")
    # Of the same dimension, and still not to be confused.
    with pytest.raises(EmbedderMismatch) as caught:
        ChunkStore(engine, "docs", {"minilm-1": static})
    assert "provider" in caught.value.differences
