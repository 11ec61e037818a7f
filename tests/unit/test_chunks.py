"""Chunk ids: the same place in the same document is the same chunk, for ever."""

from __future__ import annotations

import uuid

import pytest

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.values import Chunk, ChunkId, chunk_identity


def test_a_place_in_a_document_is_one_chunk_whatever_its_text() -> None:
    first = chunk_identity(Chunk("old", "doc", 3), "uuid")
    assert first == chunk_identity(Chunk("new", "doc", 3, {"k": 1}), "uuid")
    others = [Chunk("old", "doc", 4), Chunk("old", "cod", 3), Chunk("old", "doc"), Chunk("old")]
    assert len({first, *(chunk_identity(c, "uuid") for c in others)}) == 5


def test_without_a_place_the_text_is_the_identity() -> None:
    assert chunk_identity(Chunk("text"), "uuid") == chunk_identity(Chunk("text"), "uuid")
    assert chunk_identity(Chunk("text"), "uuid") != chunk_identity(Chunk("Text"), "uuid")
    # A position alone is no place: two documents may both have it.
    assert chunk_identity(Chunk("a", position=1), "uuid") != chunk_identity(
        Chunk("b", position=1), "uuid"
    )


def test_ids_made_by_an_earlier_release_stay_what_they_are() -> None:
    assert str(chunk_identity(Chunk("text", "doc", 0), "uuid")) == DOCUMENT_ID
    assert chunk_identity(Chunk("text"), "text") == TEXT_ID


DOCUMENT_ID = "f67f20f6-9235-5ec1-9f31-6e1e839aba17"
TEXT_ID = "754ca01d-e2ee-5de6-b5b6-daef89a0fd3e"


@pytest.mark.parametrize(
    ("given", "id_type", "expected"),
    [
        (uuid.UUID(int=7), "uuid", uuid.UUID(int=7)),
        (str(uuid.UUID(int=7)).upper(), "uuid", uuid.UUID(int=7)),
        (7, "bigint", 7),
        ("-7", "bigint", -7),
        (2**63 - 1, "bigint", 2**63 - 1),
        ("any", "text", "any"),
        (7, "text", "7"),
    ],
)
def test_a_given_id_is_taken(given: ChunkId, id_type: str, expected: ChunkId) -> None:
    made = chunk_identity(Chunk("text", "doc", 0, chunk_id=given), id_type)
    assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("given", "id_type"), [("x", "uuid"), (7, "uuid"), ("x", "bigint"), (2**63, "bigint")]
)
def test_an_id_of_another_type_is_refused(given: ChunkId, id_type: str) -> None:
    with pytest.raises(InvalidArgument, match=id_type):
        chunk_identity(Chunk("text", chunk_id=given), id_type)


def test_bigint_ids_are_never_made_up() -> None:
    with pytest.raises(InvalidArgument, match="bigint"):
        chunk_identity(Chunk("text", "doc", 0), "bigint")
