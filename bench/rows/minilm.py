"""A backfill with the real all-MiniLM-L6-v2, against the model alone on the same texts."""

from __future__ import annotations

from typing import Any

from bench.figures import Figure
from bench.lab import Lab, timed
from bench.models import MODEL, REVISION, passages
from bench.writing import Load, filled
from pgvec_versions import SentenceTransformerEmbedder, Transition

ROW = "minilm"


def measure(lab: Lab) -> list[Figure]:
    """The model's own ``encode`` gets all texts at once and sorts them by length."""
    texts = passages(96 if lab.quick else 400)
    rows = Load(texts, lab.vectors(len(texts)))
    embedder = SentenceTransformerEmbedder(MODEL, revision=REVISION)
    assert embedder.dimensions == rows.vectors.shape[1]
    model: Any = embedder._model  # pyright: ignore[reportPrivateUsage]
    model.encode(texts[:8], show_progress_bar=False)

    def ours() -> float:
        upgrade = Transition(filled(lab, rows), "docs", "v2", embedder)
        upgrade.begin()
        seconds = timed(upgrade.backfill)
        assert upgrade.missing() == 0
        return seconds

    def alone() -> float:
        return timed(lambda: model.encode(texts, batch_size=64, show_progress_bar=False))

    taken, encode = (spread.rates(len(texts)) for spread in lab.alternate(ours, alone))
    return [
        Figure.compared(
            ROW,
            "Transition.backfill with all-MiniLM-L6-v2",
            "the model's own encode over the same texts, length-sorted, alone",
            taken.median,
            encode.median,
            "texts/s",
            "≥ 0.95",
            rows=len(texts),
            characters=sum(map(len, texts)) / len(texts),
            spread=taken.to_json(),
        )
    ]
