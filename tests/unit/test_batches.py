"""Batches: whole documents, errors in their turn, and no source asked while one is being sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pgvec_versions.chunks import batches
from pgvec_versions.chunks.batches import Batches
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.values import Chunk


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_SMALLEST", 4)
    monkeypatch.setattr(batches, "_LARGEST", 8)
    monkeypatch.setattr(batches, "_AHEAD", 3)


def chunks(count: int, per_document: int = 1) -> list[Chunk]:
    return [Chunk(f"text {i}", f"d{i // per_document}", i % per_document) for i in range(count)]


def test_every_chunk_comes_once_in_its_order_and_documents_stay_whole() -> None:
    given = chunks(23, per_document=3)
    cut = [[item.chunk for item in batch.values()] for batch in Batches(given, "uuid")]
    assert [chunk for batch in cut for chunk in batch] == given
    assert [len(batch) for batch in cut] == [6, 6, 6, 5]


def test_looking_ahead_changes_no_batch() -> None:
    given = chunks(40, per_document=3)
    plain = [list(batch) for batch in Batches(given, "uuid")]
    ahead = Batches(given, "uuid")
    seen: list[object] = []
    for batch in ahead:
        seen.append(list(batch))
        for _ in range(5):
            ahead.look_ahead()
    assert seen == plain


def test_batches_grow_to_a_bound() -> None:
    made = Batches(chunks(30), "uuid")
    sizes: list[int] = []
    for batch in made:
        sizes.append(len(batch))
        made.grow()
    assert sizes == [4, 8, 8, 8, 2]


def test_a_bad_chunk_is_told_when_its_own_batch_comes() -> None:
    made = Batches([*chunks(6), Chunk(" ")], "uuid")
    turns = iter(made)
    assert len(next(turns)) == 4
    for _ in range(3):
        made.look_ahead()
    with pytest.raises(InvalidArgument, match="chunk 6 has no text"):
        next(turns)


def test_what_gives_chunks_one_by_one_is_never_asked_while_a_batch_is_sent() -> None:
    asked: list[int] = []

    def source() -> Iterator[Chunk]:
        for i, chunk in enumerate(chunks(9)):
            asked.append(i)
            yield chunk

    made = Batches(source(), "uuid")
    for batch in made:
        before = len(asked)
        # The first chunk of the next batch had to be seen to know that this one is over.
        assert len(batch) <= 4
        made.look_ahead()
        assert len(asked) == before


@pytest.mark.parametrize(("count", "vectors"), [(5, 4), (5, 6), (0, 1), (1, 0)])
def test_as_many_vectors_as_chunks(count: int, vectors: int) -> None:
    with pytest.raises(InvalidArgument, match=f"{vectors} vectors were given"):
        list(Batches(chunks(count), "uuid", vectors))


def test_one_string_is_no_list() -> None:
    with pytest.raises(InvalidArgument, match="one string was given"):
        Batches("text", "uuid")
