"""Distances in two models: how they spread, and what a threshold becomes. Pure.

A score threshold does not carry over, because models spread their distances differently. But we can
tell which threshold of the new model lets the same share of results pass, and how far the two
models then agree on which results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Bins of a histogram.
_BINS = 36
#: Quantiles of the old distances for which the table translates a threshold.
_SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

#: The nearest chunks of a query: chunk id and distance.
Ranking = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A threshold of the old model, and the one of the new model that as many results pass.

    ``share``: of the results, those that pass. ``agreement``: the Jaccard index of the two sets.
    """

    old: float
    new: float
    share: float
    agreement: float

    def to_json(self) -> dict[str, float]:
        """The form in which an evaluation stores it."""
        return asdict(self)


def map_threshold(old: Sequence[Ranking], new: Sequence[Ranking], threshold: float) -> Mapped:
    """Translates a threshold of the old model to the new one.

    Shape: ``old`` and ``new`` have a ranking for each query, in the same order.
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
    """The thresholds at several quantiles of the old model's distances, translated."""
    before = _pooled(old)
    if not before.size:
        return []
    return [map_threshold(old, new, float(np.quantile(before, share))) for share in _SHARES]


def histogram(groups: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Counts of each group over the same bins. Shape: one more edge than counts."""
    everything = np.asarray([d for values in groups.values() for d in values], dtype=np.float64)
    if not everything.size:
        return {"edges": [], "counts": {}}
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + 1e-6, _BINS + 1)
    counts = {name: np.histogram(v, bins=edges)[0].tolist() for name, v in groups.items()}
    return {"edges": [round(float(edge), 6) for edge in edges], "counts": counts}


def pair_distances(vectors: npt.NDArray[np.float32], distance: str) -> list[float]:
    """Distances between neighbours in a list of random vectors, as pgvector computes them.

    Shape: (n, dimensions); returns n - 1.
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
