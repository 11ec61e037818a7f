"""Different texts with one vector: the doctor asks whether their embedder makes them so."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.doctor import Finding, examine
from pgvec_versions.doctor.equal_vectors import bag, order_free, spelling
from pgvec_versions.embedders import Embedder, EmbedderIdentity, StaticTokenEmbedder
from pgvec_versions.upgrade.transition import Transition
from tests.db.helpers import create_collection, execute
from tests.tools import MINILM, MINILM_REVISION, TinyEmbedder

LEAF = "pgvec_leaves.docs__v1"
PERMUTED = ["one two three", "three two one", "two one three two one three"]
SAID = "belong to"
Given = Callable[[str, str], Embedder | None]


class HashingEmbedder(TinyEmbedder):
    """Counts words in eight places: the order is lost, and different words meet in one place."""

    provider = "hashing"

    @property
    def identity(self) -> EmbedderIdentity:
        return EmbedderIdentity(self.provider, "crc32", "1", {"dimensions": self._dimensions})

    def vector(self, text: str) -> npt.NDArray[np.float32]:
        row = np.zeros(self._dimensions, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            row[zlib.crc32(word.encode()) % self._dimensions] += 1
        row[0] += not row.any()
        return (row / np.linalg.norm(row)).astype(np.float32)


class Unnamed(HashingEmbedder):
    """The same, and its name does not tell."""

    provider = "ours"


class Beginnings(TinyEmbedder):
    """Reads only the first 200 characters."""

    def vector(self, text: str) -> npt.NDArray[np.float32]:
        return super().vector(text[:200])


def stored(engine: Engine, embedder: Embedder, texts: Sequence[str]) -> None:
    """Active version v1 of docs, with these texts."""
    create_collection(engine)
    Transition(engine, "docs", "v1", embedder).run(cut_over=True)
    ChunkStore(engine, "docs", {"v1": embedder}).add(list(texts))


def said(engine: Engine, embedder: Embedder | None = None, words: str = SAID) -> list[Finding]:
    """The findings with these words."""
    found = examine(engine, embedder=lambda *_: embedder)
    return [f for f in found if words in f.evidence]


def add_empty(engine: Engine, *contents: str) -> None:
    """Chunks with nothing in their text, by SQL: the store refuses them."""
    for content in contents:
        execute(
            engine,
            "INSERT INTO docs (model_version, content, embedding)"
            " VALUES ('v1', %s, '[1,0,0,0,0,0,0,0]')",
            content,
        )


def colliding(embedder: HashingEmbedder) -> list[str]:
    """Two different words that the embedder puts into one place."""
    seen: dict[bytes, str] = {}
    for word in (f"word{i}" for i in range(100)):
        key = embedder.vector(word).tobytes()
        if key in seen:
            return [seen[key], word]
        seen[key] = word
    raise AssertionError


def test_the_same_words_in_another_order_are_in_order_for_a_real_static_model(
    engine: Engine,
) -> None:
    model = StaticTokenEmbedder(MINILM, revision=MINILM_REVISION)
    # Two words: the last bits of a longer sum depend on the order.
    stored(engine, model, ["flour water", "water flour", "Water flour", "something else"])
    for given in (model, None):
        assert [f.level for f in said(engine, given)] == ["ok"]
    assert "whose order this kind of embedder does not see" in said(engine)[0].evidence


@pytest.mark.parametrize("at_hand", [True, False])
def test_a_hashing_embedder_may_give_different_words_one_vector(
    engine: Engine, at_hand: bool
) -> None:
    embedder = HashingEmbedder()
    stored(engine, embedder, [*PERMUTED, *colliding(embedder)])
    assert {f.level for f in said(engine, embedder if at_hand else None)} == {"ok"}


def test_an_embedder_whose_name_tells_nothing_is_asked_again(engine: Engine) -> None:
    embedder = Unnamed()
    stored(engine, embedder, [*PERMUTED, *colliding(embedder)])
    (found,) = said(engine, embedder)
    assert (found.level, "it was asked again" in found.evidence) == ("ok", True)
    assert {f.level for f in said(engine)} == {"warning"}, "without it nothing explains them"


@pytest.mark.parametrize("embedder", [HashingEmbedder(), TinyEmbedder()])
def test_a_text_that_kept_the_vector_of_another_is_found_whatever_the_kind(
    engine: Engine, embedder: TinyEmbedder
) -> None:
    stored(engine, embedder, ["a text", "other words", "and some more"])
    execute(
        engine,
        f"UPDATE {LEAF} SET embedding = (SELECT embedding FROM {LEAF} WHERE content = 'a text')"
        " WHERE content = 'other words'",
    )
    (found,) = said(engine, embedder)
    assert (found.level, found.evidence) == (
        "warning",
        "1 vectors belong to several different texts",
    )
    assert found.to_do


def test_the_order_matters_to_a_model_that_reads_it(engine: Engine) -> None:
    stored(engine, TinyEmbedder(), ["a b", "b a", "c"])
    execute(
        engine,
        f"UPDATE {LEAF} SET embedding = (SELECT embedding FROM {LEAF} WHERE content = 'a b')"
        " WHERE content = 'b a'",
    )
    for given in (TinyEmbedder(), None):
        assert [f.level for f in said(engine, given)] == ["warning"]


def test_texts_that_a_model_cuts_off_are_found(engine: Engine) -> None:
    same = "the same beginning " * 20
    stored(engine, Beginnings(), [f"{same} one end", f"{same} another end", "short"])
    (found,) = said(engine, Beginnings())
    assert (found.level, "shorter chunks" in found.to_do) == ("warning", True)


def test_empty_texts_are_spoken_of_once_and_as_what_they_are(engine: Engine) -> None:
    stored(engine, HashingEmbedder(), ["a text", "a text too"])
    add_empty(engine, "", " ", "\n\t", "")
    assert said(engine, HashingEmbedder()) == []
    assert said(engine, HashingEmbedder(), "text of another one") == []
    (found,) = said(engine, HashingEmbedder(), "have an empty text")
    assert (found.level, "4 of 6 chunks" in found.evidence) == ("warning", True)


def test_zeros_of_an_empty_text_are_no_problem_and_others_are(engine: Engine) -> None:
    stored(engine, HashingEmbedder(), ["a text", "a text too"])
    add_empty(engine, "")
    execute(engine, f"ALTER TABLE {LEAF} DROP CONSTRAINT pgvec_not_zero")
    zero = f"UPDATE {LEAF} SET embedding = '[0,0,0,0,0,0,0,0]' WHERE content = %s"
    execute(engine, zero, "")
    assert said(engine, None, "all zeros") == []
    execute(engine, zero, "a text")
    assert [f.level for f in said(engine, None, "all zeros")] == ["problem"]


def test_the_kind_is_in_the_name() -> None:
    for provider, model in [
        ("static-tokens", "any"),
        ("sentence-transformers", "minishlab/potion-base-8M"),
        ("sentence-transformers", "static-retrieval-mrl-en-v1"),
        ("hashing", "sha1"),
        ("sklearn", "HashingVectorizer"),
        ("custom", "bag-of-words"),
    ]:
        assert order_free({"provider": provider, "model": model}), model
    for model in ("all-MiniLM-L6-v2", "text-embedding-3-small", "rainbow-large", "wordy-7b"):
        assert not order_free({"provider": "openai", "model": model}), model
    assert not order_free({})


def test_words_are_compared_as_tokenizers_read_them() -> None:
    assert spelling("Crème  brûlée!") == spelling("creme brulee !")
    assert bag("a b b a") == bag("b a")
    assert bag("a b b") != bag("a b")
    assert bag("") == {}
