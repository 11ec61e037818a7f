"""What a measurement shows: the metrics, and the details that a report draws. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgvec_versions.evaluation import metrics
from pgvec_versions.evaluation.distances import histogram, map_threshold, threshold_table
from pgvec_versions.evaluation.queries import Query, QuerySet
from pgvec_versions.evaluation.side import Hit, Side, answers

#: Queries that the details tell of, among the won and among the lost ones.
_TOLD = 12
#: Ids of right answers that they list for each.
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a candidate, beside those of the active version if there is one.

    ``k``: the hits that count.
    """

    asked: QuerySet
    k: int
    candidate: Side
    baseline: Side | None

    def metrics(self, side: Side) -> dict[str, float]:
        """The metrics of one side, by the names that a gate's bounds use."""
        k = self.k
        made: dict[str, float] = {
            f"recall@{k}": float(np.mean(side.recalls)),
            "search_ms_p50": metrics.percentile(side.search_ms, 50),
            "search_ms_p95": metrics.percentile(side.search_ms, 95),
            "embed_ms_p50": metrics.percentile(side.embed_ms, 50),
            "embed_ms_p95": metrics.percentile(side.embed_ms, 95),
            "index_bytes": float(side.facts.get("index_bytes") or 0),
            "table_bytes": float(side.facts.get("table_bytes") or 0),
            **{name: float(np.mean(values)) for name, values in side.quality.items()},
        }
        if side.reproduced is not None:
            made["reproduced"] = side.reproduced
        if side is self.candidate and self.baseline is not None:
            made[f"overlap@{k}"] = float(np.mean(self._overlaps(self.baseline)))
            correlations = [
                tau
                for new, old in self._rankings(self.baseline)
                if (tau := metrics.rank_correlation(new, old)) is not None
            ]
            if correlations:
                made["rank_correlation"] = float(np.mean(correlations))
        return {name: round(value, 6) for name, value in made.items()}

    def _rankings(self, baseline: Side) -> list[tuple[list[str], list[str]]]:
        """The ids of the nearest chunks for each query: the candidate's, the baseline's."""
        return [
            ([chunk_id for chunk_id, _ in new], [chunk_id for chunk_id, _ in old])
            for new, old in zip(self.candidate.exact, baseline.exact, strict=True)
        ]

    def _overlaps(self, baseline: Side) -> list[float]:
        return [metrics.overlap(new, old, self.k) for new, old in self._rankings(baseline)]

    def detail(self, thresholds: Sequence[float]) -> dict[str, Any]:
        """What a report draws. ``thresholds``: distances of the active version to translate."""
        sides = {"candidate": self.candidate}
        if self.baseline is not None:
            sides["baseline"] = self.baseline
        made: dict[str, Any] = {
            "k": self.k,
            "source": self.asked.source,
            "intervals": {name: self._intervals(side) for name, side in sides.items()},
            "sweep": {name: side.sweep for name, side in sides.items()},
            "facts": {name: side.facts for name, side in sides.items()},
            "canaries": {
                name: {
                    "canaries": len(side.canaries.cosines),
                    "least_cosine": round(side.canaries.least_cosine, 6),
                    "worst": side.canaries.worst,
                }
                for name, side in sides.items()
                if side.canaries is not None
            },
            "distances": {name: self._distances(side) for name, side in sides.items()},
        }
        if self.baseline is not None:
            made |= self._comparison(self.baseline, thresholds)
        return made

    def _intervals(self, side: Side) -> dict[str, list[float]]:
        values = {f"recall@{self.k}": side.recalls, **side.quality}
        return {name: list(metrics.interval(of_queries)) for name, of_queries in values.items()}

    def _distances(self, side: Side) -> dict[str, Any]:
        return histogram(
            {
                "nearest": [distance for ranking in side.exact for _, distance in ranking[:1]],
                "top": [distance for ranking in side.exact for _, distance in ranking[: self.k]],
                "random": side.random,
            }
        )

    def _comparison(self, baseline: Side, thresholds: Sequence[float]) -> dict[str, Any]:
        new, old = self.candidate, baseline
        return {
            "thresholds": [m.to_json() for m in threshold_table(old.exact, new.exact)],
            "asked_thresholds": [
                map_threshold(old.exact, new.exact, t).to_json() for t in thresholds
            ],
            "significance": {
                name: {
                    "delta": float(np.mean(new.quality[name]) - np.mean(values)),
                    "p": metrics.significance(values, new.quality[name]),
                }
                for name, values in old.quality.items()
            },
            "deviations": {
                name: metrics.deviation(values, new.quality[name])
                for name, values in old.quality.items()
            },
            "overlaps": [round(value, 4) for value in self._overlaps(baseline)],
        }

    def changes(self) -> Changes | None:
        """How nDCG changed from query to query. None without a baseline or without labels."""
        if self.baseline is None or not self.asked.judged:
            return None
        name = f"ndcg@{self.k}"
        before, after = self.baseline.quality[name], self.candidate.quality[name]
        differences = [new - old for old, new in zip(before, after, strict=True)]
        return Changes(self.asked.queries, name, self.baseline, self.candidate, differences)


@dataclass(frozen=True, slots=True)
class Changes:
    """The change of one metric for each query."""

    queries: Sequence[Query]
    metric: str
    old: Side
    new: Side
    differences: Sequence[float]

    def _worst_first(self) -> list[int]:
        return sorted(range(len(self.differences)), key=lambda i: (self.differences[i], i))

    def losses(self) -> list[int]:
        """The queries that lost most, the worst first, by their number."""
        return [i for i in self._worst_first() if self.differences[i] < 0][:_TOLD]

    def wins(self) -> list[int]:
        """The queries that won most, the best first, by their number."""
        return [i for i in reversed(self._worst_first()) if self.differences[i] > 0][:_TOLD]

    def first_hits(self) -> set[str]:
        """The chunks whose texts ``detail`` shows."""
        return {
            chunk_id
            for side in (self.old, self.new)
            for i in (*self.wins(), *self.losses())
            for chunk_id, _, _ in side.found[i][:1]
        }

    def detail(self, texts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """What a report tells of the queries. ``texts``: the first hits, by chunk id."""
        return {
            "changes": [round(self.differences[i], 4) for i in self._worst_first()],
            "won": sum(difference > 0 for difference in self.differences),
            "lost": sum(difference < 0 for difference in self.differences),
            "wins": [self._query_detail(i, texts) for i in self.wins()],
            "losses": [self._query_detail(i, texts) for i in self.losses()],
        }

    def _query_detail(self, number: int, texts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        query = self.queries[number]

        def of(side: Side) -> dict[str, Any]:
            found = side.found[number]
            first = next((chunk_id for chunk_id, _, _ in found), None)
            return {
                "score": round(side.quality[self.metric][number], 4),
                "place": _place(query, found),
                "first": None if first is None else texts.get(first),
            }

        return {
            "query": query.text,
            "relevant": list(query.relevant)[:_LISTED],
            "old": of(self.old),
            "new": of(self.new),
        }


def _place(query: Query, found: Sequence[Hit]) -> int | None:
    """The rank of the first right answer, from 1; None if there is none."""
    for place, name in enumerate(answers(query, found), 1):
        if name in query.relevant:
            return place
    return None
