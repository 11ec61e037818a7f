"""What these tests share: an embedder of words, texts, and sabotage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import Embedder, EmbedderIdentity
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.values import Chunk
from tests.db.helpers import create_collection
from tests.tools import TinyEmbedder


class WordsEmbedder(TinyEmbedder):
    """A vector from the words of a text: texts that share words are near. Instant and exact."""

    def __init__(self, seed: str = "a", dimensions: int = 32) -> None:
        super().__init__(seed, dimensions)
        self._words: dict[str, npt.NDArray[np.float32]] = {}

    @property
    def identity(self) -> EmbedderIdentity:
        return EmbedderIdentity(
            "words", f"words-{self.seed}", "1", {"dimensions": self._dimensions}
        )

    def _word(self, word: str) -> npt.NDArray[np.float32]:
        if word not in self._words:
            self._words[word] = self.vector(word)
        return self._words[word]

    def embed_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.seen.extend(texts)
        sums = [
            np.sum([self._word(w) for w in re.findall(r"\w+", t.lower()) or ["-"]], axis=0)
            for t in texts
        ]
        rows = np.stack(sums) if sums else np.empty((0, self._dimensions))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def passages(count: int, length: int = 500) -> list[Chunk]:
    """Real text: passages of the Python language reference."""

    def all_of_them() -> Iterator[Chunk]:
        for name, text in sorted(topics.items()):
            paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
            whole = [p for p in paragraphs if 120 <= len(p) <= length]
            for position, paragraph in enumerate(whole[:6]):
                yield Chunk(paragraph, name, position)

    return [chunk for _, chunk in zip(range(count), all_of_them(), strict=False)]


def two_versions(
    engine: Engine,
    old: Embedder,
    new: Embedder,
    chunks: Sequence[Chunk | str],
    **options: Any,
) -> ChunkStore:
    """docs with v1 active and v2 ready, both whole. Options go to v2's transition."""
    create_collection(engine)
    Transition(engine, "docs", "v1", old).run(cut_over=True)
    store = ChunkStore(engine, "docs", {"v1": old, "v2": new})
    store.add(chunks)
    Transition(engine, "docs", "v2", new, **options).run()
    return store
