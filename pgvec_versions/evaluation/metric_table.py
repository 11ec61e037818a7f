"""The table of a report: the metrics of an evaluation, old against new. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pgvec_versions.evaluation.records import Evaluation
from pgvec_versions.evaluation.verdict import SURE

_TITLES = {
    "recall": "recall of the index",
    "hit_rate": "hit rate",
    "mrr": "MRR",
    "ndcg": "nDCG",
    "overlap": "overlap of old and new",
    "rank_correlation": "rank correlation of old and new",
    "reproduced": "stored vectors reproduced",
    "search_ms_p50": "search, median",
    "search_ms_p95": "search, 95th percentile",
    "embed_ms_p50": "embedding a query, median",
    "embed_ms_p95": "embedding a query, 95th percentile",
    "index_bytes": "index",
    "table_bytes": "table",
}
_ORDER = list(_TITLES)
#: What each measure says, in a line. ``{k}``: the hits that count.
_MEANINGS = {
    "recall": "Share of the {k} nearest chunks, by an exact search, that the index finds.",
    "hit_rate": "Share of queries with a right answer among the first {k} hits.",
    "mrr": "1 divided by the place of the first right answer, 0 if it is not among the first {k}; "
    "the mean of all queries.",
    "ndcg": "How high the right answers are among the first {k} hits, better ones counting more; "
    "1 is the best order.",
    "overlap": "Share of the {k} nearest that old and new have in common: how alike they are, "
    "not which is better.",
    "rank_correlation": "Whether old and new order the same hits alike (Kendall's tau): 1 the same "
    "order, 0 unrelated, -1 reversed.",
    "reproduced": "Share of sampled chunks whose stored vector the version's embedder makes again; "
    "it should be 1.",
    "search_ms_p50": "Half of the searches took no longer, measured at the client.",
    "search_ms_p95": "19 of 20 searches took no longer, measured at the client.",
    "embed_ms_p50": "Half of the queries became a vector in no more time.",
    "embed_ms_p95": "19 of 20 queries became a vector in no more time.",
    "index_bytes": "Size of the HNSW index; searches are fast while it fits into memory.",
    "table_bytes": "Size of the leaf: texts and vectors, without the index.",
    "same_first": "Share of queries whose first hit is the same in old and new.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, as text. ``better`` is None if no difference is shown.

    ``meaning`` says what the measure is; it is empty for a measure of another program.
    """

    name: str
    title: str
    before: str
    after: str
    difference: str
    better: bool | None
    meaning: str


def metric_rows(evaluation: Evaluation) -> list[Row]:
    """The metrics in a fixed order; unknown ones come last."""
    significance = evaluation.detail.get("significance", {})

    def place(name: str) -> tuple[int, str]:
        base = _base(name)
        return (_ORDER.index(base) if base in _ORDER else len(_ORDER)), name

    names = sorted(evaluation.metrics, key=place)
    return [_row(name, evaluation, significance.get(name)) for name in names]


def _base(name: str) -> str:
    return name.split("@")[0]


def _row(name: str, evaluation: Evaluation, change: Mapping[str, float] | None) -> Row:
    after, before = evaluation.metrics[name], evaluation.baseline.get(name)
    base = _base(name)
    title = _TITLES.get(base, base.replace("_", " ")) + (
        f" @{name.split('@')[1]}" if "@" in name else ""
    )
    difference, better = "", None
    if before is not None:
        delta = after - before
        if change is not None:
            better = None if change["p"] >= SURE else delta > 0
            difference = f"{delta:+.3f} (p = {change['p']:.2g})"
        elif base.endswith("bytes") or "_ms_" in base:
            difference = f"× {after / before:.2f}" if before else ""
        else:
            difference = f"{delta:+.3f}"
    return Row(
        name,
        title,
        _figure(base, before),
        _figure(base, after),
        difference,
        better,
        meaning(name, evaluation.detail.get("k", 10)),
    )


def meaning(name: str, k: int | str = 10) -> str:
    """What a measure says, in a line; empty for one that is not ours. ``name``: as in bounds."""
    base, _, own = name.partition("@")
    return _MEANINGS.get(base, "").replace("{k}", own or str(k))


def _figure(base: str, value: float | None) -> str:
    if value is None:
        return "–"
    if base.endswith("bytes"):
        small = value < 1024**2
        return f"{value / 1024:,.0f} kB" if small else f"{value / 1024**2:,.1f} MB"
    if "_ms_" in base:
        return f"{value:.1f} ms"
    return f"{value:.3f}"
