"""What a check says, and what it is given to look with."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from psycopg.rows import dict_row
from sqlalchemy import Engine

from pgvec_versions.catalog import Collection
from pgvec_versions.embedders import Embedder
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, transaction

__all__ = ["Check", "Finding", "Patient", "reading", "rows"]

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its level, what was seen, what to do."""

    level: Level
    what: str
    evidence: str
    to_do: str = ""


@dataclass(slots=True)
class Patient:
    """What is examined. ``embedder`` gives the one of a collection's version, if it is at hand."""

    engine: Engine
    server: dict[str, Any]
    sample: int
    embedder: Callable[[str, str], Embedder | None]
    collections: list[Collection] = field(default_factory=list[Collection])
    status: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


#: A check looks at everything of its kind and changes nothing.
Check: TypeAlias = Callable[[Patient], list[Finding]]


@contextmanager
def reading(engine: Engine) -> Generator[PgConnection]:
    """A connection in a transaction that the server itself keeps from writing."""
    with transaction(engine) as raw:
        raw.execute(sqlfiles.query("read_only"))
        yield raw


def rows(raw: PgConnection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a named statement, by column."""
    with raw.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sqlfiles.query(name), parameters or None).fetchall()
