"""pgvector's wire format: what is packed is what is unpacked."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from pgvec_versions.errors import BadEmbedding
from pgvec_versions.postgres.vectors import pack, unpack


def rows(count: int, dimensions: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(1).standard_normal((count, dimensions)).astype(np.float32)


def test_the_bytes_are_those_of_pgvector() -> None:
    (packed,) = pack(np.array([[1.0, -2.5, 3.25]], dtype=np.float32))
    assert packed.data == struct.pack(">HHfff", 3, 0, 1.0, -2.5, 3.25)
    (packed,) = pack(np.array([[1.0, -2.5, 3.25]], dtype=np.float32), "halfvec")
    assert packed.data == struct.pack(">HHeee", 3, 0, 1.0, -2.5, 3.25)


@pytest.mark.parametrize(("storage", "tolerance"), [("vector", 0.0), ("halfvec", 1e-3)])
def test_what_is_packed_comes_back(storage: str, tolerance: float) -> None:
    given = rows(5, 384)
    again = unpack([packed.data for packed in pack(given, storage)], storage)
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, given, rtol=tolerance, atol=tolerance)


def test_a_matrix_that_lies_otherwise_in_memory_is_packed_the_same() -> None:
    given = rows(4, 8)
    expected = [packed.data for packed in pack(given)]
    assert [packed.data for packed in pack(np.asfortranarray(given))] == expected
    assert [packed.data for packed in pack(np.repeat(given, 2, axis=0)[::2])] == expected


def test_no_rows_are_no_vectors() -> None:
    assert pack(np.empty((0, 8), dtype=np.float32)) == []


@pytest.mark.parametrize("number", [1e6, -1e6, 1e-12])
def test_numbers_that_a_half_cannot_hold_are_refused(number: float) -> None:
    given = np.full((1, 8), number, dtype=np.float32)
    assert len(pack(given)) == 1
    with pytest.raises(BadEmbedding, match="halfvec"):
        pack(given, "halfvec")
