"""What an embedder is, and the checks that every vector must pass. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from pgvec_versions.embedders.identity import EmbedderIdentity
from pgvec_versions.errors import BadEmbedding, InvalidArgument

#: Vectors as this package passes them on: float32, C-contiguous, one row for each text.
#: Shape: (n, dimensions).
Vectors = npt.NDArray[np.float32]


@runtime_checkable
class Embedder(Protocol):
    """Makes vectors from texts, and says exactly which model makes them.

    Two things are optional:

    - ``concurrency``, a whole number: how many calls the embedder takes at once. Stores and workers
      read it once, and never call one embedder object more often at the same time, from whatever
      threads. An embedder without it gets one call at a time.
    - ``async def aembed_documents(texts)`` and ``aembed_queries(texts)``, which promise the same as
      the two methods below. ``AsyncChunkStore`` awaits them; it calls an embedder without them in a
      thread.

    Effects: on Python 3.11 ``isinstance(x, Embedder)`` reads ``x.dimensions``, which may load the
    model; from 3.12 on it does not.
    """

    @property
    def identity(self) -> EmbedderIdentity:
        """Which model, pinned. Never loads the model."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector. May load the model."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to store.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable.
        """
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to search for.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable.
        """
        ...


def checked(
    vectors: object, *, count: int, dimensions: int, what: str, first_row: int = 0
) -> Vectors:
    """What an embedder returned, checked and as float32 rows. ``what`` names it in errors.

    ``first_row``: the number of the first of these rows among all that the caller asked for.

    Shape: (count, dimensions), C-contiguous.
    Raises: BadEmbedding, with ``expected``, ``got`` and ``row`` in its ``detail`` where known.
    """
    array = _as_array(vectors, count=count, dimensions=dimensions, what=what)
    if count == 0 and array.size == 0:
        return np.empty((0, dimensions), dtype=np.float32)
    if array.shape != (count, dimensions):
        got = list(array.shape)
        raise _bad(what, count, dimensions, f"got {_shape_words(array.shape)}", got=got)
    # A float64 beyond float32 becomes inf and is reported below; numpy's warning adds nothing.
    with np.errstate(over="ignore", under="ignore"):
        rows = np.ascontiguousarray(array, dtype=np.float32)
        squares = np.einsum("ij,ij->i", rows, rows)
    # One pass if all is well. It cannot tell very small and very large numbers from wrong ones, so
    # the rest looks closer.
    if squares.all() and np.isfinite(squares).all():
        return rows
    for sound, words in (
        (np.isfinite(rows).all(axis=1), "is not finite"),
        (rows.any(axis=1), "is all zeros"),
    ):
        if not sound.all():
            row = first_row + int(np.argmin(sound))
            raise _bad(what, count, dimensions, f"vector {row} {words}", row=row)
    return rows


def unit_rows(vectors: Vectors) -> Vectors:
    """The same directions, each of length one. Takes rows that passed ``checked``."""
    # In double precision: in float32, squares of small numbers vanish and of large ones overflow.
    wide = vectors.astype(np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)


def prefixed(texts: Sequence[str], prefix: str) -> list[str]:
    """The texts with the model's prefix in front.

    Raises: InvalidArgument for a single ``str``: it would be embedded letter by letter.
    """
    if isinstance(texts, str):
        raise InvalidArgument(
            "texts must be a sequence of strings, and one string was given.",
            hint="Put it into a list: [text].",
        )
    return [prefix + text for text in texts]


def _as_array(
    vectors: object, *, count: int, dimensions: int, what: str
) -> npt.NDArray[np.number[Any]]:
    try:
        array = np.asarray(vectors)
    except (TypeError, ValueError) as exc:
        raise _bad(what, count, dimensions, _ragged_words(vectors)) from exc
    # np.asarray(..., dtype=float32) would silently read the text "0.1" as a number.
    if array.dtype.kind not in "fiu" and array.size:
        raise _bad(what, count, dimensions, "got values that are not numbers")
    return array


def _ragged_words(vectors: object) -> str:
    """Says which row is the first whose length is not that of row 0."""
    if isinstance(vectors, Sequence):
        rows = cast("Sequence[Any]", vectors)
        lengths = [len(row) if hasattr(row, "__len__") else 0 for row in rows]
        for row, length in enumerate(lengths):
            if length != lengths[0]:
                return f"vector {row} has {length} dimensions and vector 0 has {lengths[0]}"
    return "got values that do not form rows of numbers"


def _shape_words(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"{shape[0]} of {shape[1]}"
    return f"an array of shape {shape}"


def _bad(what: str, count: int, dimensions: int, found: str, **detail: Any) -> BadEmbedding:
    return BadEmbedding(
        f"{what}: expected {count} vectors of {dimensions} dimensions, {found}.",
        detail={"embedder": what, "expected": [count, dimensions], **detail},
    )
