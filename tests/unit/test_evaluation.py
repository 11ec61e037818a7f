"""Figures, queries, bounds and verdicts: pure, so tested without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgvec_versions.errors import InvalidArgument, UnreadableFile
from pgvec_versions.evaluation import bounds, distances, metrics, power, queries, report
from pgvec_versions.evaluation.metric_table import meaning, metric_rows
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


# --- How much a number of queries proves ---


@pytest.mark.parametrize(
    ("deviation", "count", "wanted"),
    [
        # (t(0.975, 7) + t(0.8, 7)) · 0.2 / √8 = (2.3646 + 0.8960) · 0.0707
        (0.2, 8, 0.2306),
        (0.2, 200, 0.0398),
        (0.5, 6, 0.7124),
        (0.0, 8, 0.3123),
        (1.0, 6, None),
        (0.2, 5, None),
        (0.0, 1, None),
    ],
)
def test_the_smallest_difference_that_queries_show(
    deviation: float, count: int, wanted: float | None
) -> None:
    found = power.detectable(deviation, count)
    assert found == (wanted if wanted is None else pytest.approx(wanted, abs=1e-4))


def test_a_difference_of_that_size_shows_in_four_of_five_evaluations() -> None:
    rng = np.random.default_rng(7)
    size = power.detectable(0.2, 30)
    assert size is not None
    shown = 0
    for _ in range(1000):
        sample = rng.normal(size, 0.2, 30)
        shown += abs(sample.mean()) / (sample.std(ddof=1) / np.sqrt(30)) > 2.0452
    assert 0.75 < shown / 1000 < 0.86


def test_so_many_queries_show_that_difference() -> None:
    for deviation in (0.05, 0.2, 0.5):
        needed = power.queries_for(0.05, deviation)
        smallest = power.detectable(deviation, needed)
        assert smallest is not None
        assert smallest <= 0.0501
    assert power.queries_for(0.5, 0.01) == power.LEAST_QUERIES


def test_fewer_queries_than_the_least_have_no_small_p_value() -> None:
    least = power.LEAST_QUERIES
    assert metrics.significance([0.0] * least, [0.5] * least) < 0.05
    assert metrics.significance([0.0] * (least - 1), [0.5] * (least - 1)) > 0.05


def compared(queries: int, detail: dict[str, Any], kind: str = "labelled") -> power.Proof | None:
    evaluation = replace(measured(0.1, 0.3), queries=queries, kind=kind)
    return power.proof(replace(evaluation, detail={"k": 10, **detail}))


def test_eight_questions_say_what_they_prove() -> None:
    found = compared(8, {"deviations": {"ndcg@10": 0.2}})
    assert found is not None
    said = " ".join(found.sentences)
    assert "8 queries show a true difference in ndcg@10 of 0.231 or more" in said
    assert "To see one of 0.05, ask about 128." in said
    assert found.smallest == {"ndcg@10": pytest.approx(0.2306, abs=1e-4)}


def test_what_too_few_queries_and_equal_ones_prove() -> None:
    few = compared(4, {"deviations": {"ndcg@10": 0.2}})
    assert few is not None
    assert "4 queries cannot show a difference" in few.sentences[0]
    assert "(p = 0.12)" in few.sentences[0]
    assert "1 query cannot" in (compared(1, {}) or few).sentences[0]
    equal = compared(8, {"deviations": {"ndcg@10": 0.0}})
    assert equal is not None
    assert "at most 31% of all queries change" in " ".join(equal.sentences)
    wide = compared(8, {"deviations": {"ndcg@10": 0.95}})
    assert wide is not None
    assert "show no difference in ndcg@10" in wide.sentences[0]


def test_an_evaluation_of_an_earlier_release_has_its_differences() -> None:
    found = compared(8, {"changes": [-0.2, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4]})
    assert found is not None
    assert found.smallest["ndcg@10"] == pytest.approx(0.2222, abs=1e-4)


@pytest.mark.parametrize("detail", [{}, {"changes": [0.1]}, {"deviations": {}}])
def test_without_differences_nothing_is_claimed(detail: dict[str, Any]) -> None:
    assert compared(8, detail) is None
    assert compared(8, detail, "recorded") is None


def test_every_measure_is_explained_in_a_line_here_and_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/evaluation.md").read_text("utf-8")
    names = [
        *("recall@5", "hit_rate@5", "mrr@5", "ndcg@5", "overlap@5", "rank_correlation"),
        *("reproduced", "search_ms_p50", "search_ms_p95", "embed_ms_p50", "embed_ms_p95"),
        *("index_bytes", "table_bytes", "same_first"),
    ]
    for name in names:
        said = meaning(name)
        assert said.endswith("."), name
        assert len(said) < 130
        assert "10" not in said, "it speaks of the k of its name"
        assert f"`{name.replace('@5', '@10')}`" in page, name
    evaluation = measured(0.1, 0.3)
    evaluation = replace(evaluation, metrics=dict.fromkeys([*names, "own_measure"], 0.5))
    rows = {row.name: row for row in metric_rows(evaluation)}
    assert rows["own_measure"].meaning == ""
    assert all(rows[name].meaning == meaning(name) for name in names)
