"""Queries to evaluate with: from a file, with labels or without, or made from chunks. No database.

A file has a JSON object on each line::

    {"query": "How do I request a holiday?", "documents": ["handbook"]}
    {"query": "Who signs it?", "chunks": {"0b5c…": 3, "77e1…": 1}}
    {"query": "a query that was only recorded"}

``chunks`` and ``documents`` are lists of ids, or maps of ids to grades of 1 and more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pgvec_versions.errors import InvalidArgument, UnreadableFile

_FIELDS = {"query", "chunks", "documents"}
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n{2,}")
#: Words of a sentence that can be a query: shorter ones are mostly headings.
_FEWEST_WORDS, _MOST_WORDS = 5, 24


@dataclass(frozen=True, slots=True)
class Query:
    """A text to search for. If it is labelled: the ids that answer it, with grades."""

    text: str
    chunks: Mapping[str, int] = field(default_factory=dict[str, int])
    documents: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def relevant(self) -> Mapping[str, int]:
        """The ids that answer it: of chunks, or else of documents."""
        return self.chunks or self.documents


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries of one kind: labelled, known_item or recorded. ``source``: where they are from."""

    kind: str
    queries: tuple[Query, ...]
    source: str

    @property
    def judged(self) -> bool:
        """Whether we know what answers them."""
        return self.kind != "recorded"


def load_queries(path: Path) -> QuerySet:
    """The queries of a JSONL file. Raises: UnreadableFile, InvalidArgument with the line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UnreadableFile(f"{path} cannot be read: {exc}.") from None
    return parse_queries(text.splitlines(), path.name)


def parse_queries(lines: Iterable[str], source: str) -> QuerySet:
    """The queries of lines of JSON: all labelled, or none. Raises: InvalidArgument."""
    queries = [
        _query(line, f"{source}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not queries:
        raise InvalidArgument(f"{source} has no query.", hint='Write {"query": "…"} on each line.')
    labelled = [bool(query.relevant) for query in queries]
    if any(labelled) and not all(labelled):
        raise InvalidArgument(
            f"{source}: query {labelled.index(False) + 1} has no chunks or documents, others do.",
            hint="Label all of them, or none.",
        )
    return QuerySet("labelled" if all(labelled) else "recorded", tuple(queries), source)


def _query(line: str, where: str) -> Query:
    try:
        data = json.loads(line)
    except ValueError as exc:
        raise InvalidArgument(f"{where} is not JSON: {exc}.") from None
    if not isinstance(data, dict):
        raise InvalidArgument(f"{where} is not a JSON object.", hint='Write {"query": "…"}.')
    found = cast("dict[str, Any]", data)
    text = found.get("query")
    if not isinstance(text, str) or not text.strip():
        raise InvalidArgument(f"{where} has no query.", hint='Write {"query": "…"}.')
    unknown = set(found) - _FIELDS
    if unknown or ("chunks" in found and "documents" in found):
        raise InvalidArgument(
            f"{where}: unknown field {min(unknown)!r}."
            if unknown
            else f"{where} names both chunks and documents.",
            hint="A query has chunks or documents, lists of ids or maps of ids to grades.",
        )
    return Query(
        text,
        _grades(found.get("chunks"), f"{where}, chunks"),
        _grades(found.get("documents"), f"{where}, documents"),
    )


def _grades(given: object, where: str) -> dict[str, int]:
    if given is None:
        return {}
    if isinstance(given, list):
        ids = cast("list[Any]", given)
        if all(isinstance(name, str | int) for name in ids):
            return {str(name): 1 for name in ids}
    if isinstance(given, dict):
        grades = cast("dict[str, Any]", given)
        if all(isinstance(grade, int) and grade >= 1 for grade in grades.values()):
            return dict(grades)
    raise InvalidArgument(
        f"{where}: not a list of ids, nor a map of ids to grades of 1 and more.",
        hint='Such as ["a", "b"] or {"a": 3, "b": 1}.',
    )


def known_item_queries(chunks: Sequence[tuple[str, str]], seed: str = "") -> list[tuple[str, str]]:
    """A query for each chunk that has words: one of its sentences. Shape: (chunk_id, text).

    The words are in the chunk itself, so such queries flatter every model, and models that match
    words most. They show damage, not fine differences. The same seed makes the same queries.
    """
    made: list[tuple[str, str]] = []
    for chunk_id, content in chunks:
        words = content.split()
        if not words:
            continue
        sentences = [part.split() for part in _SENTENCE.split(content)]
        fit = [s for s in sentences if _FEWEST_WORDS <= len(s) <= _MOST_WORDS]
        if len(fit) > 1:
            # The first sentence is often a heading that many chunks share.
            fit = fit[1:]
        if fit:
            chosen = fit[_number(seed, chunk_id) % len(fit)]
        else:
            third = len(words) // 3
            chosen = words[third : third + _MOST_WORDS // 2] or words
        made.append((chunk_id, " ".join(chosen)))
    return made


def _number(seed: str, text: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8], "big")
