"""The plan of a search: whether it uses the HNSW index and, if not, whether that is right."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from psycopg import sql

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.doctor.finding import Finding, Patient, reading, rows
from pgvec_versions.postgres import sqlfiles, vectors
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.rows import read_value
from pgvec_versions.states import SHOWN, State

_OPERATORS = {"cosine": sql.SQL("<=>"), "l2": sql.SQL("<->"), "inner_product": sql.SQL("<#>")}


def _indexes(plan: Any) -> set[str]:
    """The names of all indexes in a plan of EXPLAIN (FORMAT JSON)."""
    if isinstance(plan, list):
        return set[str]().union(*map(_indexes, cast("list[Any]", plan)))
    if not isinstance(plan, dict):
        return set()
    node = cast("dict[str, Any]", plan)
    return {str(node.get("Index Name", ""))}.union(*map(_indexes, node.values()))


class _Search:
    """The ten nearest of a version, through its pinned view: a statement to explain.

    Each way of planning is a transaction of its own, because it changes settings.
    """

    def __init__(self, patient: Patient, known: Collection, version: Version) -> None:
        self._patient, self._known, self._version = patient, known, version

    def _explained(self, raw: PgConnection) -> tuple[bool, float]:
        """Whether the plan uses the HNSW index, and its cost in the planner's units."""
        known, version = self._known, self._version
        schema: str = read_value(raw, sqlfiles.query("vector_schema"))
        query = vectors.pack(np.ones((1, version.dimensions), dtype=np.float32), known.storage)[0]
        raw.execute(sqlfiles.query("doctor_declare"), {"collection": known.collection})
        statement = sqlfiles.query("doctor_plan").format(
            view=sql.Identifier(known.host_schema, version.pinned_view),
            operator=sql.SQL("OPERATOR({}.{})").format(
                sql.Identifier(schema), _OPERATORS[known.distance]
            ),
        )
        plan = read_value(raw, statement, {"query": query})
        return f"{version.leaf}_hnsw" in _indexes(plan), plan[0]["Plan"]["Total Cost"]

    def planned(self) -> tuple[bool, float]:
        """As the server plans it."""
        with reading(self._patient.engine) as raw:
            return self._explained(raw)

    def with_nothing_else(self) -> tuple[bool, float]:
        """As the server plans it if it may neither read the whole leaf nor sort."""
        with reading(self._patient.engine) as raw:
            raw.execute(sqlfiles.query("doctor_only_ordered_indexes"))
            return self._explained(raw)

    def by_default(self) -> tuple[bool, list[str]]:
        """Whether PostgreSQL's own planner settings use it; and the settings that differ here."""
        with reading(self._patient.engine) as raw:
            changed = [row["written"] for row in rows(raw, "doctor_default_planner")]
            return self._explained(raw)[0], changed


def _of_plan(search: _Search, name: str, chunks: int) -> Finding:
    used, cost = search.planned()
    if used:
        return Finding("ok", name, "the plan uses its HNSW index")
    missed = f"the plan does not use its HNSW index ({chunks} chunks)"
    usable, index_cost = search.with_nothing_else()
    if not usable:
        seen = f"{missed}, not even if nothing else is allowed: it does not fit the pinned view"
        to_do = "Drop the index and build it again: pgvec.build_index; then look again."
        return Finding("problem", name, seen, to_do)
    would, changed = search.by_default()
    if would:
        seen = f"{missed}: planner settings keep it from that ({', '.join(changed)})"
        return Finding("problem", name, seen, "Set them back, or nearer to their defaults.")
    seen = (
        f"the plan reads all {chunks} chunks: that is cheaper than the HNSW index "
        f"(cost {cost:.0f} against {index_cost:.0f}), which comes into use as the leaf grows"
    )
    return Finding("ok", name, seen)


def check_plans(patient: Patient) -> list[Finding]:
    """Checks by EXPLAIN that searches use the HNSW index, where it is the cheaper way."""
    found: list[Finding] = []
    names = [c.collection for c in patient.collections]
    with reading(patient.engine) as raw:
        unused = {
            (row["collection"], row["model_version"])
            for row in rows(raw, "doctor_leaves", collections=names)
            if row["state"] == State.ACTIVE and row["long_active"] and row["scans"] == 0
        }
    status = {(r["collection"], r["model_version"]): r for r in patient.status}
    for known in patient.collections:
        for version in known.versions:
            key = (known.collection, version.model_version)
            row = status.get(key)
            if version.state not in SHOWN or row is None or not row["index_valid"]:
                continue
            if not row["chunks"]:
                continue
            name = f"{known.collection}/{version.model_version}"
            search = _Search(patient, known, version)
            found.append(_of_plan(search, name, row["chunks"]))
            if key in unused and search.planned()[0]:
                seen = "its index was never used, though it has been active for more than a day"
                to_do = "Do queries go through the routing view or pgvec.nearest?"
                found.append(Finding("warning", name, seen, to_do))
    return found
