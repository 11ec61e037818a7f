"""ChunkStore.add: what is there is not embedded again, and nothing is ever half done."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks import batches
from pgvec_versions.chunks.store import AddResult, ChunkStore
from pgvec_versions.errors import (
    BadEmbedding,
    EmbedderFailed,
    EmbedderMissing,
    InvalidArgument,
    VersionNotWritable,
)
from pgvec_versions.upgrade.transition import Transition, abandon
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.db.helpers import (
    HookedEmbedder,
    assert_own_vectors,
    contents,
    create_collection,
    execute,
    open_store,
    rows,
    texts,
)
from tests.tools import TinyEmbedder


def batches_of(monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    monkeypatch.setattr(batches, "_SMALLEST", chunks)
    monkeypatch.setattr(batches, "_LARGEST", chunks)


def document(name: str, count: int, word: str = "text") -> list[Chunk]:
    return [Chunk(f"{name} {word} {i}", name, i) for i in range(count)]


# ------------------------------------------------------------------- again


def test_the_same_add_again_embeds_and_writes_nothing(engine: Engine) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny)
    chunks = [*document("a", 3), "a text without a document", Chunk("x", metadata={"n": [1.5]})]
    assert store.add(chunks) == AddResult(added=5, embedded=5, model_version="v1")
    written = execute(engine, "SELECT chunk_id, written_at FROM docs ORDER BY 1")
    tiny.seen.clear()
    assert store.add(chunks) == AddResult(unchanged=5, model_version="v1")
    assert tiny.seen == []
    assert execute(engine, "SELECT chunk_id, written_at FROM docs ORDER BY 1") == written


def test_a_changed_text_replaces_its_chunk_and_only_that_is_embedded(engine: Engine) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny, document("a", 3))
    before = rows(engine)
    chunks = document("a", 3)
    chunks[1] = Chunk("a new text", "a", 1)
    result = store.add(chunks)
    assert (result.replaced, result.unchanged, result.added, result.deleted) == (1, 2, 0, 0)
    assert tiny.seen == ["a new text"]
    assert rows(engine).keys() == before.keys()
    assert contents(engine) == ["a new text", "a text 0", "a text 2"]
    assert_own_vectors(engine, {"v1": tiny})


def test_a_chunk_keeps_its_id_in_every_version(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), document("a", 3))
    Transition(engine, "docs", "v2", TinyEmbedder("b")).run()
    assert rows(engine, "v2") == rows(engine, "v1")
    store.add([Chunk("changed", "a", 1)], keep_others=True)
    Worker(engine, "docs", TinyEmbedder("b")).drain()
    assert rows(engine, "v2") == rows(engine, "v1")


def test_text_that_moves_within_its_document_is_not_embedded_again(engine: Engine) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny, document("a", 3))
    moved = [Chunk("a new beginning", "a", 0)]
    moved += [Chunk(c.content, "a", i + 1) for i, c in enumerate(document("a", 3))]
    assert store.add(moved).embedded == 1
    assert tiny.seen == ["a new beginning"]
    assert [row[2] for row in sorted(rows(engine).values())] == [c.content for c in moved]
    assert_own_vectors(engine, {"v1": tiny})


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"page": 2}},
        {"position": 7, "chunk_id": "given"},
        {"document_id": "b", "chunk_id": "given"},
    ],
)
def test_a_change_beside_the_text_embeds_nothing(engine: Engine, change: dict[str, Any]) -> None:
    tiny = TinyEmbedder()
    first = Chunk("text", "a", 0, {"page": 1}, change.get("chunk_id"))
    store = open_store(engine, tiny, [first], id_type="text")
    changed = Chunk(**{"content": "text", "document_id": "a", "position": 0, **change})
    result = store.add([changed])
    assert (result.touched, result.embedded, result.deleted) == (1, 0, 0)
    assert tiny.seen == []
    (row,) = rows(engine).values()
    assert row == (changed.document_id, changed.position, "text", dict(changed.metadata))


def test_of_duplicates_in_one_call_the_last_wins(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder())
    result = store.add([Chunk("first", "a", 0), "same", Chunk("second", "a", 0), "same"])
    assert result.added == 2
    assert contents(engine) == ["same", "second"]


def test_equal_texts_are_embedded_once(engine: Engine) -> None:
    tiny = TinyEmbedder()
    open_store(engine, tiny).add([Chunk("same", "a", 0), Chunk("same", "b", 0)])
    assert tiny.seen == ["same"]
    assert contents(engine) == ["same", "same"]


def test_a_text_is_replaced_even_if_the_model_sees_no_difference(engine: Engine) -> None:
    class Blunt(TinyEmbedder):
        def vector(self, text: str) -> Any:
            return super().vector(text.lower())

    store = open_store(engine, Blunt(), [Chunk("text", "a", 0)])
    assert store.add([Chunk("TEXT", "a", 0)]).replaced == 1
    assert contents(engine) == ["TEXT"]


# --------------------------------------------------------- whole documents


def test_chunks_that_a_document_no_longer_has_go(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), [*document("a", 4), *document("b", 2)])
    assert store.add(document("a", 2)).deleted == 2
    assert contents(engine) == ["a text 0", "a text 1", "b text 0", "b text 1"]


def test_keep_others_leaves_the_rest_of_the_document(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), document("a", 3))
    result = store.add([Chunk("more", "a", 3)], keep_others=True)
    assert (result.added, result.deleted) == (1, 0)
    assert len(contents(engine)) == 4


def test_a_vanished_chunk_goes_even_where_it_only_waits_to_be_carried(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    store = open_store(engine, one)
    Transition(engine, "docs", "v2", two).run()
    ChunkStore(engine, "docs", two).add(document("a", 2))
    assert (contents(engine, "v1"), len(contents(engine, "v2"))) == ([], 2)
    assert store.add(document("a", 1)).deleted == 1
    Worker(engine, "docs", {"v1": one, "v2": two}).drain()
    assert contents(engine, "v1") == contents(engine, "v2") == ["a text 0"]


def test_a_document_is_never_torn_across_batches(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_of(monkeypatch, 3)
    tiny = TinyEmbedder(fail_on="c text 4")
    store = open_store(engine, tiny)
    chunks = [*document("a", 2), *document("b", 5), *document("c", 5), *document("d", 5)]
    with pytest.raises(EmbedderFailed, match="c text 4"):
        store.add(chunks)
    counts = dict(execute(engine, "SELECT document_id, count(*) FROM docs GROUP BY 1"))
    assert counts == {"a": 2, "b": 5}
    tiny.fail_on = None
    tiny.seen.clear()
    result = store.add(chunks)
    assert (result.added, result.unchanged) == (10, 7)
    assert sorted(tiny.seen) == sorted(c.content for c in chunks[7:])
    assert_own_vectors(engine, {"v1": tiny})


def test_a_document_that_comes_back_in_a_later_batch_is_kept_whole(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_of(monkeypatch, 2)
    store = open_store(engine, TinyEmbedder())
    a, b = document("a", 4), document("b", 2)
    store.add([*a[:2], *b, *a[2:]])
    assert len(contents(engine)) == 6


def test_progress_counts_the_chunks_of_every_batch(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_of(monkeypatch, 4)
    seen: list[int] = []
    open_store(engine, TinyEmbedder()).add(texts(10), progress=seen.append)
    assert seen == [4, 4, 2]


def test_bad_vectors_are_refused_and_nothing_is_written(engine: Engine) -> None:
    tiny = HookedEmbedder()
    store = open_store(engine, tiny, [Chunk("old", "a", 0), Chunk("goes", "a", 9)])
    for returned in (
        np.ones((2, 8)),
        np.ones((3, 9)),
        np.full((3, 8), np.nan),
        np.full((3, 8), np.inf),
        np.zeros((3, 8)),
        [object()],
    ):
        tiny.hook = lambda _, returned=returned: returned
        with pytest.raises(BadEmbedding):
            store.add(document("a", 3))
        assert contents(engine) == ["goes", "old"], returned
    tiny.hook = None
    assert store.add(document("a", 3)).embedded == 3
    assert len(contents(engine)) == 3


def test_numbers_too_large_for_halfvec_are_refused(engine: Engine) -> None:
    tiny = HookedEmbedder()
    store = open_store(engine, tiny, storage="halfvec")
    tiny.hook = lambda _: np.full((1, 8), 1e6)
    with pytest.raises(BadEmbedding, match="halfvec"):
        store.add(["text"])
    assert contents(engine) == []


def test_ready_made_vectors_are_stored_and_nothing_is_embedded(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_of(monkeypatch, 2)
    tiny = TinyEmbedder()
    store = open_store(engine, tiny)
    chunks = document("a", 5)
    made = tiny.embed_documents([c.content for c in chunks])
    tiny.seen.clear()
    assert store.add(chunks, vectors=made, version="v1").added == 5
    assert store.add(chunks, vectors=made.tolist(), version="v1").unchanged == 5
    changed = [Chunk("new", "a", 0), *chunks[1:]]
    made[0] = tiny.embed_documents(["new"])[0]
    tiny.seen.clear()
    assert store.add(changed, vectors=made, version="v1").replaced == 1
    assert tiny.seen == []
    assert_own_vectors(engine, {"v1": tiny})


def test_ready_made_vectors_are_refused_before_anything_is_written(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder())
    chunks = document("a", 3)
    good = np.ones((3, 8))
    bad = good.copy()
    bad[2, 1] = np.nan
    for vectors, version, kind in (
        (good, None, InvalidArgument),
        (good[:2], "v1", InvalidArgument),
        (np.ones((4, 8)), "v1", InvalidArgument),
        (np.ones((3, 9)), "v1", BadEmbedding),
        (bad, "v1", BadEmbedding),
        (np.zeros((3, 8)), "v1", BadEmbedding),
        ([[1.0], [1.0, 2.0]], "v1", BadEmbedding),
        ("text", "v1", BadEmbedding),
    ):
        with pytest.raises(kind):
            store.add(chunks, vectors=vectors, version=version)
        assert contents(engine) == [], vectors


def test_ready_made_vectors_that_halfvec_cannot_hold_leave_nothing_behind(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), storage="halfvec")
    good = np.ones((300, 8))
    bad = good.copy()
    bad[290, 3] = 1e6
    with pytest.raises(BadEmbedding, match="halfvec"):
        store.add(document("a", 300), vectors=bad, version="v1")
    assert contents(engine) == []
    assert store.add(document("a", 300), vectors=good, version="v1").added == 300


UNSTORABLE: list[Any] = [
    "",
    " \n",
    "a\0b",
    "half a pair \ud800",
    Chunk("t", metadata={"n": float("nan")}),
    Chunk("t", metadata={"o": object()}),
    Chunk("t", metadata={"s": "a\0b"}),
    Chunk("t", metadata={"s": "\udfff"}),
    Chunk("t", metadata=["a list"]),  # type: ignore[arg-type]
    Chunk("t", "a\0b"),
    Chunk("t", "a", 2**31),
    Chunk("t", "a", 1.5),  # type: ignore[arg-type]
    Chunk("t", 7),  # type: ignore[arg-type]
    Chunk("t", chunk_id="no uuid"),
    Chunk(None),  # type: ignore[arg-type]
    17,
]


def test_what_cannot_be_stored_is_refused_before_anything_is_written(engine: Engine) -> None:
    tiny = TinyEmbedder()
    store = open_store(engine, tiny)
    for bad in UNSTORABLE:
        with pytest.raises(InvalidArgument):
            store.add(["good", bad])
        assert contents(engine) == [], bad
    assert tiny.seen == []


def test_one_string_is_not_taken_for_a_list_of_letters(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder())
    with pytest.raises(InvalidArgument, match="one string"):
        store.add("text")


# ---------------------------------------------------------- ids and storage


@pytest.mark.parametrize(
    ("id_type", "ids", "storage"),
    [
        ("uuid", [uuid.UUID(int=5), uuid.UUID(int=6)], "halfvec"),
        ("bigint", [7, -(2**63)], "vector"),
        ("text", ["a'b\\", "ü"], "halfvec"),
    ],
)
def test_every_id_type_and_storage_goes_through_add_worker_search_and_delete(
    engine: Engine, id_type: str, ids: list[Any], storage: str
) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    store = open_store(engine, one, id_type=id_type, storage=storage)
    chunks = [Chunk(f"text {i}", "doc", i, chunk_id=given) for i, given in enumerate(ids)]
    assert store.add(chunks).added == 2
    assert store.add(chunks).unchanged == 2
    assert store.add([Chunk("new", "doc", 0, chunk_id=ids[0]), chunks[1]]).replaced == 1
    Transition(engine, "docs", "v2", two).run(cut_over=True)
    assert rows(engine, "v1") == rows(engine, "v2")
    (hit,) = ChunkStore(engine, "docs", two).search("new", k=1)
    assert (hit.chunk_id, hit.model_version) == (str(ids[0]), "v2")
    assert hit.distance == pytest.approx(0, abs=1e-3)
    store = ChunkStore(engine, "docs", two)
    assert store.add(chunks[1:]).deleted == 1
    assert store.delete(chunk_ids=ids) == 1
    assert contents(engine, "v1") == contents(engine, "v2") == []


def test_bigint_ids_must_be_given(engine: Engine) -> None:
    store = open_store(engine, TinyEmbedder(), id_type="bigint")
    with pytest.raises(InvalidArgument, match="bigint"):
        store.add(["text"])


def test_twenty_thousand_texts_go_in_one_call(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cheap(TinyEmbedder):
        def embed_documents(self, texts: Any) -> Any:
            return np.tile(np.arange(1, 9), (len(texts), 1))

    batches_of(monkeypatch, 100_000)
    create_collection(engine)
    Transition(engine, "docs", "v1", Cheap()).begin()
    chunks = [Chunk(f"t{i}", "one document", i) for i in range(20_000)]
    assert ChunkStore(engine, "docs", Cheap()).add(chunks).added == 20_000
    changed = [Chunk(f"T{i}", "one document", i) for i in range(100)] + chunks[100:]
    assert ChunkStore(engine, "docs", Cheap()).add(changed).replaced == 100


# ------------------------------------------------------------------ versions


def test_new_chunks_bear_the_active_versions_label(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    open_store(engine, one, texts(3))
    store = ChunkStore(engine, "docs", {"v1": one, "v2": two})
    Transition(engine, "docs", "v2", two).run()
    assert store.add(["before the cut-over"]).model_version == "v1"
    Transition(engine, "docs", "v2", two).cut_over()
    assert store.add(["after the cut-over"]).model_version == "v2"
    assert "after the cut-over" in one.seen or "after the cut-over" in two.seen
    assert "after the cut-over" not in one.seen


def test_without_the_active_versions_embedder_a_live_version_is_written(engine: Engine) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    old = open_store(engine, one, texts(2))
    Transition(engine, "docs", "v2", two).run(cut_over=True)
    assert old.add(["from an old program"]).model_version == "v1"
    assert "from an old program" not in contents(engine, "v2")
    Worker(engine, "docs", two).drain()
    assert "from an old program" in contents(engine, "v2")
    assert_own_vectors(engine, {"v1": one, "v2": two})


def test_without_any_embedder_of_a_live_version_nothing_is_written(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    with pytest.raises(EmbedderMissing) as caught:
        ChunkStore(engine, "docs").add(["text"])
    assert caught.value.detail == {"collection": "docs", "live": ["v1"]}


def test_a_version_that_is_gone_takes_no_writes(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    Transition(engine, "docs", "v2", TinyEmbedder("b")).begin()
    abandon(engine, "docs", "v2")
    store = ChunkStore(engine, "docs", {"v2": TinyEmbedder("b")})
    with pytest.raises(VersionNotWritable):
        store.add(["text"], version="v2")
    with pytest.raises(EmbedderMissing):
        store.add(["text"])


def test_the_last_add_wins_over_an_earlier_text_that_is_still_being_carried(
    engine: Engine,
) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    store = open_store(engine, one, [Chunk("agreed", "a", 0)])
    Transition(engine, "docs", "v2", two).run()
    ChunkStore(engine, "docs", two).add([Chunk("another program's", "a", 0)])
    one.seen.clear()
    # For the active version nothing has changed yet, and still the caller's word is the last.
    assert store.add([Chunk("agreed", "a", 0)]).embedded == 0
    Worker(engine, "docs", {"v1": one, "v2": two}).drain()
    assert contents(engine, "v1") == contents(engine, "v2") == ["agreed"]
    assert_own_vectors(engine, {"v1": one, "v2": two})
