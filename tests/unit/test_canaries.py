"""Canaries without a database: what is compared, and real models that hide behind one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from pgvec_versions.embedders import SentenceTransformerEmbedder, StaticTokenEmbedder
from pgvec_versions.embedders.canaries import CANARIES, CHECKED, Canary, compare
from pgvec_versions.embedders.fingerprints import Fingerprint, agreement, make_canaries
from tests.tools import MINILM, MINILM_REVISION, TinyEmbedder


def test_there_are_sixteen_different_texts_and_the_few_are_among_them() -> None:
    assert len(CANARIES) == len(set(CANARIES.values())) == 16
    for names in CHECKED.values():
        assert set(names) <= set(CANARIES)
        assert "sentence" in names
    assert len(CANARIES["long"].split()) > 512, "longer than what common models read"


def rows(count: int) -> Any:
    return np.random.default_rng(3).standard_normal((count, 8)).astype(np.float32)


def canaries(vectors: Any) -> list[Canary]:
    return [Canary(f"c{i}", "document", f"text {i}", row, True) for i, row in enumerate(vectors)]


def test_one_canary_that_moved_is_enough() -> None:
    before = rows(5)
    now = before.copy()
    assert compare(canaries(before), now).agrees
    now[3] = rows(9)[8]
    found = compare(canaries(before), now)
    assert not found.agrees
    assert found.worst == "document c3"
    assert found.least_cosine == min(found.cosines.values())


def test_the_same_direction_in_another_length_is_another_model() -> None:
    before = rows(5)
    found = compare(canaries(before), before * np.float32(2))
    assert found.least_cosine == pytest.approx(1)
    assert found.length_change == pytest.approx(1)
    assert not found.agrees


@pytest.fixture(scope="module")
def kept() -> Fingerprint:
    import uuid

    if find_spec("sentence_transformers") is None:
        pytest.skip("needs the extra sentence-transformers")
    made = make_canaries(minilm(), 384)
    few = tuple(c for c in made if c.checked)
    return Fingerprint(uuid.uuid4(), "minilm-1", True, few)


def minilm(**options: Any) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(MINILM, revision=MINILM_REVISION, device="cpu", **options)


def bf16() -> SentenceTransformerEmbedder:
    embedder = minilm()
    embedder._ready().bfloat16()  # pyright: ignore[reportPrivateUsage]
    return embedder


def first_token() -> SentenceTransformerEmbedder:
    from sentence_transformers.sentence_transformer.modules import Pooling

    embedder = minilm()
    embedder._ready()[1] = Pooling(384, pooling_mode="cls")  # pyright: ignore
    return embedder


def longer() -> SentenceTransformerEmbedder:
    embedder = minilm()
    embedder._ready().max_seq_length = 512  # pyright: ignore[reportPrivateUsage]
    return embedder


@pytest.mark.parametrize("same", [lambda: minilm(batch_size=1), bf16])
def test_the_same_real_model_run_otherwise_agrees(
    kept: Fingerprint, same: Callable[[], Any]
) -> None:
    assert agreement(kept, same()).agrees


@pytest.mark.parametrize(
    "other",
    [
        first_token,
        longer,
        lambda: minilm(max_seq_length=128),
        lambda: minilm(query_prefix="query: "),
        lambda: minilm(document_prefix="passage: "),
        lambda: StaticTokenEmbedder(MINILM, revision=MINILM_REVISION),
    ],
    ids=["pooling", "cut later", "cut earlier", "query prefix", "document prefix", "model"],
)
def test_another_real_model_behind_the_name_differs(
    kept: Fingerprint, other: Callable[[], Any]
) -> None:
    assert not agreement(kept, other()).agrees


def test_a_number_of_vectors_that_is_wrong_is_the_embedders_fault() -> None:
    class Short(TinyEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> Any:
            return super().embed_documents(texts)[1:]

    from pgvec_versions.errors import EmbedderFailed

    with pytest.raises(EmbedderFailed):
        make_canaries(Short(), 8)
