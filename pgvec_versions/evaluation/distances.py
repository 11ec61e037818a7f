"""Distances of one model and of another: how they spread, and what a threshold becomes. Pure.

A score threshold does not carry over: the models spread their distances differently. What can be
said is which threshold of the new model lets through as large a share of the results as the old
one did, and how far the two then agree on which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Ranking", "histogram", "map_threshold", "pair_distances", "threshold_table"]

_BINS = 36
_SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

Ranking = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A threshold of the old model and the one of the new that lets as many results through.

    ``share`` of the results passes both; ``agreement`` is the Jaccard index of which ones.
    """

    old: float
    new: float
    share: float
    agreement: float

    def to_json(self) -> dict[str, float]:
        """As it is stored."""
        return asdict(self)


def map_threshold(old: Sequence[Ranking], new: Sequence[Ranking], threshold: float) -> Mapped:
    """What ``threshold`` of the old model corresponds to in the new.

    Shape: for each query, in the same order, its nearest chunks with their distances.
    """
    before, after = _pooled(old), _pooled(new)
    if not before.size or not after.size:
        return Mapped(threshold, threshold, 0.0, 0.0)
    share = float(np.mean(before <= threshold))
    mapped = float(np.quantile(after, share)) if share > 0 else float(after.min())
    agreed: list[float] = []
    for one, other in zip(old, new, strict=True):
        first = {name for name, distance in one if distance <= threshold}
        second = {name for name, distance in other if distance <= mapped}
        if first or second:
            agreed.append(len(first & second) / len(first | second))
    return Mapped(threshold, mapped, share, float(np.mean(agreed)) if agreed else 1.0)


def threshold_table(old: Sequence[Ranking], new: Sequence[Ranking]) -> list[Mapped]:
    """The mapping at the quantiles of the old model's distances."""
    before = _pooled(old)
    if not before.size:
        return []
    return [map_threshold(old, new, float(np.quantile(before, share))) for share in _SHARES]


def histogram(groups: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Counts of each group over the same bins. Shape: ``edges`` has one more than the counts."""
    everything = np.asarray([d for values in groups.values() for d in values], dtype=np.float64)
    if not everything.size:
        return {"edges": [], "counts": {}}
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + 1e-6, _BINS + 1)
    counts = {name: np.histogram(v, bins=edges)[0].tolist() for name, v in groups.items()}
    return {"edges": [round(float(edge), 6) for edge in edges], "counts": counts}


def pair_distances(vectors: npt.NDArray[np.float32], distance: str) -> list[float]:
    """Distances between neighbours in a list of random chunks, as pgvector computes them.

    Shape: (n, dimensions) gives n - 1.
    """
    wide = vectors.astype(np.float64)
    one, other = wide[:-1], wide[1:]
    if distance == "l2":
        return np.linalg.norm(one - other, axis=1).tolist()
    products = np.sum(one * other, axis=1)
    if distance == "inner_product":
        return (-products).tolist()
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (1.0 - products / np.maximum(lengths, 1e-30)).tolist()


def _pooled(rankings: Sequence[Ranking]) -> npt.NDArray[np.float64]:
    return np.asarray([d for ranking in rankings for _, d in ranking], dtype=np.float64)
