"""The token-embedding table in a file of weights, read without torch, and the mean of its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pgvec_versions.embedders.protocol import Vectors
from pgvec_versions.errors import EmbedderFailed

# Some checkpoints have the name of the architecture in front: bert.embeddings.word_embeddings…
_TABLE = "embeddings.word_embeddings.weight"

#: Types of numbers that numpy has, as safetensors calls them.
_NUMPY_HAS = ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8")
#: numpy lacks this one; it is the upper half of a float32.
_BFLOAT16 = "BF16"

#: Tokens whose rows are copied at once: a long text needs no more memory than a short one.
_BLOCK = 512


def read_token_table(weights: Path, *, what: str) -> Vectors:
    """Reads the only table of token embeddings in the file, and not the rest.

    Shape: (vocabulary, dimensions).
    Raises: EmbedderFailed, with ``what``, for a file without such a table.
    """
    from safetensors import safe_open

    opened: Any = safe_open(str(weights), framework="np")
    with opened as file:
        found = [key for key in file.keys() if f".{key}".endswith(f".{_TABLE}")]  # noqa: SIM118
        if len(found) != 1:
            raise EmbedderFailed(
                f"{what}: {weights.name} holds {len(found)} tensors named {_TABLE}, not one.",
                hint="This kind needs a BERT-like model.",
            )
        kind = file.get_slice(found[0]).get_dtype()
        if kind in _NUMPY_HAS:
            return np.ascontiguousarray(file.get_tensor(found[0]), dtype=np.float32)
    if kind == _BFLOAT16:
        return _widened(_bfloat16(weights, found[0]))
    raise EmbedderFailed(
        f"{what}: the tensor {found[0]} of {weights.name} holds numbers of type {kind}.",
        hint=f"This kind reads {', '.join((*_NUMPY_HAS, _BFLOAT16))}.",
    )


def _bfloat16(weights: Path, key: str) -> npt.NDArray[np.uint16]:
    """The bits of a tensor.

    Source: https://github.com/huggingface/safetensors#format: eight bytes with the length of the
    header, the header as JSON, the numbers; all little-endian.
    """
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[key]
        begin, end = entry["data_offsets"]
        file.seek(8 + length + begin)
        return np.frombuffer(file.read(end - begin), dtype="<u2").reshape(entry["shape"])


def _widened(bits: npt.NDArray[np.uint16]) -> Vectors:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def mean_of_rows(table: Vectors, ids: Sequence[int]) -> Vectors:
    """The mean of these rows of the table. Takes at least one id.

    It adds one row after the other in float32 and divides once, as torch's EmbeddingBag does, so
    that both give the same bits.

    Shape: (dimensions,).
    """
    total: Vectors | None = None
    for first in range(0, len(ids), _BLOCK):
        rows = table[np.asarray(ids[first : first + _BLOCK], dtype=np.intp)]
        if total is not None:
            rows[0] += total
        total = np.add.reduce(rows, axis=0)
    assert total is not None
    return total / np.float32(len(ids))
