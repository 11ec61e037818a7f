"""Figures, queries, bounds and verdicts: pure, so tested without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgvec_versions.errors import InvalidArgument, UnreadableFile
from pgvec_versions.evaluation import bounds, distances, metrics, queries, report
from pgvec_versions.evaluation.records import Evaluation

pytest.importorskip("ir_measures", reason="needs the extra evaluate")

# --- metrics ---


def test_recall_counts_what_is_as_near_as_the_truth() -> None:
    exact = [0.1, 0.2, 0.3, 0.4]
    assert metrics.recall([0.1, 0.2, 0.3], exact, 3) == 1.0
    assert metrics.recall([0.1, 0.3, 0.4], exact, 3) == pytest.approx(2 / 3)
    assert metrics.recall([], exact, 3) == 0.0
    assert metrics.recall([], [], 3) == 1.0


def test_chunks_of_the_same_text_are_equally_near() -> None:
    assert metrics.recall([0.1, 0.2], [0.1, 0.2, 0.2, 0.2], 2) == 1.0


def test_overlap_and_rank_correlation() -> None:
    assert metrics.overlap(["a", "b", "c"], ["c", "b", "x"], 3) == pytest.approx(2 / 3)
    assert metrics.rank_correlation(["a", "b", "c"], ["a", "b", "c"]) == 1.0
    assert metrics.rank_correlation(["a", "b", "c"], ["c", "b", "a"]) == -1.0
    assert metrics.rank_correlation(["a", "b"], ["b", "x"]) is None


def test_retrieval_figures_are_the_known_ones() -> None:
    found = metrics.retrieval([{"a": 1}, {"a": 1}, {"a": 1}], [["a", "b"], ["b", "a"], []], k=10)
    assert found["hit_rate@10"] == [1.0, 1.0, 0.0]
    assert found["mrr@10"] == [1.0, 0.5, 0.0]
    assert found["ndcg@10"] == pytest.approx([1.0, 1 / np.log2(3), 0.0])


def test_an_interval_holds_the_mean_and_shrinks_with_more_queries() -> None:
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 200
    (low, high), (lower, upper) = metrics.interval(few), metrics.interval(many)
    assert low < 0.5 < high
    assert upper - lower < high - low
    assert metrics.interval([0.7, 0.7]) == (0.7, 0.7)


def test_a_difference_is_told_from_noise() -> None:
    noise = np.random.default_rng(1).random(60)
    assert metrics.significance(noise.tolist(), (noise - 0.3).tolist()) < 0.01
    assert metrics.significance(noise.tolist(), noise[::-1].tolist()) > 0.05
    assert metrics.significance([0.5, 0.5], [0.5, 0.5]) == 1.0


# --- queries ---


def test_a_labelled_file_is_read() -> None:
    asked = queries.parse_queries(
        ['{"query": "a", "documents": ["d1", 2]}', "", '{"query": "b", "chunks": {"c": 3}}'], "q"
    )
    assert (asked.kind, asked.judged, len(asked.queries)) == ("labelled", True, 2)
    assert asked.queries[0].relevant == {"d1": 1, "2": 1}
    assert asked.queries[1].relevant == {"c": 3}
    assert queries.parse_queries(['{"query": "a"}'], "q").kind == "recorded"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["x"],
        ["[]"],
        ['{"query": " "}'],
        ['{"query": "a", "answer": 1}'],
        ['{"query": "a", "chunks": ["c"], "documents": ["d"]}'],
        ['{"query": "a", "chunks": {"c": 0}}'],
        ['{"query": "a", "chunks": [["c"]]}'],
        ['{"query": "a", "chunks": ["c"]}', '{"query": "b"}'],
    ],
)
def test_a_file_that_means_nothing_is_refused_with_its_line(lines: list[str]) -> None:
    with pytest.raises(InvalidArgument, match=r"q\.jsonl"):
        queries.parse_queries(lines, "q.jsonl")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="nowhere"):
        queries.load_queries(tmp_path / "nowhere.jsonl")


def test_a_known_item_query_is_a_sentence_of_its_chunk_and_always_the_same() -> None:
    content = (
        "A heading of five words. The second sentence has some seven words. And a third one too!"
    )
    made = queries.known_item_queries([("1", content), ("2", "short"), ("3", "  ")], "seed")
    assert [chunk_id for chunk_id, _ in made] == ["1", "2"]
    assert made[0][1] in content
    assert not made[0][1].startswith("A heading")
    assert made == queries.known_item_queries([("1", content), ("2", "short")], "seed")


# --- distances ---


def test_a_threshold_is_mapped_by_the_share_it_lets_through() -> None:
    old = [[(str(i), i / 10) for i in range(10)]]
    new = [[(str(i), 5 + i) for i in range(10)]]
    mapped = distances.map_threshold(old, new, 0.45)
    assert mapped.share == 0.5
    assert 9 <= mapped.new < 10
    assert mapped.agreement == 1.0
    turned = [[(str(9 - i), 5 + i) for i in range(10)]]
    assert distances.map_threshold(old, turned, 0.45).agreement == 0.0


@pytest.mark.parametrize(
    ("measure", "wanted"), [("cosine", 1.0), ("l2", 5.0), ("inner_product", -0.0)]
)
def test_pair_distances_are_pgvectors(measure: str, wanted: float) -> None:
    pair = np.array([[3, 0], [0, 4]], dtype=np.float32)
    assert distances.pair_distances(pair, measure) == pytest.approx([wanted])


# --- bounds ---


def test_bounds_are_read_and_written_back() -> None:
    texts = ["ndcg@10<=0.9", "ndcg@10>=active-0.01", "recall@10>=0.95", "search_ms_p95<=active+5"]
    parsed = bounds.parse_bounds(texts)
    assert parsed["recall@10"] == {"min": 0.95}
    assert parsed["ndcg@10"] == {"max": 0.9, "max_drop": 0.01}
    assert parsed["search_ms_p95"] == {"max_rise": 5}
    assert bounds.parse_bounds(bounds.written_bounds(parsed)) == parsed
    assert bounds.parse_bounds(["mrr@10 >= active + 0.1"]) == {"mrr@10": {"max_drop": -0.1}}


@pytest.mark.parametrize("text", ["recall", "recall@10>0.9", "recall@10>=much", "R@1>=0.5; x"])
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="not a bound"):
        bounds.parse_bounds([text])


@pytest.mark.parametrize(
    "texts",
    [
        ["recall@10>=0.95", "recall@10>=0.5"],
        ["recall@10>=0.95", "recall@10 >= 0.95"],
        ["search_ms_p95<=50", "mrr@10>=0.1", "search_ms_p95<=5"],
        ["ndcg@10>=active", "ndcg@10>=active-0.5"],
        ["search_ms_p95<=active+5", "search_ms_p95<=active"],
    ],
)
def test_one_bound_given_twice_is_refused_and_both_are_named(texts: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        bounds.parse_bounds(texts)
    assert texts[0] in str(caught.value)
    assert texts[-1] in str(caught.value)


# --- verdicts ---


def measured(delta: float, p: float, **more: float) -> Evaluation:
    return Evaluation(
        1, "docs", "v2", "v1", "labelled", datetime.now(UTC), "me", 50,
        {"ndcg@10": 0.5 + delta, "recall@10": 0.99, **more},
        {"ndcg@10": 0.5, "recall@10": 0.99},
        {"k": 10, "significance": {"ndcg@10": {"delta": delta, "p": p}}}, 100, 1,
    )  # fmt: skip


UNGATED: dict[str, Any] = {"gated": False, "passed": True, "failures": []}


@pytest.mark.parametrize(
    ("evaluation", "said", "word", "tone"),
    [
        (measured(0.1, 0.01), UNGATED, "v2 is better", "good"),
        (measured(-0.1, 0.01), UNGATED, "v2 is worse", "bad"),
        (measured(0.1, 0.3), UNGATED, "No difference in quality is shown", "plain"),
        (measured(0.1, 0.01, reproduced=0.5), UNGATED, "v2 does not hold its own vectors", "bad"),
        (measured(0.1, 0.01), {**UNGATED, "gated": True}, "The gate lets v2 through", "good"),
        (
            measured(0.1, 0.01),
            {"gated": True, "passed": False, "failures": [{"check": "index"}]},
            "The gate stops v2",
            "bad",
        ),
    ],
)
def test_the_verdict_says_what_the_figures_say(
    evaluation: Evaluation, said: dict[str, Any], word: str, tone: str
) -> None:
    verdict = report.judge(evaluation, said)
    assert (verdict.word, verdict.tone) == (word, tone)
    assert verdict.because


def test_the_timeline_follows_every_change_of_state() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    changes = [
        ("v1", "active"), ("v2", "building"), ("v2", "ready"), ("v1", "draining"),
        ("v2", "active"), ("v2", "draining"), ("v1", "active"), ("v2", "retired"),
    ]  # fmt: skip
    events = [
        {"model_version": v, "to_state": s, "at": start + timedelta(days=i)}
        for i, (v, s) in enumerate(changes)
    ]
    found = [(s.version, s.state) for s in report.segments(events)]
    assert found == [
        ("v1", "active"), ("v1", "draining"), ("v1", "active"),
        ("v2", "building"), ("v2", "ready"), ("v2", "active"), ("v2", "draining"),
    ]  # fmt: skip
