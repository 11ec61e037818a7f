"""Evaluations and the gate as the catalog holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from sqlalchemy import Engine

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, transaction

__all__ = [
    "Evaluation",
    "Gate",
    "check_gate",
    "drop_gate",
    "evaluations",
    "read_gate",
    "record",
    "set_gate",
]

#: Kinds that a report is about, and that a gate may take.
JUDGED = ("labelled", "known_item")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A row of ``pgvec.evaluation``: what was measured of a version and of its baseline."""

    evaluation_id: int
    collection: str
    model_version: str
    baseline_version: str | None
    kind: str
    at: datetime
    who: str
    queries: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    detail: dict[str, Any]
    chunks: int | None
    index_mark: int | None


@dataclass(frozen=True, slots=True)
class Gate:
    """A row of ``pgvec.gate``: what an evaluation must show before a cut-over."""

    bounds: dict[str, dict[str, float]]
    max_age: timedelta
    min_queries: int
    labelled: bool
    max_changed: float
    set_at: datetime
    set_by: str


def record(
    engine: Engine,
    collection: str,
    model_version: str,
    *,
    kind: str,
    queries: int,
    metrics: Mapping[str, float],
    baseline_version: str | None = None,
    baseline: Mapping[str, float] | None = None,
    detail: Mapping[str, Any] | None = None,
    index_mark: int | None = None,
) -> int:
    """Writes an evaluation down. Returns its id. Raises: WrongState, UnknownVersion."""
    with transaction(engine) as raw:
        row = raw.execute(
            sqlfiles.query("record_evaluation"),
            {
                "collection": collection,
                "model_version": model_version,
                "metrics": Jsonb(dict(metrics)),
                "queries": queries,
                "kind": kind,
                "baseline_version": baseline_version,
                "baseline": Jsonb(dict(baseline or {})),
                "detail": Jsonb(dict(detail or {})),
                "index_mark": index_mark,
            },
        ).fetchone()
    assert row is not None
    return int(row[0])


def evaluations(
    engine: Engine,
    collection: str,
    model_version: str | None = None,
    kinds: Sequence[str] = (*JUDGED, "recorded"),
    count: int = 50,
) -> list[Evaluation]:
    """The newest evaluations first, of one version or of all."""
    with (
        autocommitted(engine) as raw,
        raw.cursor(row_factory=class_row(Evaluation)) as cursor,
    ):
        return cursor.execute(
            sqlfiles.query("evaluations"),
            {
                "collection": collection,
                "model_version": model_version,
                "kinds": list(kinds),
                "count": count,
            },
        ).fetchall()


def set_gate(
    engine: Engine,
    collection: str,
    bounds: Mapping[str, Mapping[str, float]],
    *,
    max_age: str | timedelta = "7 days",
    min_queries: int = 20,
    labelled: bool = False,
    max_changed: float = 0.1,
) -> None:
    """Demands an evaluation before every cut-over; see ``bounds.parse_bounds``.

    Raises: InvalidArgument, UnknownCollection.
    """
    with transaction(engine) as raw:
        raw.execute(
            sqlfiles.query("set_gate"),
            {
                "collection": collection,
                "bounds": Jsonb({metric: dict(bound) for metric, bound in bounds.items()}),
                "max_age": max_age,
                "min_queries": min_queries,
                "labelled": labelled,
                "max_changed": max_changed,
            },
        )


def drop_gate(engine: Engine, collection: str) -> bool:
    """Takes the gate away. False when there was none."""
    with transaction(engine) as raw:
        row = raw.execute(sqlfiles.query("drop_gate"), {"collection": collection}).fetchone()
    return bool(row and row[0])


def read_gate(engine: Engine, collection: str) -> Gate | None:
    """The collection's gate, or None."""
    with autocommitted(engine) as raw, raw.cursor(row_factory=class_row(Gate)) as cursor:
        return cursor.execute(sqlfiles.query("gate"), {"collection": collection}).fetchone()


def check_gate(engine: Engine, collection: str, model_version: str) -> dict[str, Any]:
    """What the gate says to a version now; see ``sql/functions/evaluation/check_gate.sql``."""
    with autocommitted(engine) as raw:
        row = raw.execute(
            sqlfiles.query("check_gate"),
            {"collection": collection, "model_version": model_version},
        ).fetchone()
    assert row is not None
    return dict(row[0])
