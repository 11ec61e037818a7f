"""Evaluations and the gate, as rows of the catalog."""

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
from pgvec_versions.postgres.rows import read_value

#: The kinds of evaluation that a gate can accept, and that a report prefers.
JUDGED = ("labelled", "known_item")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A row of ``pgvec.evaluation``: the figures of a version and of its baseline."""

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
    """A row of ``pgvec.gate``: what a version must reach to be cut over to."""

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
    """Records an evaluation. Returns its id. Raises: WrongState, UnknownVersion."""
    with transaction(engine) as raw:
        evaluation_id: int = read_value(
            raw,
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
        )
    return evaluation_id


def evaluations(
    engine: Engine,
    collection: str,
    model_version: str | None = None,
    kinds: Sequence[str] = (*JUDGED, "recorded"),
    count: int = 50,
) -> list[Evaluation]:
    """The evaluations of one version or of all, the newest first."""
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
    bounds: Mapping[str, Mapping[str, float]] | None = None,
    *,
    max_age: str | timedelta | None = None,
    min_queries: int | None = None,
    labelled: bool | None = None,
    max_changed: float | None = None,
) -> Gate | None:
    """Requires an evaluation within these bounds before every cut-over. Returns the gate before.

    What is None keeps the value of the gate before; for the values without one, and for the known
    metrics, see ``sql/functions/evaluation/set_gate.sql``. For ``bounds`` see
    ``bounds.parse_bounds``.

    Raises: InvalidArgument, UnknownCollection.
    """
    new = None if bounds is None else {metric: dict(bound) for metric, bound in bounds.items()}
    with transaction(engine) as raw, raw.cursor(row_factory=class_row(Gate)) as cursor:
        before = cursor.execute(
            sqlfiles.query("set_gate"),
            {
                "collection": collection,
                "bounds": None if new is None else Jsonb(new),
                "max_age": max_age,
                "min_queries": min_queries,
                "labelled": labelled,
                "max_changed": max_changed,
            },
        ).fetchone()
    return before


def drop_gate(engine: Engine, collection: str) -> bool:
    """Removes the gate. Returns whether there was one."""
    with transaction(engine) as raw:
        return bool(read_value(raw, sqlfiles.query("drop_gate"), {"collection": collection}))


def read_gate(engine: Engine, collection: str) -> Gate | None:
    """The collection's gate, or None."""
    with autocommitted(engine) as raw, raw.cursor(row_factory=class_row(Gate)) as cursor:
        return cursor.execute(sqlfiles.query("gate"), {"collection": collection}).fetchone()


def check_gate(engine: Engine, collection: str, model_version: str) -> dict[str, Any]:
    """Whether the gate lets a version pass now; see ``sql/functions/evaluation/check_gate.sql``."""
    with autocommitted(engine) as raw:
        verdict: dict[str, Any] = read_value(
            raw,
            sqlfiles.query("check_gate"),
            {"collection": collection, "model_version": model_version},
        )
    return verdict
