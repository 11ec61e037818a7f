"""What goes into a collection and what comes out: chunks, hits and query vectors. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from numbers import Integral
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from pgvec_versions.arguments import SHOWN, storable
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.filters import json_text
from pgvec_versions.postgres.vectors import BinaryVector

ChunkId: TypeAlias = uuid.UUID | int | str

_NAMESPACE = uuid.UUID("6f1c1e0e-3b0a-5c1d-9e59-0b6c9d1c2a11")
_NAMESPACE_BYTES = _NAMESPACE.bytes
#: A bigint written as text.
_DIGITS = re.compile(r"\s*[+-]?[0-9]{1,19}\s*", re.ASCII)
#: The bits of a UUID that say its variant and version, and those of version 5 (RFC 9562).
_NOT_RANDOM = 0xF000 << 64 | 0xC000 << 48
_VERSION_5 = 0x5000 << 64 | 0x8000 << 48


@dataclass(frozen=True, slots=True)
class Chunk:
    """A text to store. ``chunk_id`` is its identity across versions; see ``chunk_identity``."""

    content: str
    document_id: str | None = None
    position: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    chunk_id: ChunkId | None = None


@dataclass(frozen=True, slots=True)
class AddResult:
    """What an ``add`` did. Units: chunks; texts for ``embedded``.

    A touched chunk has the same text as before, with other metadata or another place.
    """

    added: int = 0
    replaced: int = 0
    touched: int = 0
    unchanged: int = 0
    deleted: int = 0
    embedded: int = 0
    model_version: str = ""

    def plus(self, other: AddResult) -> AddResult:
        """The sum of two results."""
        return AddResult(
            self.added + other.added,
            self.replaced + other.replaced,
            self.touched + other.touched,
            self.unchanged + other.unchanged,
            self.deleted + other.deleted,
            self.embedded + other.embedded,
            other.model_version or self.model_version,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found, and the version it was found in.

    Units: ``distance`` is pgvector's for the collection: smaller is nearer.
    """

    chunk_id: str
    document_id: str | None
    content: str
    metadata: dict[str, Any]
    model_version: str
    distance: float


@dataclass(frozen=True, slots=True)
class QueryVector:
    """The vector of a query, and the version whose embedder made it.

    Shape: ``vector`` is (dimensions,).
    """

    vector: npt.NDArray[np.float32]
    model_version: str


@dataclass(slots=True)
class Incoming:
    """A checked chunk on its way in: its metadata as JSON text, and its vector once there is one.

    ``place`` is its number in the call of ``add``.
    """

    chunk: Chunk
    metadata: str
    place: int
    vector: BinaryVector | None = None


def chunk_identity(chunk: Chunk, id_type: str) -> ChunkId:
    """The chunk's id: the one you gave, or one made from its document and position.

    The same position in the same document always gets the same id, so a changed text replaces its
    chunk. Without a position the id is made from the document, if there is one, and the text.
    Raises: InvalidArgument for an id that does not fit the collection's type, or for a missing
    bigint id.
    """
    given = chunk.chunk_id
    if given is None:
        if id_type == "bigint":
            raise InvalidArgument(
                "a chunk without chunk_id, in a collection with bigint ids.",
                hint="Give each chunk its chunk_id; only uuid and text ids are made from the text.",
            )
        if chunk.document_id is not None and chunk.position is not None:
            key = f"d\0{chunk.document_id}\0{chunk.position}"
        else:
            key = f"t\0{chunk.document_id or ''}\0{chunk.content}"
        made = _uuid5(key)
        return made if id_type == "uuid" else str(made)
    return checked_id(given, id_type)


def checked_id(given: object, id_type: str) -> ChunkId:
    """The id in the collection's type. Raises: InvalidArgument.

    An int, or a text that reads as one, is a bigint; a UUID, or a text that reads as one, is a
    uuid; each of these is a text too. True, 2.5 and None are no ids.
    """
    try:
        if id_type == "uuid":
            return given if isinstance(given, uuid.UUID) else uuid.UUID(_id_text(given))
        if id_type == "bigint":
            number = _id_number(given)
            if not -(2**63) <= number < 2**63:
                raise ValueError
            return number
        if isinstance(given, uuid.UUID) or _is_whole(given):
            return str(given)
        text = _id_text(given)
        if not storable(text):
            raise ValueError
    except ValueError:
        shown = repr(given)[:SHOWN] if isinstance(given, str | bytes) else type(given).__name__
        raise InvalidArgument(
            f"chunk_id {shown} is not a {id_type}.",
            hint="The collection was created with that id type.",
        ) from None
    return text


def _id_text(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError
    return given


def _id_number(given: object) -> int:
    if isinstance(given, str):
        if _DIGITS.fullmatch(given) is None:
            raise ValueError
        return int(given)
    if not _is_whole(given):
        raise ValueError
    return int(given)


def _is_whole(given: object) -> TypeGuard[Integral]:
    return isinstance(given, Integral) and given is not True and given is not False


def _uuid5(key: str) -> uuid.UUID:
    """``uuid.uuid5(_NAMESPACE, key)``, in half the time."""
    digest = sha1(_NAMESPACE_BYTES + key.encode(), usedforsecurity=False).digest()
    return uuid.UUID(int=int.from_bytes(digest[:16]) & ~_NOT_RANDOM | _VERSION_5)


def checked_chunk(given: Chunk | str, place: int) -> Incoming:
    """The chunk, if PostgreSQL can store it. Raises: InvalidArgument."""
    chunk = Chunk(given) if isinstance(given, str) else given
    if not isinstance(chunk, Chunk):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"chunk {place} is a {type(chunk).__name__}.", hint="Give texts, or Chunk(text, …)."
        )
    if not _has_text(chunk.content):
        raise InvalidArgument(
            f"{_where(chunk, place)} has no text.",
            hint="Leave empty chunks out; nothing of this batch was written.",
        )
    for text in (chunk.content, chunk.document_id, chunk.chunk_id):
        if isinstance(text, str) and not storable(text):
            raise InvalidArgument(
                f"{_where(chunk, place)} contains a NUL character or half of a surrogate pair, "
                "which PostgreSQL cannot store.",
                hint="Is it a binary file?",
            )
    if chunk.document_id is not None and not isinstance(chunk.document_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"the document_id of chunk {place} is a {type(chunk.document_id).__name__}.",
            hint="document_id is a text.",
        )
    if chunk.position is not None and not _int4(chunk.position):
        raise InvalidArgument(f"the position of {_where(chunk, place)} is not a 32-bit number.")
    try:
        metadata = json_text(dict(chunk.metadata)) if chunk.metadata else "{}"
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidArgument(
            f"the metadata of {_where(chunk, place)} is not JSON: {exc}.",
            hint="Use plain JSON values.",
        ) from exc
    return Incoming(chunk, metadata, place)


def _int4(position: object) -> bool:
    # int first: the abstract class, for the ints of numpy, takes longer to ask.
    if type(position) is bool or (type(position) is not int and not isinstance(position, Integral)):
        return False
    return -(2**31) <= int(position) < 2**31


def _where(chunk: Chunk, place: int) -> str:
    document = "" if chunk.document_id is None else f" (document {chunk.document_id!r})"
    return f"chunk {place}{document}"


def _has_text(content: object) -> bool:
    return isinstance(content, str) and bool(content.strip())
