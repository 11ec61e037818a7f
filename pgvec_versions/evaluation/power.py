"""How much a number of queries proves: the smallest difference that they would show. Pure.

``(t(1 - alpha/2, n - 1) + t(1 - beta, n - 1)) · s / √n``, with ``s`` the standard deviation of the
differences, a query each: the minimum detectable effect of a paired test. A true difference of this
size is shown (p < 0.05) in four of five evaluations.

Source: Bloom, Minimum Detectable Effects, Evaluation Review 19 (1995), 547-556. Where no query
changed there is no deviation; then at most ``1 - 0.05^(1/n)`` of all queries change, with 95%
confidence. Source: Hanley and Lippman-Hand, If Nothing Goes Wrong, Is Everything All Right?, JAMA
249 (1983), 1743-1745.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pgvec_versions.evaluation.records import JUDGED, Evaluation

#: How often chance may show a difference that is not there, and how often a true one must show.
_ALPHA, _POWER = 0.05, 0.8
#: With fewer queries, even one and the same change of each has a p-value above ``_ALPHA``: the
#: permutation test knows 2ⁿ signs, and two of them are as extreme.
LEAST_QUERIES = 6
#: A difference that people ask about.
_SMALL = 0.05
#: No measure of retrieval can change by more.
_LARGEST = 1.0


def detectable(deviation: float, queries: int) -> float | None:
    """The smallest true difference in means that the queries would show. None: there is none.

    ``deviation``: the standard deviation of the differences, a query each.
    """
    if queries < LEAST_QUERIES:
        return None
    if deviation <= 0:
        return float(1 - _ALPHA ** (1 / queries))
    found = _quantiles(queries) * deviation / math.sqrt(queries)
    return found if found < _LARGEST else None


def queries_for(difference: float, deviation: float) -> int:
    """About how many queries would show a true difference of this size."""
    wanted = LEAST_QUERIES
    # The quantiles depend on the number; they settle after a few rounds.
    for _ in range(8):
        wanted = max(LEAST_QUERIES, math.ceil((_quantiles(wanted) * deviation / difference) ** 2))
    return wanted


def _quantiles(queries: int) -> float:
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    t = cast("Any", stats).t
    return float(t.ppf(1 - _ALPHA / 2, queries - 1) + t.ppf(_POWER, queries - 1))


@dataclass(frozen=True, slots=True)
class Proof:
    """What the queries of an evaluation can show; ``smallest`` has a difference for each metric."""

    sentences: tuple[str, ...]
    smallest: Mapping[str, float | None]


def proof(evaluation: Evaluation) -> Proof | None:
    """How much the queries prove of old against new. None where right answers are not known."""
    if evaluation.kind not in JUDGED or evaluation.baseline_version is None:
        return None
    queries = evaluation.queries
    if queries < LEAST_QUERIES:
        chance = min(1.0, 2 / 2**queries)
        return Proof(
            (
                f"{_counted(queries)} cannot show a difference in quality: even if each changed "
                f"in the same direction, that is too often chance (p = {chance:.2g}).",
                f"Ask {LEAST_QUERIES} or more; for small differences, many more.",
            ),
            {},
        )
    deviations = _deviations(evaluation)
    smallest = {name: detectable(deviation, queries) for name, deviation in deviations.items()}
    metric = f"ndcg@{evaluation.detail.get('k', 10)}"
    if metric not in deviations:
        return Proof((), smallest) if smallest else None
    return Proof(_sentences(metric, queries, deviations[metric], smallest[metric]), smallest)


def _sentences(
    metric: str, queries: int, deviation: float, smallest: float | None
) -> tuple[str, ...]:
    if deviation <= 0:
        return (
            f"No query changed in {metric}. {_counted(queries)} prove only that at most "
            f"{smallest or 1:.0%} of all queries change (with 95% confidence).",
        )
    more = f"To see one of {_SMALL:g}, ask about {queries_for(_SMALL, deviation)}."
    if smallest is None:
        return (f"{_counted(queries)} that differ so much show no difference in {metric}.", more)
    return (
        f"{_counted(queries)} show a true difference in {metric} of {smallest:.3f} or more in "
        "four of five evaluations; a smaller one can stay unseen.",
        *(() if smallest <= _SMALL else (more,)),
    )


def _deviations(evaluation: Evaluation) -> dict[str, float]:
    """Of each metric whose differences are known, by what the evaluation recorded."""
    found = {n: float(value) for n, value in evaluation.detail.get("deviations", {}).items()}
    metric = f"ndcg@{evaluation.detail.get('k', 10)}"
    changes = evaluation.detail.get("changes") or ()
    # An evaluation of an earlier release: it recorded the differences in this metric only.
    if metric not in found and len(changes) == evaluation.queries:
        mean = sum(changes) / len(changes)
        found[metric] = math.sqrt(sum((c - mean) ** 2 for c in changes) / (len(changes) - 1))
    return found


def _counted(queries: int) -> str:
    return f"{queries} {'query' if queries == 1 else 'queries'}"
