"""Groups of vectors that different models made. Pure; imports scikit-learn when it is called.

Topics form clusters too. The difference: between two topics the texts differ as well, between two
models only the vectors do. So a cut counts if hardly any vector has a near neighbour on the other
side, while the nearest texts (by their words) are on either side as if by chance.
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

Labels: TypeAlias = npt.NDArray[np.int64]

#: Near neighbours to compare, by vector and by words.
_NEIGHBOURS, _LEXICAL = 10, 3
#: Rows that each side of a cut must have: fewer prove nothing.
_LEAST = 12
#: Edges that cross a cut, as a share of what chance gives: at most for vectors, at least for texts.
#: Measured between two models: up to 0.001, and 0.86 or more. Measured between two topics: up to
#: 0.61 of the texts. See docs/fingerprints.md.
_VECTORS_CROSS, _TEXTS_CROSS = 0.02, 0.7
#: Connected pieces that are tried as one side of a cut: outliers can form many tiny ones.
_MOST_PIECES = 20
#: Character n-grams kept to compare texts by their words.
_MOST_WORDS = 50_000


def _library(name: str) -> Any:
    # By name, and only when it is needed: it has no type stubs and is slow to import.
    try:
        return import_module(name)
    except ImportError as exc:
        raise RequirementMissing(
            f"looking for clusters needs a library that cannot be imported: {exc}.",
            hint="Run: pip install 'pgvec-versions[doctor]'",
        ) from exc


def _crossing(neighbours: Labels, side: Labels) -> float:
    """Edges that cross the cut, as a share of what chance gives. Shape: neighbours (n, k)."""
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
    for piece in range(min(int(pieces), _MOST_PIECES)):
        yield (np.asarray(label) == piece).astype(np.int64)
    means = cluster.KMeans(n_clusters=2, n_init=5, random_state=0)
    yield np.asarray(means.fit_predict(rows), dtype=np.int64)
    cut = cluster.SpectralClustering(n_clusters=2, affinity="precomputed", random_state=0)
    yield np.asarray(cut.fit_predict(0.5 * (edges + edges.T)), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut of the rows in two, and how many edges cross it: 0 none, 1 as many as by chance."""

    side: Labels
    vectors_cross: float
    texts_cross: float

    @property
    def believed(self) -> bool:
        """Whether different models made the sides, and not only different topics."""
        return self.vectors_cross <= _VECTORS_CROSS and self.texts_cross >= _TEXTS_CROSS


def _cuts(rows: npt.NDArray[np.float32], lexical: Labels) -> Iterator[Cut]:
    neighbours = _nearest(rows, _NEIGHBOURS)
    for side in _candidates(rows, neighbours):
        if min(int(side.sum()), int((1 - side).sum())) >= _LEAST:
            yield Cut(side, _crossing(neighbours, side), _crossing(lexical, side))


def _split(rows: npt.NDArray[np.float32], lexical: Labels) -> Labels | None:
    """The sides of the clearest cut between two models, or None."""
    believed = [cut for cut in _cuts(rows, lexical) if cut.believed]
    return max(believed, key=lambda cut: cut.texts_cross).side if believed else None


def _words(texts: Sequence[str]) -> Any:
    extraction = _library("sklearn.feature_extraction.text")
    words = extraction.TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), max_features=_MOST_WORDS
    )
    return words.fit_transform(texts)


def cuts(vectors: npt.NDArray[np.float32], texts: Sequence[str]) -> list[Cut]:
    """All cuts that ``model_groups`` would weigh first, with their figures.

    For ``bench.model_groups``. Shape and Raises: as there.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_cuts(unit, _nearest(_words(texts), _LEXICAL)))


def model_groups(vectors: npt.NDArray[np.float32], texts: Sequence[str]) -> Labels:
    """Groups the rows by model: the vectors of a group are comparable. One group if all are.

    It does not see models whose vectors are close (the same model with another prefix), fewer than
    a dozen strangers, or models that divide the texts by topic.
    Shape: (n, dimensions) without zero rows; returns (n,).
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
        # scikit-learn warns about a graph in pieces, which is what we look for.
        warnings.simplefilter("ignore")
        divide(np.arange(len(vectors)), 1)
    return label
