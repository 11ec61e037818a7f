"""evaluate: what it measures, what it leaves alone, what it refuses; and the verbs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions.errors import EmbedderMissing, InvalidArgument, VersionNotQueryable
from pgvec_versions.evaluation.measure import evaluate
from pgvec_versions.evaluation.queries import QuerySet, parse_queries
from pgvec_versions.evaluation.records import Evaluation, set_gate
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.values import Chunk
from tests.cli.conftest import Run, configure, run, static
from tests.db.helpers import create_collection, execute
from tests.evaluation.helpers import WordsEmbedder, passages, two_versions

pytest.importorskip("ir_measures", reason="needs the extra evaluate")
__all__ = ["configure", "run"]

OLD, NEW = WordsEmbedder("a"), WordsEmbedder("b")
BOTH = {"v1": OLD, "v2": NEW}
CHUNKS = passages(60)
DOCUMENTS = [str(chunk.document_id) for chunk in CHUNKS if chunk.position == 0][:2]


@pytest.fixture
def docs(engine: Engine) -> Engine:
    """docs on v1, v2 ready; of equal worth."""
    two_versions(engine, OLD, NEW, CHUNKS)
    return engine


def labelled(*documents: str) -> QuerySet:
    """Asks for the first chunk of each document, word for word."""
    texts = {c.document_id: c.content for c in CHUNKS if c.position == 0}
    lines = [json.dumps({"query": texts[d], "documents": [d]}) for d in documents]
    return parse_queries(lines, "asked.jsonl")


def test_every_figure_is_taken_of_both_and_nothing_else_changes(docs: Engine) -> None:
    state = "SELECT * FROM pgvec.model_version ORDER BY 1, 2"
    events = "SELECT count(*) FROM pgvec.version_event"
    before = execute(docs, state), execute(docs, events)
    made = evaluate(docs, "docs", "v2", BOTH, count=20, sweep=(10, 40), thresholds=[0.3])
    assert (execute(docs, state), execute(docs, events)) == before
    assert (made.kind, made.queries, made.baseline_version) == ("known_item", 20, "v1")
    both = {"recall@10", "hit_rate@10", "mrr@10", "ndcg@10", "search_ms_p50", "search_ms_p95"}
    both |= {"embed_ms_p50", "embed_ms_p95", "index_bytes", "table_bytes", "reproduced"}
    assert set(made.baseline) == both
    assert set(made.metrics) == both | {"overlap@10", "rank_correlation"}
    assert made.metrics["reproduced"] == made.baseline["reproduced"] == 1.0
    assert made.metrics["ndcg@10"] > 0.6
    detail = made.detail
    for side in ("candidate", "baseline"):
        assert [row["ef_search"] for row in detail["sweep"][side]] == [10, 40]
        assert set(detail["intervals"][side]) == {"recall@10", "hit_rate@10", "mrr@10", "ndcg@10"}
        low, high = detail["intervals"][side]["ndcg@10"]
        assert low <= (made.metrics if side == "candidate" else made.baseline)["ndcg@10"] <= high
        assert sum(detail["distances"][side]["counts"]["nearest"]) == 20
    assert set(detail["significance"]["ndcg@10"]) == {"delta", "p"}
    assert [t["old"] for t in detail["asked_thresholds"]] == [0.3]
    assert len(detail["changes"]) == 20


def test_the_same_model_under_another_label_changes_nothing(engine: Engine) -> None:
    two_versions(engine, OLD, OLD, CHUNKS)
    made = evaluate(engine, "docs", "v2", {"v1": OLD, "v2": OLD}, count=20, sweep=())
    assert made.metrics["overlap@10"] == made.metrics["rank_correlation"] == 1.0
    assert made.detail["significance"]["ndcg@10"] == {"delta": 0.0, "p": 1.0}
    assert all(t["old"] == pytest.approx(t["new"]) for t in made.detail["thresholds"])


def test_labelled_documents_count_once_and_unknown_ids_are_told(docs: Engine) -> None:
    made = evaluate(docs, "docs", "v2", BOTH, queries=labelled(*DOCUMENTS), sweep=())
    assert (made.kind, made.queries, made.metrics["mrr@10"]) == ("labelled", 2, 1.0)
    assert made.detail["unknown_ids"] == 0
    asked = parse_queries([json.dumps({"query": "a", "documents": [DOCUMENTS[0], "no"]})], "q")
    assert evaluate(docs, "docs", "v2", BOTH, queries=asked, sweep=()).detail["unknown_ids"] == 1
    asked = parse_queries(['{"query": "a", "documents": ["nowhere"]}'], "q")
    with pytest.raises(InvalidArgument, match="none of the ids"):
        evaluate(docs, "docs", "v2", BOTH, queries=asked)


def test_recorded_queries_compare_and_do_not_judge(docs: Engine) -> None:
    asked = parse_queries(['{"query": "how to assert"}', '{"query": "a loop"}'], "recorded.jsonl")
    made = evaluate(docs, "docs", "v2", BOTH, queries=asked, sweep=())
    assert made.kind == "recorded"
    assert "overlap@10" in made.metrics
    assert "ndcg@10" not in made.metrics


def test_the_first_version_is_measured_alone(engine: Engine) -> None:
    create_collection(engine)
    first = Transition(engine, "docs", "v1", OLD)
    first.begin()
    with pytest.raises(VersionNotQueryable):
        evaluate(engine, "docs", "v1", {"v1": OLD})
    first.run(cut_over=True)
    with pytest.raises(InvalidArgument, match="no chunks"):
        evaluate(engine, "docs", "v1", {"v1": OLD})
    execute(
        engine,
        "INSERT INTO docs (model_version, content, embedding) VALUES ('v1', %s, %s::vector)",
        "some words to find here",
        str(OLD.embed_documents(["some words to find here"])[0].tolist()),
    )
    made = evaluate(engine, "docs", "v1", {"v1": OLD}, sweep=())
    assert (made.baseline_version, made.baseline, made.metrics["mrr@10"]) == (None, {}, 1.0)


def test_both_embedders_are_needed(docs: Engine) -> None:
    with pytest.raises(EmbedderMissing):
        evaluate(docs, "docs", "v2", {"v2": NEW}, count=2, sweep=())


@pytest.mark.timeout(400)
def test_the_verbs_from_evaluate_to_a_forced_cut_over(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    for chunk in passages(24):
        (tmp_path / "notes" / f"{chunk.document_id}-{chunk.position}.md").write_text(chunk.content)
    configure("v1", static())
    for words in (["init", "docs"], ["upgrade", "--cut-over"], ["add", "notes"]):
        assert run(*words).code == 0, words
    configure("v2", static(truncate_dim=64), v1=static())
    assert run("upgrade").code == 0
    assert run("report").code == 3, "nothing was evaluated yet"

    assert run("gate", "--require", "overlap@10>=1.01", "--min-queries", "5").code == 0
    shown = run("gate", "--json").data["gate"]
    assert shown["bounds"] == {"overlap@10": {"min": 1.01}}
    assert run("gate", "--check", "v2").code == 3
    ended = run("evaluate", "--count", "8", "--threshold", "0.5", "--json")
    assert ended.code == 0, ended.err
    assert (ended.data["model_version"], ended.data["queries"]) == ("v2", 8)
    assert ended.data["gate"]["passed"] is False
    assert "known-item" in run("evaluate", "--count", "5").out

    page = tmp_path / "report.html"
    ended = run("report", "--html", str(page), "--markdown", str(tmp_path / "report.md"), "--json")
    assert ended.data["verdict"] == "The gate stops v2"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "report.md").read_text().startswith("## The gate stops v2")

    refusal = run("cut-over", "--json")
    assert (refusal.code, refusal.data["sqlstate"]) == (3, "PV080")
    (failure,) = refusal.data["detail"]["failures"]
    assert failure["check"] == "overlap@10"
    assert run("cut-over", "--force").code == 2
    assert run("cut-over", "--force", "--reason", "it must be").code == 0
    assert run("gate", "--remove").code == 0
    assert run("gate", "--json").data["gate"] is None


def test_a_gate_knows_every_metric_that_an_evaluation_records(docs: Engine) -> None:
    made: Any = evaluate(docs, "docs", "v2", BOTH, queries=labelled(*DOCUMENTS), k=3, sweep=())
    execute(docs, "DELETE FROM pgvec.evaluation")
    set_gate(docs, "docs", {name: {"min": 0.0} for name in made.metrics})
    set_gate(docs, "docs", {name: {"max_drop": 0.1} for name in made.baseline})


def test_an_evaluation_reads_back_as_it_was_written(docs: Engine) -> None:
    made: Any = evaluate(docs, "docs", "v2", BOTH, count=5, k=3, sweep=())
    assert isinstance(made, Evaluation)
    assert made.chunks == len(CHUNKS)
    assert "recall@3" in made.metrics
    assert Chunk(made.detail["source"]).content == "sentences of 5 chunks"
