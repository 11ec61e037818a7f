"""ChunkStore.search and delete: a query meets only vectors that its own version made."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import (
    EmbedderMismatch,
    EmbedderMissing,
    InvalidArgument,
    InvalidVector,
    QueryVersionMismatch,
    UnknownVersion,
    VersionNotQueryable,
)
from pgvec_versions.filters import Where
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.upgrade.transition import Transition, roll_back
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk, Hit, QueryVector
from tests.db.helpers import (
    HookedEmbedder,
    contents,
    create_collection,
    execute,
    in_thread,
    on_call,
    open_store,
    texts,
    wait_until,
)
from tests.tools import TinyEmbedder


def ranking(tiny: TinyEmbedder, query: str, chunks: list[str]) -> list[tuple[str, float]]:
    """What cosine distance must give, nearest first."""
    asked = tiny.vector(query)
    scored = [(text, 1 - float(np.dot(tiny.vector(text), asked))) for text in chunks]
    return sorted(scored, key=lambda pair: pair[1])


def assert_ranked(hits: list[Hit], expected: list[tuple[str, float]]) -> None:
    assert [hit.content for hit in hits] == [text for text, _ in expected]
    distances = [distance for _, distance in expected]
    assert [hit.distance for hit in hits] == pytest.approx(distances, abs=1e-5)


def two_versions(engine: Engine, one: TinyEmbedder, two: TinyEmbedder, count: int = 20) -> None:
    """v1 is active, v2 ready; both hold the same texts."""
    open_store(engine, one, texts(count))
    Transition(engine, "docs", "v2", two).run()
    one.seen.clear()
    two.seen.clear()


def cut_over(engine: Engine, version: str = "v2") -> None:
    execute(engine, "SELECT pgvec.cut_over('docs', %s)", version)


# ------------------------------------------------------------------- ranking


def test_a_search_with_a_ready_vector_is_one_round_trip(engine: Engine, tmp_path: Path) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny, texts(20))
    query = QueryVector(tiny.vector("needle"), "v1")
    said = tmp_path / "protocol"
    borrowed = store.engine.raw_connection()
    raw = cast("psycopg.Connection[Any]", borrowed.driver_connection)
    with said.open("w") as file:
        raw.pgconn.trace(file.fileno())
        borrowed.close()
        assert len(store.search(query)) == 10
        raw.pgconn.untrace()
    # A client's message ends a round trip when it is Sync or Query.
    turns = re.findall(r"\tF\t\d+\t(Sync|Query)\b", said.read_text())
    assert turns == ["Sync"]


def test_search_finds_the_nearest_by_text_and_by_ready_made_vector(engine: Engine) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny, texts(300))
    expected = ranking(tiny, "a question", texts(300))
    assert_ranked(store.search("a question", exact=True), expected[:10])
    assert_ranked(store.search("a question", ef_search=300), expected[:10])
    assert_ranked(store.search("a question", k=3, ef_search=300), expected[:3])
    ready = QueryVector(tiny.vector("a question"), "v1")
    without_embedder = ChunkStore(engine, "docs")
    hits = without_embedder.search(ready, k=300, exact=True)
    assert_ranked(hits, expected)
    assert {hit.model_version for hit in hits} == {"v1"}


@pytest.mark.parametrize("distance", ["l2", "inner_product"])
def test_exact_search_ranks_as_numpy_does_for_other_distances(
    engine: Engine, distance: str
) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny, texts(50), distance=distance)
    asked = tiny.vector("q")
    measure = {
        "l2": lambda v: float(np.linalg.norm(v - asked)),
        "inner_product": lambda v: -float(np.dot(v, asked)),
    }[distance]
    expected = sorted(((t, measure(tiny.vector(t))) for t in texts(50)), key=lambda p: p[1])
    assert_ranked(store.search("q", k=50, exact=True), expected)


def test_a_hit_says_where_it_comes_from(engine: Engine) -> None:
    chunk = Chunk(
        "text", "doc", 3, {"tags": ["a"], "n": 1.5}, "11111111-1111-1111-1111-111111111111"
    )
    (hit,) = open_store(engine, TinyEmbedder(), [chunk]).search("text")
    assert (hit.chunk_id, hit.document_id, hit.content) == (chunk.chunk_id, "doc", "text")
    assert (hit.metadata, hit.model_version) == ({"tags": ["a"], "n": 1.5}, "v1")
    assert hit.distance == pytest.approx(0, abs=1e-6)


def test_filters_choose_before_the_ranking(engine: Engine) -> None:
    rows: list[dict[str, Any]] = [
        {"n": 1, "lang": "de"},
        {"n": 2, "lang": "en"},
        {"n": 10, "lang": "it's"},
        {"n": "2", "lang": None},
        {},
    ]
    chunks = [Chunk(f"text {i}", metadata=row) for i, row in enumerate(rows)]
    store = open_store(engine, TinyEmbedder(), chunks)
    for given, expected in [
        (None, {0, 1, 2, 3, 4}),
        ({}, {0, 1, 2, 3, 4}),
        ({"lang": "de"}, {0}),
        ({"lang": "it's"}, {2}),
        (Where("n", "=", 2), {1}),
        (Where("n", "<>", 2), {0, 2, 3}),
        (Where("n", "<", 10), {0, 1}),
        (Where("n", "<=", 10), {0, 1, 2}),
        (Where("n", ">", 1), {1, 2}),
        (Where("n", ">=", "10"), {3}),
        (Where("n", "in", [1, "2", 99]), {0, 3}),
        (Where("n", "in", (2,)), {1}),
        (Where("lang", "exists"), {0, 1, 2, 3}),
        (Where("lang", "exists", False), {4}),
        ([Where("n", ">", 1), Where("lang", "=", "en")], {1}),
        ([], {0, 1, 2, 3, 4}),
        (Where("x' OR true --", "=", "' OR true --"), set()),
    ]:
        for exact in (True, False):
            hits = store.search("q", filter=given, exact=exact)
            assert {int(hit.content[5:]) for hit in hits} == expected, given


def test_arguments_out_of_range_are_refused(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), texts(3))
    refused: list[dict[str, Any]] = [
        {"k": 0},
        {"ef_search": 0},
        {"ef_search": 1001},
        {"filter": {"n": float("nan")}},
        {"filter": Where("n", "=", "a\0b")},
        {"filter": Where("n", "in", 5)},
    ]
    for arguments in refused:
        with pytest.raises(InvalidArgument):
            store.search("q", **arguments)
    with pytest.raises(InvalidArgument):
        store.search("  ")
    for vector in (np.zeros(8), np.full(8, np.nan), np.ones(9)):
        with pytest.raises(InvalidVector):
            store.search(QueryVector(vector.astype(np.float32), "v1"))
    with pytest.raises(UnknownVersion):
        store.search("q", version="v9")


def test_before_the_first_cut_over_a_search_says_that_nothing_is_active(engine: Engine) -> None:
    create_collection(engine)
    Transition(engine, "docs", "v1", TinyEmbedder()).run()
    store = ChunkStore(engine, "docs", TinyEmbedder())
    with pytest.raises(VersionNotQueryable, match="no active version"):
        store.search("q")
    cut_over(engine, "v1")
    assert store.search("q") == []


# ------------------------------------------------------------------ cut-overs


def test_a_cut_over_while_the_query_is_embedded_costs_one_more_embed_call(
    engine: Engine,
) -> None:
    one, two = HookedEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    store = ChunkStore(engine, "docs", {"v1": one, "v2": two})
    one.hook = on_call(1, lambda: cut_over(engine))
    hits = store.search("q", exact=True)
    assert (one.seen, two.seen) == (["q"], ["q"])
    assert {hit.model_version for hit in hits} == {"v2"}
    assert_ranked(hits, ranking(two, "q", texts(20))[:10])
    store.search("again")
    assert (one.seen, two.seen) == (["q"], ["q", "again"])


def test_a_cut_over_between_two_searches_is_noticed(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    store = ChunkStore(engine, "docs", {"v1": one, "v2": two})
    assert {hit.model_version for hit in store.search("q")} == {"v1"}
    cut_over(engine)
    assert {hit.model_version for hit in store.search("q")} == {"v2"}
    assert (one.seen, two.seen) == (["q", "q"], ["q"])
    assert store.active_version == store.active_label == "v2"


def test_a_version_that_was_registered_after_opening_is_found(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    open_store(engine, one, texts(5))
    store = ChunkStore(engine, "docs", {"v1": one, "v2": two})
    Transition(engine, "docs", "v2", two).run(cut_over=True)
    assert {hit.model_version for hit in store.search("q")} == {"v2"}


def test_after_the_old_version_has_retired_a_text_still_finds_its_way(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    store = ChunkStore(engine, "docs", {"v1": one, "v2": two})
    store.search("q")
    cut_over(engine)
    execute(engine, "UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    assert [r.outcome for r in retire_due(engine)] == ["retired"]
    assert {hit.model_version for hit in store.search("q")} == {"v2"}


def test_with_the_old_embedder_alone_a_search_fails_and_names_both(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    store = ChunkStore(engine, "docs", one)
    cut_over(engine)
    with pytest.raises(EmbedderMissing, match=r"v2 .*v1") as caught:
        store.search("q")
    assert caught.value.detail["model_version"] == "v2"
    assert caught.value.detail["embedders"] == ["v1"]


def test_a_ready_made_vector_of_another_version_is_refused(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    cut_over(engine)
    store = ChunkStore(engine, "docs", {"v1": one, "v2": two})
    with pytest.raises(QueryVersionMismatch) as caught:
        store.search(QueryVector(one.vector("q"), "v1"))
    assert caught.value.sqlstate == "PV011"
    assert (caught.value.detail["query_version"], caught.value.detail["active"]) == ("v1", "v2")
    with pytest.raises(QueryVersionMismatch):
        store.search(QueryVector(two.vector("q"), "v2"), version="v1")
    assert one.seen == two.seen == []


def test_a_pinned_version_answers_until_it_retires(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    store = ChunkStore(engine, "docs", one)
    cut_over(engine)
    hits = store.search("q", version="v1", exact=True)
    assert {hit.model_version for hit in hits} == {"v1"}
    assert_ranked(hits, ranking(one, "q", texts(20))[:10])
    execute(engine, "UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    retire_due(engine)
    with pytest.raises(VersionNotQueryable) as caught:
        store.search("q", version="v1")
    assert caught.value.detail["state"] == "retired"


def test_a_version_that_is_being_built_answers_nothing(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), texts(3))
    two = TinyEmbedder("b")
    Transition(engine, "docs", "v2", two).begin()
    with pytest.raises(VersionNotQueryable):
        ChunkStore(engine, "docs", two).search("q", version="v2")


def test_an_embedder_of_another_identity_opens_nothing(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder())
    for given in (TinyEmbedder("other"), {"v1": TinyEmbedder("other")}):
        with pytest.raises(EmbedderMismatch) as caught:
            ChunkStore(engine, "docs", given)
        assert caught.value.differences == {"model": ("tiny-a", "tiny-other")}
        assert '"tiny-a"' in str(caught.value)
        assert '"tiny-other"' in str(caught.value)
    with pytest.raises(EmbedderMismatch) as caught:
        ChunkStore(engine, "docs", TinyEmbedder(dimensions=16))
    assert caught.value.differences == {"options.dimensions": (8, 16)}
    # A label that is not registered yet waits, and is compared once it is.
    later = ChunkStore(engine, "docs", {"v1": TinyEmbedder(), "v2": TinyEmbedder("wrong")})
    Transition(engine, "docs", "v2", TinyEmbedder("b")).begin()
    with pytest.raises(EmbedderMismatch):
        later.add(["text"])
    assert store.add(["text"]).added == 1


def test_nothing_is_ever_ranked_under_a_foreign_vector(engine: Engine) -> None:
    embedders = {"v1": TinyEmbedder(), "v2": TinyEmbedder("b")}
    two_versions(engine, embedders["v1"], embedders["v2"], count=10)
    store = ChunkStore(engine, "docs", embedders)
    cut_over(engine)
    searches = dict.fromkeys(embedders, 0)
    done = threading.Event()

    def flip() -> int:
        flips = 0
        while not done.is_set():
            roll_back(engine, "docs")
            flips += 1
        return flips

    def search() -> bool:
        try:
            hits = store.search("q", k=10, exact=True)
        except QueryVersionMismatch:
            return False  # Two flips within one search: refused, which is right as well.
        (label,) = {hit.model_version for hit in hits}
        assert_ranked(hits, ranking(embedders[label], "q", texts(10)))
        searches[label] += 1
        return min(searches.values()) > 5

    with in_thread(flip) as flipping:
        try:
            wait_until(search)
        finally:
            done.set()
    assert flipping.result() > 5


# --------------------------------------------------------------------- delete


def test_delete_takes_a_chunk_from_every_live_version_and_counts_it_once(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    chunks = [Chunk(f"{d} {i}", d, i) for d in "ab" for i in range(3)]
    store = open_store(engine, one, chunks)
    Transition(engine, "docs", "v2", two).run()
    store.add([Chunk("waits", "a", 3)], keep_others=True)
    ids = [row[0] for row in execute(engine, "SELECT chunk_id FROM docs WHERE content = 'b 1'")]
    assert store.delete(chunk_ids=[*ids, "99999999-9999-9999-9999-999999999999"]) == 1
    assert "b 1" not in contents(engine, "v1") + contents(engine, "v2")
    assert store.delete(document_ids=["a", "unknown"]) == 4
    assert store.delete(document_ids=["a"]) == store.delete(chunk_ids=[]) == 0
    Worker(engine, "docs", two).drain()
    assert contents(engine, "v1") == contents(engine, "v2") == ["b 0", "b 2"]


def test_delete_refuses_what_it_cannot_understand(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), texts(1))
    refused: list[dict[str, Any]] = [
        {},
        {"chunk_ids": [], "document_ids": []},
        {"document_ids": "a"},
        {"chunk_ids": "a"},
        {"chunk_ids": ["no uuid"]},
        {"document_ids": ["a\0b"]},
    ]
    for arguments in refused:
        with pytest.raises(InvalidArgument):
            store.delete(**arguments)
    assert contents(engine) == texts(1)
