"""pgvector's binary format, straight from numpy. Pure, except for the psycopg adapter.

Source: ``vector_send`` and ``halfvec_send`` of pgvector: a 16-bit dimension, 16 unused bits, then
the elements, all big-endian.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from pgvec_versions.errors import BadEmbedding

if TYPE_CHECKING:
    from collections.abc import Sequence

#: numpy's type of one number of a vector.
_ELEMENT = {"vector": ">f4", "halfvec": ">f2"}


class BinaryVector:
    """A vector in wire format, ready for a parameter or a COPY."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class _VectorDumper(Dumper):
    # No oid: the server takes the type from the column or the argument, so that pgvector may be in
    # any schema.
    format = Format.BINARY

    def dump(self, obj: BinaryVector) -> bytes:
        return obj.data


def register(connection: Connection[Any]) -> None:
    """Lets a connection send ``BinaryVector``. Sends no query; you may call it again."""
    connection.adapters.register_dumper(BinaryVector, _VectorDumper)


def pack(vectors: npt.NDArray[np.float32], storage: str = "vector") -> list[BinaryVector]:
    """The rows of a matrix in wire format. ``embedders.checked`` must have passed the matrix.

    Shape: (n, dimensions) gives n vectors. Raises: BadEmbedding for numbers that ``halfvec`` cannot
    hold: they would become infinities and zeros.
    """
    count, dimensions = vectors.shape
    header = np.frombuffer(struct.pack(">HH", dimensions, 0), dtype=np.uint8)
    with np.errstate(over="ignore", under="ignore"):
        numbers = np.ascontiguousarray(vectors, dtype=_ELEMENT[storage])
    if storage != "vector" and not (np.isfinite(numbers).all() and numbers.any(axis=1).all()):
        raise BadEmbedding(
            f"a vector has numbers that are too large or too small for {storage}.",
            hint="Normalize the vectors, or use a collection with storage => 'vector'.",
        )
    elements = numbers.view(np.uint8)
    rows = np.empty((count, header.size + elements.shape[1]), dtype=np.uint8)
    rows[:, : header.size] = header
    rows[:, header.size :] = elements
    return [BinaryVector(row.tobytes()) for row in rows]


def pack_one(vector: npt.NDArray[np.float32]) -> BinaryVector | None:
    """One float32 vector in wire format, quickly; None where it needs the full check.

    Shape: (dimensions,), finite and not all zeros.
    """
    if vector.dtype != np.float32 or vector.ndim != 1:
        return None
    square = float(vector.dot(vector))
    if not 0.0 < square < math.inf:
        return None
    return BinaryVector(struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes())


def unpack(data: Sequence[bytes], storage: str = "vector") -> npt.NDArray[np.float32]:
    """Vectors in wire format as a matrix. Shape: (n, dimensions)."""
    return np.stack([np.frombuffer(item, _ELEMENT[storage], offset=4) for item in data]).astype(
        np.float32
    )
