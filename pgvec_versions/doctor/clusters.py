"""Clusters of vectors that do not belong to one model. Pure; loads scikit-learn when called.

Topics form clusters too. The difference: where a topic ends, texts change; where a model ends, only
vectors do. So a split counts if hardly any vector has a near neighbour on the other side, while
the texts' own nearest neighbours (by their words) lie on both sides as if by chance.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pgvec_versions.errors import RequirementMissing

__all__ = ["Cut", "cuts", "model_groups"]

Labels: TypeAlias = npt.NDArray[np.int64]

#: Near neighbours that are looked at, by vector and by words.
_NEIGHBOURS, _LEXICAL = 10, 3
#: Fewer rows say nothing, on either side.
_LEAST = 12
#: Crossing edges, as a share of those that chance would give. Between two models up to 0.001 and
#: from 0.86 on were measured, at the edge of a topic up to 0.61 of the texts: docs/fingerprints.md.
_VECTORS_CROSS, _TEXTS_CROSS = 0.02, 0.7


def _library(name: str) -> Any:
    # Without type stubs, and slow to import: fetched by name when it is needed.
    try:
        return import_module(name)
    except ImportError as exc:
        raise RequirementMissing(
            f"looking for clusters needs a library that cannot be imported: {exc}.",
            hint="Run: pip install 'pgvec-versions[doctor]'",
        ) from exc


def _crossing(neighbours: Labels, side: Labels) -> float:
    """Edges between the sides, as a share of what chance gives. Shape: neighbours (n, k)."""
    share = float(side.mean())
    expected = 2 * share * (1 - share)
    return float((side[neighbours] != side[:, None]).mean()) / expected if expected else 1.0


def _nearest(matrix: Any, count: int, metric: str = "cosine") -> Labels:
    neighbors = _library("sklearn.neighbors")
    search = neighbors.NearestNeighbors(n_neighbors=count + 1, metric=metric, algorithm="brute")
    found = search.fit(matrix).kneighbors(matrix, return_distance=False)
    return np.asarray(found[:, 1:], dtype=np.int64)


def _candidates(rows: npt.NDArray[np.float32], neighbours: Labels) -> Iterator[Labels]:
    """Ways to cut the rows in two."""
    sparse, cluster = _library("scipy.sparse"), _library("sklearn.cluster")
    count = len(rows)
    edges = sparse.coo_matrix(
        (
            np.ones(neighbours.size),
            (np.repeat(np.arange(count), neighbours.shape[1]), neighbours.ravel()),
        ),
        shape=(count, count),
    )
    pieces, label = _library("scipy.sparse.csgraph").connected_components(edges, directed=False)
    for piece in range(min(int(pieces), 20)):
        yield (np.asarray(label) == piece).astype(np.int64)
    means = cluster.KMeans(n_clusters=2, n_init=5, random_state=0)
    yield np.asarray(means.fit_predict(rows), dtype=np.int64)
    cut = cluster.SpectralClustering(n_clusters=2, affinity="precomputed", random_state=0)
    yield np.asarray(cut.fit_predict(0.5 * (edges + edges.T)), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows cut in two, and how much crosses: 0 nothing, 1 as much as chance gives."""

    side: Labels
    vectors_cross: float
    texts_cross: float

    @property
    def believed(self) -> bool:
        """Whether a model ends here, and not a topic."""
        return self.vectors_cross <= _VECTORS_CROSS and self.texts_cross >= _TEXTS_CROSS


def _cuts(rows: npt.NDArray[np.float32], lexical: Labels) -> Iterator[Cut]:
    neighbours = _nearest(rows, _NEIGHBOURS)
    for side in _candidates(rows, neighbours):
        if min(int(side.sum()), int((1 - side).sum())) >= _LEAST:
            yield Cut(side, _crossing(neighbours, side), _crossing(lexical, side))


def _split(rows: npt.NDArray[np.float32], lexical: Labels) -> Labels | None:
    """The two sides of the clearest cut that is no matter of topics, or None."""
    cuts = [cut for cut in _cuts(rows, lexical) if cut.believed]
    return max(cuts, key=lambda cut: cut.texts_cross).side if cuts else None


def _words(texts: Sequence[str]) -> Any:
    extraction = _library("sklearn.feature_extraction.text")
    words = extraction.TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), max_features=50_000)
    return words.fit_transform(texts)


def cuts(vectors: npt.NDArray[np.float32], texts: Sequence[str]) -> list[Cut]:
    """The cuts of a whole table that are weighed, with their figures; for ``bench.model_groups``.

    Shape and Raises: as ``model_groups``.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_cuts(unit, _nearest(_words(texts), _LEXICAL)))


def model_groups(vectors: npt.NDArray[np.float32], texts: Sequence[str]) -> Labels:
    """A group for every row: those whose vectors are comparable; one group when all are.

    Not seen: models whose vectors are near each other (the same one with another prefix), fewer
    than a dozen strangers, and models that divide the texts by topic.
    Shape: (n, dimensions), no zero rows, gives (n,).
    Raises: RequirementMissing without the extra ``doctor``.
    """
    label = np.zeros(len(vectors), dtype=np.int64)
    if len(vectors) < 2 * _LEAST:
        return label
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    matrix = _words(texts)

    def divide(members: Labels, next_label: int) -> int:
        if len(members) < 2 * _LEAST:
            return next_label
        side = _split(unit[members], _nearest(matrix[members], _LEXICAL))
        if side is None:
            return next_label
        label[members[side == 1]] = next_label
        other = next_label
        next_label = divide(members[side == 0], next_label + 1)
        return divide(np.flatnonzero(label == other), next_label)

    with warnings.catch_warnings():
        # A graph in pieces is what is looked for.
        warnings.simplefilter("ignore")
        divide(np.arange(len(vectors)), 1)
    return label
