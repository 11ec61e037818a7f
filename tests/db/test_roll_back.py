"""After the cut-over: the way back, forward again, and the end of a version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import EmbedderMissing, WrongState
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.states import State
from pgvec_versions.upgrade.transition import Transition, abandon, roll_back
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.db.helpers import (
    assert_own_vectors,
    contents,
    create_collection,
    execute,
    open_store,
    rows,
    texts,
)
from tests.tools import TinyEmbedder


def cut_over_to_v2(engine: Engine, **options: Any) -> dict[str, TinyEmbedder]:
    embedders = {"v1": TinyEmbedder(), "v2": TinyEmbedder("b")}
    open_store(engine, embedders["v1"], [Chunk(f"a {i}", "a", i) for i in range(5)], **options)
    Transition(engine, "docs", "v2", embedders["v2"]).run(cut_over=True)
    return embedders


def write_since(engine: Engine, embedders: dict[str, TinyEmbedder]) -> None:
    store = ChunkStore(engine, "docs", embedders)
    store.add([Chunk("since the cut-over", "b", 0)])
    store.add([Chunk("edited since", "a", 0)], keep_others=True)
    store.delete(
        chunk_ids=[r[0] for r in execute(engine, "SELECT chunk_id FROM docs WHERE position = 4")]
    )


EXPECTED = ["a 1", "a 2", "a 3", "edited since", "since the cut-over"]


def test_a_transition_rolls_back_to_its_own_version_and_may_repeat_it(engine: Engine) -> None:
    embedders = cut_over_to_v2(engine)
    write_since(engine, embedders)
    first = Transition(engine, "docs", "v1", embedders["v1"])
    for _ in range(2):
        assert first.roll_back() == "v1"
        assert ChunkStore(engine, "docs", embedders).active_version == "v1"
    assert contents(engine, "v1") == EXPECTED


def test_a_roll_back_loses_nothing_that_was_written_since(engine: Engine) -> None:
    embedders = cut_over_to_v2(engine)
    write_since(engine, embedders)
    assert roll_back(engine, "docs", embedders) == "v1"
    assert ChunkStore(engine, "docs", embedders).active_version == "v1"
    assert contents(engine, "v1") == EXPECTED
    assert rows(engine, "v1") == rows(engine, "v2")
    ChunkStore(engine, "docs", embedders).add([Chunk("since the roll-back", "c", 0)])
    assert roll_back(engine, "docs", embedders) == "v2"
    assert contents(engine, "v2") == sorted([*EXPECTED, "since the roll-back"])
    assert_own_vectors(engine, embedders)


def test_a_roll_back_needs_the_embedder_only_if_something_is_left_to_embed(
    engine: Engine,
) -> None:
    embedders = cut_over_to_v2(engine)
    write_since(engine, embedders)
    with pytest.raises(EmbedderMissing, match="v1") as caught:
        roll_back(engine, "docs")
    assert caught.value.detail["model_version"] == "v1"
    assert roll_back(engine, "docs", allow_missing=True) == "v1"
    Worker(engine, "docs", embedders).drain()
    assert contents(engine, "v1") == EXPECTED
    assert roll_back(engine, "docs") == "v2"


def test_a_version_that_stopped_following_catches_up_before_the_roll_back(
    engine: Engine,
) -> None:
    embedders = cut_over_to_v2(engine, follow_while_draining=False)
    write_since(engine, embedders)
    assert "since the cut-over" not in contents(engine, "v1")
    with pytest.raises(EmbedderMissing):
        roll_back(engine, "docs")
    assert ChunkStore(engine, "docs", embedders).active_version == "v2"
    assert roll_back(engine, "docs", embedders) == "v1"
    assert contents(engine, "v1") == EXPECTED
    assert rows(engine, "v1") == rows(engine, "v2")
    assert_own_vectors(engine, embedders)


def test_a_roll_back_with_its_version_can_be_repeated(engine: Engine) -> None:
    embedders = cut_over_to_v2(engine)
    for _ in range(2):
        assert roll_back(engine, "docs", "v1", embedders) == "v1"
    assert roll_back(engine, "docs", model_version="v2") == "v2"


def test_without_a_draining_version_there_is_no_way_back(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    with pytest.raises(WrongState):
        roll_back(engine, "docs")


def test_an_abandoned_version_goes_at_once(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), texts(5))
    transition = Transition(engine, "docs", "v2", TinyEmbedder("b"))
    transition.run()
    assert transition.abandon() is True
    assert transition.state is State.ABANDONED
    assert retire_due(engine) == []
    assert store.add(["still written"]).added == 1


def test_an_abandoned_version_that_is_read_goes_with_the_next_retirement(engine: Engine) -> None:
    one = TinyEmbedder()
    store = open_store(engine, one, texts(5))
    transition = Transition(engine, "docs", "v2", TinyEmbedder("b"))
    transition.run()
    with engine.begin() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM docs")
        assert transition.abandon() is False
    assert transition.state is State.ABANDONED
    (gone,) = retire_due(engine)
    assert (gone.collection, gone.model_version, gone.outcome) == ("docs", "v2", "retired")
    assert gone.bytes > 0
    assert transition.state is State.ABANDONED
    assert retire_due(engine) == []
    assert store.add(["still written"]).added == 1


def test_an_active_version_is_not_abandoned(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    with pytest.raises(WrongState):
        abandon(engine, "docs", "v1")


def test_only_what_is_due_retires_and_the_rest_goes_on(engine: Engine) -> None:
    embedders = cut_over_to_v2(engine)
    assert retire_due(engine) == []
    execute(engine, "UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    (gone,) = retire_due(engine)
    assert (gone.model_version, gone.outcome) == ("v1", "retired")
    assert Transition(engine, "docs", "v1", embedders["v1"]).state is State.RETIRED
    assert contents(engine, "v1") == []
    store = ChunkStore(engine, "docs", embedders)
    assert {hit.model_version for hit in store.search("q")} == {"v2"}
    assert store.add(["goes on"]).model_version == "v2"


def test_a_version_that_is_still_needed_says_so_and_stays(engine: Engine) -> None:
    embedders = cut_over_to_v2(engine)
    execute(engine, "CREATE VIEW report AS SELECT content FROM docs_at_v1")
    execute(engine, "UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    (held,) = retire_due(engine)
    assert (held.outcome, held.bytes > 0) == ("in use", True)
    assert Transition(engine, "docs", "v1", embedders["v1"]).state is State.DRAINING
    execute(engine, "DROP VIEW report")
    ChunkStore(engine, "docs", embedders["v1"]).add(["through the old version"])
    (held,) = retire_due(engine)
    assert held.outcome == "feeding"
    Worker(engine, "docs", embedders["v2"]).drain()
    assert [r.outcome for r in retire_due(engine)] == ["retired"]
    assert "through the old version" in contents(engine, "v2")


def test_retire_after_decides_when_a_version_is_due(engine: Engine) -> None:
    create_collection(engine, "at_once", retire_after=timedelta(0))
    for version in ("v1", "v2"):
        Transition(engine, "at_once", version, TinyEmbedder(version)).run(cut_over=True)
    assert [r.model_version for r in retire_due(engine)] == ["v1"]
