"""The versions: what the catalog says about each, its index, the query plan, its leaf."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from psycopg import sql

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.doctor.finding import Finding, Patient, reading, rows
from pgvec_versions.postgres import sqlfiles, vectors
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.rows import read_value
from pgvec_versions.states import LIVE, SHOWN

#: In a smaller leaf, reading all of it is a good plan too. Units: chunks.
_FEW = 1000
_OPERATORS = {"cosine": sql.SQL("<=>"), "l2": sql.SQL("<->"), "inner_product": sql.SQL("<#>")}


def _name(row: dict[str, Any]) -> str:
    return f"{row['collection']}/{row['model_version']}"


def _of_version(row: dict[str, Any], memory: int) -> list[Finding]:
    name = _name(row)
    found: list[Finding] = []
    if row["state"] in SHOWN and not row["index_valid"]:
        to_do = f"SELECT pgvec.build_index('{row['collection']}', '{row['model_version']}');"
        found.append(Finding("problem", name, "its HNSW index is missing or invalid", to_do))
    if row["items_set_aside"]:
        seen = f"{row['items_set_aside']} work items set aside: {row['last_error']}"
        found.append(
            Finding("problem", name, seen, "Remove the cause, then: pgvec worker --retry-failed.")
        )
    if row["fingerprint"] == "differs":
        found.append(
            Finding(
                "problem",
                name,
                "an embedder that was given for it does not make its vectors",
                "See pgvec.version_event; look at revision, pooling, prefix and normalisation.",
            )
        )
    elif row["fingerprint"] == "none" and row["state"] in LIVE:
        seen = "it has no canaries: nothing says which model made its vectors"
        to_do = "Its next version, registered with an embedder, has them."
        if not row["embedder"]:
            found.append(Finding("ok", name, f"{seen}; no embedder was recorded either"))
        else:
            found.append(Finding("warning", name, seen, to_do))
    if row["index_bytes"] and row["index_bytes"] > memory:
        seen = (
            f"its index ({row['index_bytes'] // 1024**2} MB) is larger than "
            f"maintenance_work_mem ({memory // 1024**2} MB)"
        )
        to_do = "A plain REINDEX would be slow: set maintenance_work_mem for it."
        found.append(Finding("warning", name, seen, to_do))
    return found or [Finding("ok", name, f"{row['state']}, {row['chunks']} chunks")]


def check_versions(patient: Patient) -> list[Finding]:
    """Checks index, work items and fingerprint of every version with a leaf."""
    memory = patient.server["maintenance_work_mem"]
    return [
        finding
        for row in patient.status
        if row["chunks"] is not None
        for finding in _of_version(row, memory)
    ]


def _of_leaf(row: dict[str, Any]) -> list[Finding]:
    name = _name(row)
    refresh = f"SELECT pgvec.refresh_collection('{row['collection']}');"
    found: list[Finding] = []
    if not row["same_policies"]:
        seen = (
            "its leaf does not have the chunk table's row-level security: "
            "nothing can be read from it until it does"
        )
        found.append(Finding("problem", name, seen, refresh))
    if row["checks"] < row["due_checks"]:
        seen = "a CHECK of its leaf was dropped: vectors of another model, or zeros, can get in"
        to_do = "Abandon or retire the version and register a new label."
        found.append(Finding("problem", name, seen, to_do))
    if row["disabled_triggers"]:
        seen = "triggers of the chunk table are disabled: writes are not carried to every version"
        tables = f"ALTER TABLE {row['chunk_table']} ENABLE TRIGGER USER;"
        to_do = f"{tables} ALTER TABLE {row['leaf']} ENABLE TRIGGER USER; Then look again."
        found.append(Finding("problem", name, seen, to_do))
    if row["dropped_triggers"]:
        seen = "triggers of ours were dropped: writes are not carried to every version"
        found.append(Finding("problem", name, seen, f"{refresh} Then look again."))
    if row["state"] == "active" and row["long_active"] and row["scans"] == 0:
        seen = "its index was never used, though it has been active for more than a day"
        to_do = "Do queries go through the routing view or pgvec.nearest?"
        found.append(Finding("warning", name, seen, to_do))
    if row["state"] in ("building", "ready") and row["stuck"]:
        seen = f"it has been {row['state']} for more than a week"
        found.append(Finding("warning", name, seen, "Continue: pgvec upgrade. Or: pgvec abandon."))
    return found


def check_leaves(patient: Patient) -> list[Finding]:
    """Checks the leaves: row-level security, CHECKs, triggers, use; and the recorded grants."""
    names = [c.collection for c in patient.collections]
    with reading(patient.engine) as raw:
        leaves = rows(raw, "doctor_leaves", collections=names)
        grants = rows(raw, "doctor_grants", collections=names)
        gone = rows(raw, "doctor_gone_roles", collections=names)
    found = [finding for row in leaves for finding in _of_leaf(row)]
    for row in grants:
        seen = (
            f"{row['grantee']} has a recorded grant ({row['privilege']}) and lacks {row['lacks']}"
        )
        to_do = f"SELECT pgvec.refresh_collection('{row['collection']}');"
        found.append(Finding("problem", row["collection"], seen, to_do))
    for row in gone:
        seen = f"a role that was dropped (number {row['role']}) has a record: {row['privileges']}"
        to_do = f"SELECT pgvec.refresh_collection('{row['collection']}'); it deletes the record."
        found.append(Finding("warning", row["collection"], seen, to_do))
    return found


def _indexes(plan: Any) -> set[str]:
    """The names of all indexes in a plan of EXPLAIN (FORMAT JSON)."""
    if isinstance(plan, list):
        return set[str]().union(*map(_indexes, cast("list[Any]", plan)))
    if not isinstance(plan, dict):
        return set()
    node = cast("dict[str, Any]", plan)
    return {str(node.get("Index Name", ""))}.union(*map(_indexes, node.values()))


def _uses_index(raw: PgConnection, known: Collection, version: Version) -> bool:
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
    return f"{version.leaf}_hnsw" in _indexes(plan)


def check_plans(patient: Patient) -> list[Finding]:
    """Checks by EXPLAIN that the planner uses the HNSW index."""
    found: list[Finding] = []
    chunks = {(r["collection"], r["model_version"]): r for r in patient.status}
    for known in patient.collections:
        for version in known.versions:
            row = chunks.get((known.collection, version.model_version))
            if version.state not in SHOWN or row is None or not row["index_valid"]:
                continue
            if row["chunks"] < _FEW:
                continue
            with reading(patient.engine) as raw:
                used = _uses_index(raw, known, version)
            name = f"{known.collection}/{version.model_version}"
            if used:
                found.append(Finding("ok", name, "the plan uses its HNSW index"))
            else:
                seen = f"the plan does not use its HNSW index ({row['chunks']} chunks)"
                to_do = "ANALYZE the leaf; look at enable_indexscan and random_page_cost."
                found.append(Finding("problem", name, seen, to_do))
    return found
