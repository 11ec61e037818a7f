"""The shadow: it compares, it drops, and the request never notices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.evaluation.records import evaluations
from pgvec_versions.evaluation.shadow import Shadow
from pgvec_versions.upgrade.transition import Transition
from tests.evaluation.helpers import WordsEmbedder, passages, two_versions

pytest.importorskip("scipy", reason="needs the extra evaluate")

OLD, NEW = WordsEmbedder("a"), WordsEmbedder("b")
QUESTIONS = ["how to assert", "what a loop does", "names of classes", "raise an exception"]
SECRET = "a question nobody else may read"


class Broken(WordsEmbedder):
    def embed_queries(self, texts: Sequence[str]) -> Any:
        raise RuntimeError("out of memory")


@pytest.fixture
def docs(engine: Engine) -> Engine:
    two_versions(engine, OLD, NEW, passages(30))
    return engine


def store(engine: Engine, shadow: Shadow) -> ChunkStore:
    return ChunkStore(engine, "docs", {"v1": OLD}, observer=shadow)


def shadow_of(engine: Engine, new: WordsEmbedder = NEW, **options: Any) -> Shadow:
    options = {"share": 1.0, "record_every": timedelta(hours=1), **options}
    return Shadow(engine, "docs", "v2", {"v2": new}, **options)


def test_live_queries_are_compared_and_kept_as_aggregates(docs: Engine) -> None:
    shadow = shadow_of(docs)
    with shadow:
        answers = [store(docs, shadow).search(text) for text in [*QUESTIONS, SECRET]]
    assert answers == [store(docs, shadow).search(text) for text in [*QUESTIONS, SECRET]]
    (row,) = evaluations(docs, "docs", "v2", ("shadow",))
    assert (row.queries, row.baseline_version) == (5, "v1")
    assert 0 < row.metrics["overlap"] <= 1
    assert (row.detail["dropped"], row.detail["failed"]) == (0, 0)
    assert SECRET not in json.dumps(row.detail)


def test_texts_are_kept_only_on_request(docs: Engine) -> None:
    shadow = shadow_of(docs, keep_texts=True)
    store(docs, shadow).search(SECRET)
    assert shadow.run_once()
    (made,) = shadow.flush()
    (row,) = evaluations(docs, "docs", "v2", ("shadow",))
    assert (row.evaluation_id, row.detail["texts"][0]["query"]) == (made, SECRET)


def test_what_does_not_fit_the_queue_is_dropped_and_counted(docs: Engine) -> None:
    shadow = shadow_of(docs, queue_size=2)
    for text in (*QUESTIONS, SECRET):
        # Nobody takes anything from the queue: a request that waited for it would never end.
        assert len(store(docs, shadow).search(text)) == 10
    assert shadow.dropped == 3
    assert [shadow.run_once() for _ in range(3)] == [True, True, False]
    shadow.flush()
    (row,) = evaluations(docs, "docs", "v2", ("shadow",))
    assert (row.queries, row.detail["dropped"]) == (2, 3)


def test_a_candidate_that_fails_troubles_nobody(docs: Engine) -> None:
    shadow = shadow_of(docs, Broken("b"))
    with shadow:
        assert len(store(docs, shadow).search(QUESTIONS[0])) == 10
    assert shadow.failed == 1
    assert evaluations(docs, "docs", "v2", ("shadow",)) == []


def test_only_its_share_is_taken(docs: Engine) -> None:
    draws = iter([0.1, 0.9, 0.24, 0.25])
    shadow = shadow_of(docs, share=0.25, chance=lambda: next(draws))
    for text in QUESTIONS:
        store(docs, shadow).search(text)
    assert [shadow.run_once() for _ in range(3)] == [True, True, False]


def test_what_the_candidate_answers_itself_is_not_compared(docs: Engine) -> None:
    shadow = shadow_of(docs)
    asked = ChunkStore(docs, "docs", {"v1": OLD, "v2": NEW}, observer=shadow)
    asked.search(QUESTIONS[0], version="v1")
    asked.search(asked.embed_query(QUESTIONS[0]))
    Transition(docs, "docs", "v2", NEW).cut_over()
    assert asked.search(QUESTIONS[0])[0].model_version == "v2"
    assert not shadow.run_once()


@pytest.mark.parametrize("options", [{"share": 1.5}, {"queue_size": 0}])
def test_settings_that_mean_nothing_are_refused(docs: Engine, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        shadow_of(docs, **options)
