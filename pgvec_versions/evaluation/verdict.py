"""The verdict of a report: what the figures of an evaluation say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pgvec_versions.evaluation.bounds import failure_text
from pgvec_versions.evaluation.records import Evaluation

#: A version whose embedder reproduces a smaller share of the stored vectors does not hold what its
#: label says.
_REPRODUCED = 0.95
#: A difference with a p-value below this is shown, and not chance.
SURE = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence, how it is meant, and the reasons."""

    word: str
    tone: Literal["good", "bad", "plain"]
    because: tuple[str, ...]


def judge(evaluation: Evaluation, gate: Mapping[str, Any]) -> Verdict:
    """The gate's verdict if there is a gate, else what the figures show.

    ``gate``: what ``check_gate`` returned.
    """
    k = evaluation.detail.get("k", 10)
    label, metrics = evaluation.model_version, evaluation.metrics
    ndcg = f"ndcg@{k}"
    change = evaluation.detail.get("significance", {}).get(ndcg)
    reproduced = metrics.get("reproduced", 1.0)
    foreign = reproduced < _REPRODUCED
    because: list[str] = [failure_text(failure) for failure in gate.get("failures", ())]
    if foreign:
        because.append(
            f"the version's own embedder reproduces only {reproduced:.0%} of the stored vectors "
            "that were tried"
        )
    if change is not None:
        because.append(
            f"{ndcg} {evaluation.baseline.get(ndcg, 0):.3f} → {metrics.get(ndcg, 0):.3f} "
            f"({change['delta']:+.3f}, p = {change['p']:.2g}) over {evaluation.queries} queries"
        )
    elif ndcg in metrics:
        because.append(f"{ndcg} is {metrics[ndcg]:.3f} over {evaluation.queries} queries")
    recall = metrics.get(f"recall@{k}")
    if recall is not None:
        because.append(f"the index finds {recall:.1%} of what an exact search finds")
    reasons = tuple(because)
    if gate.get("gated"):
        if not gate["passed"]:
            return Verdict(f"The gate stops {label}", "bad", reasons)
        return Verdict(f"The gate lets {label} through", "bad" if foreign else "good", reasons)
    if foreign:
        return Verdict(f"{label} does not hold its own vectors", "bad", reasons)
    if change is None:
        return Verdict(f"{label} was measured", "plain", reasons)
    if change["p"] < SURE and change["delta"] < 0:
        return Verdict(f"{label} is worse", "bad", reasons)
    if change["p"] < SURE and change["delta"] > 0:
        return Verdict(f"{label} is better", "good", reasons)
    return Verdict("No difference in quality is shown", "plain", reasons)
