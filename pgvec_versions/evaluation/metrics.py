"""Metrics of rankings. Pure; ir-measures computes the retrieval metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

#: Of the bootstrap. scipy takes 9999 by default; an interval in a report needs fewer.
_RESAMPLES = 2000
#: Of the permutation test: about scipy's default. They bound the smallest possible p-value.
_PERMUTATIONS = 5 * _RESAMPLES
#: The same values give the same interval and p-value.
_SEED = 20240229


def recall(found: Sequence[float], exact: Sequence[float], k: int) -> float:
    """The share of the true k nearest that were found. Compares distances.

    Not ids: chunks with the same text are equally near, and any of them is right.
    """
    truth = list(exact[:k])
    if not truth:
        return 1.0
    # The index adds up in another order than the exact scan: the last digits may differ.
    limit = truth[-1] + 1e-6 + 1e-6 * abs(truth[-1])
    return min(sum(1 for distance in found[:k] if distance <= limit), len(truth)) / len(truth)


def overlap(one: Sequence[str], other: Sequence[str], k: int) -> float:
    """The share of ids that two rankings share among their first k."""
    first, second = set(one[:k]), set(other[:k])
    most = max(len(first), len(second))
    return len(first & second) / most if most else 1.0


def rank_correlation(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Kendall's tau over the ids in both rankings; None if they share fewer than two."""
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    places = {name: place for place, name in enumerate(other)}
    pairs = [(place, places[name]) for place, name in enumerate(one) if name in places]
    if len(pairs) < 2:
        return None
    tau = cast("Any", stats).kendalltau([a for a, _ in pairs], [b for _, b in pairs]).statistic
    return float(tau)


def retrieval(
    relevant: Sequence[Mapping[str, int]], rankings: Sequence[Sequence[str]], k: int
) -> dict[str, list[float]]:
    """``hit_rate@k``, ``mrr@k`` and ``ndcg@k``, a value for each query.

    ``relevant`` maps ids to grades of 1 and more. Source: trec_eval's definitions, by ir-measures.
    """
    import ir_measures
    from ir_measures import RR, Success, nDCG

    measures = {f"hit_rate@{k}": Success @ k, f"mrr@{k}": RR @ k, f"ndcg@{k}": nDCG @ k}
    names = {str(measure): name for name, measure in measures.items()}
    judged = {str(i): dict(grades) for i, grades in enumerate(relevant)}
    # The scores only tell the order. A query with an empty ranking keeps its 0.0 below.
    runs = {
        str(i): {name: float(len(ranking) - place) for place, name in enumerate(ranking)}
        for i, ranking in enumerate(rankings)
        if ranking
    }
    found = {name: [0.0] * len(relevant) for name in measures}
    if runs:
        for metric in cast("Any", ir_measures).iter_calc(list(measures.values()), judged, runs):
            found[names[str(metric.measure)]][int(metric.query_id)] = float(metric.value)
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% confidence interval of the mean, by bootstrap over the queries."""
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    if len(values) < 2 or len(set(values)) == 1:
        mean = float(np.mean(values)) if values else 0.0
        return mean, mean
    made = (
        cast("Any", stats)
        .bootstrap(
            (np.asarray(values),),
            np.mean,
            method="percentile",
            n_resamples=_RESAMPLES,
            rng=np.random.default_rng(_SEED),
        )
        .confidence_interval
    )
    return float(made.low), float(made.high)


def significance(before: Sequence[float], after: Sequence[float]) -> float:
    """The p-value of a difference in means: a paired, two-sided permutation test."""
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    one, other = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if len(one) < 2 or not (one - other).any():
        return 1.0

    def difference(
        x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], axis: int = -1
    ) -> npt.NDArray[np.float64]:
        return np.mean(y, axis=axis) - np.mean(x, axis=axis)

    made = cast("Any", stats).permutation_test(
        (one, other),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=_PERMUTATIONS,
        rng=np.random.default_rng(_SEED),
    )
    return float(made.pvalue)


def deviation(before: Sequence[float], after: Sequence[float]) -> float:
    """The standard deviation of the differences of a sample; 0 for fewer than two."""
    differences = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    return float(differences.std(ddof=1)) if len(differences) > 1 else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` percent of the values do not exceed; 0 without values."""
    return float(np.percentile(values, share)) if values else 0.0
