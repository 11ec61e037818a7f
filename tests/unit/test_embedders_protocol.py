"""What every vector is checked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pgvec_versions.embedders.identity import EmbedderIdentity
from pgvec_versions.embedders.protocol import Embedder, Vectors, checked, prefixed, unit_rows
from pgvec_versions.errors import BadEmbedding, InvalidArgument


def check(vectors: object, count: int = 2, dimensions: int = 3) -> Vectors:
    return checked(vectors, count=count, dimensions=dimensions, what="acme m1")


@pytest.mark.parametrize(
    "vectors",
    [
        [[1, 2, 3], [4, 5, 6]],
        ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
        np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float64),
        np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float16),
        np.array([[1, 4], [2, 5], [3, 6]], dtype=np.float32).T,
        [np.array([1, 2, 3]), np.array([4, 5, 6])],
    ],
)
def test_any_rows_of_numbers_become_contiguous_float32(vectors: object) -> None:
    rows = check(vectors)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    assert rows.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("nothing", [[], np.empty((0, 3)), np.empty((0,))])
def test_no_texts_give_no_rows_of_the_right_width(nothing: object) -> None:
    rows = check(nothing, count=0)
    assert rows.shape == (0, 3)
    assert rows.dtype == np.float32


@pytest.mark.parametrize(
    ("vectors", "found"),
    [
        ([[1, 2, 3]], "got 1 of 3"),
        ([[1, 2, 3]] * 3, "got 3 of 3"),
        ([[1, 2], [3, 4]], "got 2 of 2"),
        ([1, 2, 3], "got an array of shape (3,)"),
        (None, "got values that are not numbers"),
        ([[[1, 2, 3]], [[4, 5, 6]]], "got an array of shape (2, 1, 3)"),
        ([[1, 2, 3], [4, 5]], "vector 1 has 2 dimensions and vector 0 has 3"),
        ([[1, 2, 3], None], "vector 1 has 0 dimensions and vector 0 has 3"),
        ([[1, 2, None], [4, 5, 6]], "got values that are not numbers"),
        ([["1", "2", "3"], ["4", "5", "6"]], "got values that are not numbers"),
        (["AACAPw==", "AACAPw=="], "got values that are not numbers"),
        ([[True] * 3] * 2, "got values that are not numbers"),
        ([[1, 2, 3], [4, float("nan"), 6]], "vector 1 is not finite"),
        ([[1, 2, float("-inf")], [4, 5, 6]], "vector 0 is not finite"),
        ([[1, 2, 3], [4, 1e300, 6]], "vector 1 is not finite"),
        ([[1, 2, 3], [0, 0, -0.0]], "vector 1 is all zeros"),
        ([[1, 2, 3], [0, 0, 1e-300]], "vector 1 is all zeros"),
    ],
)
def test_an_unsound_answer_is_refused_in_one_clear_line(vectors: object, found: str) -> None:
    with pytest.raises(BadEmbedding) as caught:
        check(vectors)
    assert str(caught.value) == f"acme m1: expected 2 vectors of 3 dimensions, {found}."
    assert caught.value.detail["expected"] == [2, 3]
    assert caught.value.detail["embedder"] == "acme m1"


def test_the_first_bad_row_is_named_by_its_place_among_all() -> None:
    vectors = [[1, 2, 3], [0, 0, 0], [0, 0, 0]]
    with pytest.raises(BadEmbedding, match="vector 11 is all zeros") as caught:
        checked(vectors, count=3, dimensions=3, what="acme m1", first_row=10)
    assert caught.value.detail["row"] == 11


def test_unit_rows_keeps_the_direction_even_of_very_small_and_large_rows() -> None:
    rows = unit_rows(np.array([[3, 4], [3e-30, 4e-30], [3e30, 4e30]], dtype=np.float32))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8]] * 3, rtol=1e-6)


def test_one_string_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(InvalidArgument, match="one string was given"):
        prefixed("hello", "")
    assert prefixed(["a", "b"], "query: ") == ["query: a", "query: b"]


def test_a_class_of_the_users_own_is_an_embedder() -> None:
    class Mine:
        identity = EmbedderIdentity("mine", "m", "1")
        dimensions = 3

        def embed_documents(self, texts: Sequence[str]) -> Any:
            return np.ones((len(texts), 3), dtype=np.float32)

        embed_queries = embed_documents

    assert isinstance(Mine(), Embedder)
    assert not isinstance(object(), Embedder)
