"""Rows for PostgreSQL's binary COPY, packed here: psycopg's adapters, a call a value, are slower.

Pure.

Source: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"; each value is as its
type's ``…_send`` function writes it.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pgvec_versions.postgres.vectors import BinaryVector

#: Packs a text, or NULL.
Text = Callable[[str | None], bytes]

_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TAIL = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
_size = struct.Struct(">i").pack
_number = struct.Struct(">ii").pack
_big_number = struct.Struct(">iq").pack
_array = struct.Struct(">iiIii").pack
_fields = struct.Struct(">h").pack
#: The oid of bigint.
_INT8 = 20
#: The size of one write of a COPY: large enough to cost little, small enough to overlap with the
#: server's work. Units: bytes.
_PIECE = 1 << 18


def text_dumper(encoding: str) -> Text:
    """Packs fields of type text for a connection with that client encoding, as Python names it."""

    def dump(value: str | None) -> bytes:
        if value is None:
            return _NULL
        data = value.encode(encoding)
        return _size(len(data)) + data

    return dump


def id_dumper(id_type: str, text: Text) -> Callable[[Any], bytes]:
    """Packs fields of the collection's type of id."""
    if id_type == "uuid":
        length = _size(16)

        def dump(value: uuid.UUID) -> bytes:
            return length + value.bytes

        return dump
    return (lambda value: _big_number(8, value)) if id_type == "bigint" else text


def int4(value: int | None) -> bytes:
    """A field of type integer."""
    return _NULL if value is None else _number(4, value)


def jsonb(value: str, encoding: str) -> bytes:
    """A field of type jsonb, from JSON text."""
    data = value.encode(encoding)
    return _size(len(data) + 1) + b"\x01" + data


def vector(value: BinaryVector) -> bytes:
    """A field of type vector or halfvec."""
    return _size(len(value.data)) + value.data


def bytea(value: bytes) -> bytes:
    """A field of type bytea."""
    return _size(len(value)) + value


def int8_array(values: Sequence[int]) -> bytes:
    """A field of type bigint[]."""
    data = _array(1, 0, _INT8, len(values), 1) + b"".join(_big_number(8, v) for v in values)
    return _size(len(data)) + data


def binary_copy(rows: Iterable[Iterable[bytes]], columns: int) -> Iterator[bytes]:
    """The rows as pieces of one COPY, each given as soon as it is full.

    Shape: every row has ``columns`` fields.
    """
    head = _fields(columns)
    parts, held = [_HEAD], 0
    for row in rows:
        data = b"".join(row)
        parts += (head, data)
        held += len(data)
        if held > _PIECE:
            yield b"".join(parts)
            parts, held = [], 0
    parts.append(_TAIL)
    yield b"".join(parts)
