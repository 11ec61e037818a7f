"""A finding of a check, and what a check gets to work with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from psycopg.rows import dict_row
from sqlalchemy import Engine

from pgvec_versions.catalog import Collection
from pgvec_versions.embedders import Embedder
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.locks import unlimited

Level = Literal["ok", "warning", "problem"]
#: The worst first.
LEVELS: tuple[Level, ...] = ("problem", "warning", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check. ``what`` it is about, the ``evidence``, and what to do."""

    level: Level
    what: str
    evidence: str
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all findings say together: in a few words, how bad, and what to do ``next``."""

    word: str
    tone: Level
    next: str


def verdict(findings: Sequence[Finding]) -> Verdict:
    """The verdict on these findings."""
    problems, warnings, _ = (sum(f.level == level for f in findings) for level in LEVELS)
    some = _counted(warnings, "warning")
    if problems:
        word = _counted(problems, "problem") + (f" and {some}" if warnings else "")
        return Verdict(word, "problem", "Begin with the problems: each says what to do.")
    if warnings:
        return Verdict(
            f"No problem, {some}",
            "warning",
            "Nothing is wrong now. A warning may become a problem.",
        )
    return Verdict("All is in order", "ok", "There is nothing to do.")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@dataclass(slots=True)
class Patient:
    """What the checks examine. ``embedder`` takes a collection and a version."""

    engine: Engine
    server: dict[str, Any]
    sample: int
    embedder: Callable[[str, str], Embedder | None]
    collections: list[Collection] = field(default_factory=list[Collection])
    status: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


#: A check examines everything of its kind and changes nothing.
Check: TypeAlias = Callable[[Patient], list[Finding]]


@contextmanager
def reading(engine: Engine) -> Generator[PgConnection]:
    """A connection in a read-only transaction."""
    with unlimited(engine) as raw:
        raw.execute(sqlfiles.query("read_only"))
        yield raw


def rows(raw: PgConnection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a named statement, as dicts."""
    with raw.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sqlfiles.query(name), parameters or None).fetchall()
