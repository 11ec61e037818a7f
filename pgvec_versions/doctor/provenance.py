"""Provenance: a sample of stored chunks is embedded again and compared with what is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from psycopg import sql

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.doctor.finding import Finding, Patient, reading
from pgvec_versions.doctor.samples import check_lengths, reproduce
from pgvec_versions.embedders import Embedder
from pgvec_versions.embedders.fingerprints import agreement, read_fingerprints
from pgvec_versions.embedders.identity import require_same
from pgvec_versions.errors import EmbedderMismatch
from pgvec_versions.postgres import sqlfiles, vectors

__all__ = ["check_provenance"]

#: Vectors that are looked at without a model.
_LOOKED_AT = 1000


def _percent(chunks: int) -> float:
    """The share of pages to read for a sample that is spread over the leaf."""
    return min(100.0, 100.0 * 20 * _LOOKED_AT / max(chunks, 1))


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
                else "The embedder at hand is another model: nothing is "
                "written or searched with it.",
            )
        )
        if not agreed.agrees:
            return found
    part = rows[: patient.sample]
    if part:
        again = reproduce(
            embedder,
            [r[1] for r in part],
            list(vectors.unpack([r[2] for r in part], known.storage)),
        )
        ids = ", ".join(str(part[i][0]) for i in again.strangers[:5])
        found.append(
            Finding(
                "problem" if again.strangers else "ok",
                name,
                f"{again.reproduced} of {again.rows} sampled chunks are made again by its embedder"
                + (f"; not: {ids}" if ids else ""),
                "These vectors are of another model or of an older text: change their content, "
                "or upgrade to a new version."
                if again.strangers
                else "",
            )
        )
    return found


def check_provenance(patient: Patient) -> list[Finding]:
    """Lengths, duplicates and, with the version's embedder at hand, whether it made the vectors."""
    found: list[Finding] = []
    chunks = {(r["collection"], r["model_version"]): r["chunks"] or 0 for r in patient.status}
    for known in patient.collections:
        for version in known.live:
            name = f"{known.collection}/{version.model_version}"
            leaf = sql.Identifier("pgvec_leaves", version.leaf)
            count = chunks.get((known.collection, version.model_version), 0)
            with reading(patient.engine) as raw:
                with raw.cursor(binary=True) as cursor:
                    rows = cursor.execute(
                        sqlfiles.query("doctor_sample").format(leaf=leaf),
                        {"percent": _percent(count), "count": _LOOKED_AT},
                    ).fetchall()
                doubles = raw.execute(
                    sqlfiles.query("doctor_duplicates").format(leaf=leaf)
                ).fetchone()
            if rows:
                matrix = vectors.unpack([row[2] for row in rows], known.storage)
                lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
                found += check_lengths(name, lengths)
            if doubles and doubles[0]:
                seen = f"{doubles[0]} of {doubles[1]} chunks have a text that another one has"
                to_do = "They crowd each other out of the hits: store a text once."
                found.append(Finding("warning", name, seen, to_do))
            if doubles and doubles[2]:
                seen = f"{doubles[2]} vectors belong to several different texts"
                to_do = "A text changed without its vector, or was cut off: embed them again."
                found.append(Finding("warning", name, seen, to_do))
            embedder = patient.embedder(known.collection, version.model_version)
            if patient.sample and embedder is not None:
                found += _embedded_again(patient, known, version, rows, embedder)
    return found
