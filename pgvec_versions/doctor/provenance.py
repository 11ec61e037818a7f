"""Provenance: a sample of stored chunks is embedded again and compared with what is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from psycopg import sql
from psycopg.rows import namedtuple_row

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.doctor.finding import Finding, Patient, reading
from pgvec_versions.doctor.samples import (
    SAMPLED_ROWS,
    check_lengths,
    reproduce,
    sampled_percent,
)
from pgvec_versions.embedders import Embedder
from pgvec_versions.embedders.fingerprints import agreement, read_fingerprints
from pgvec_versions.embedders.identity import require_same
from pgvec_versions.errors import EmbedderMismatch
from pgvec_versions.postgres import sqlfiles, vectors
from pgvec_versions.postgres.rows import read_row

#: Chunks that a finding names.
_NAMED = 5


def _embedded_again(
    patient: Patient, known: Collection, version: Version, rows: list[Any], embedder: Embedder
) -> list[Finding]:
    name = f"{known.collection}/{version.model_version}"
    try:
        require_same(
            version.embedder,
            embedder.identity,
            collection=known.collection,
            model_version=version.model_version,
            equivalents=version.equivalents,
        )
    except EmbedderMismatch as exc:
        return [Finding("problem", name, exc.message, exc.hint or "")]
    found: list[Finding] = []
    with reading(patient.engine) as raw:
        kept = read_fingerprints(raw, known.collection, [version.model_version], every=True)
    if version.model_version in kept:
        agreed = agreement(kept[version.model_version], embedder)
        found.append(
            Finding(
                "ok" if agreed.agrees else "problem",
                name,
                f"{len(agreed.cosines)} canaries: least cosine {agreed.least_cosine:.4f} "
                f"({agreed.worst})",
                ""
                if agreed.agrees
                else "This embedder is another model: nothing is written or searched with it.",
            )
        )
        if not agreed.agrees:
            return found
    part = rows[: patient.sample]
    if part:
        again = reproduce(
            embedder,
            [row.content for row in part],
            list(vectors.unpack([row.embedding for row in part], known.storage)),
        )
        ids = ", ".join(part[i].chunk_id for i in again.strangers[:_NAMED])
        found.append(
            Finding(
                "problem" if again.strangers else "ok",
                name,
                f"{again.reproduced} of {again.rows} sampled chunks are reproduced by its embedder"
                + (f"; not: {ids}" if ids else ""),
                "Another model made these vectors, or the text was older: change their content, "
                "or upgrade to a new version."
                if again.strangers
                else "",
            )
        )
    return found


def check_provenance(patient: Patient) -> list[Finding]:
    """Checks lengths, duplicates and, given the version's embedder, that it made the vectors."""
    found: list[Finding] = []
    chunks = {(r["collection"], r["model_version"]): r["chunks"] or 0 for r in patient.status}
    for known in patient.collections:
        for version in known.live:
            name = f"{known.collection}/{version.model_version}"
            leaf = sql.Identifier("pgvec_leaves", version.leaf)
            count = chunks.get((known.collection, version.model_version), 0)
            with reading(patient.engine) as raw:
                with raw.cursor(binary=True, row_factory=namedtuple_row) as cursor:
                    rows: list[Any] = cursor.execute(
                        sqlfiles.query("doctor_sample").format(leaf=leaf),
                        {"percent": sampled_percent(count), "count": SAMPLED_ROWS},
                    ).fetchall()
                repeated = read_row(raw, sqlfiles.query("doctor_duplicates").format(leaf=leaf))
            if rows:
                matrix = vectors.unpack([row.embedding for row in rows], known.storage)
                lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
                found += check_lengths(name, lengths)
            if repeated.doubles:
                seen = (
                    f"{repeated.doubles} of {repeated.chunks} chunks have the text of another one"
                )
                to_do = "They crowd each other out of the hits: store a text once."
                found.append(Finding("warning", name, seen, to_do))
            if repeated.shared_vectors:
                seen = f"{repeated.shared_vectors} vectors belong to several different texts"
                to_do = "A text changed without its vector, or was cut off: embed them again."
                found.append(Finding("warning", name, seen, to_do))
            embedder = patient.embedder(known.collection, version.model_version)
            if patient.sample and embedder is not None:
                found += _embedded_again(patient, known, version, rows, embedder)
    return found
