"""Provenance: a sample of stored chunks is embedded again and compared with what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from psycopg import sql
from psycopg.rows import namedtuple_row

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.doctor.equal_vectors import Reason, reason, shared_findings
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


def _own_embedder(
    patient: Patient, known: Collection, version: Version
) -> tuple[list[Finding], Embedder | None]:
    """What the canaries say of the given embedder; and the embedder, if it is the version's own."""
    embedder = patient.embedder(known.collection, version.model_version)
    if not patient.sample or embedder is None:
        return [], None
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
        return [Finding("problem", name, exc.message, exc.hint or "")], None
    with reading(patient.engine) as raw:
        kept = read_fingerprints(raw, known.collection, [version.model_version], every=True)
    if version.model_version not in kept:
        return [], embedder
    agreed = agreement(kept[version.model_version], embedder)
    seen = (
        f"{len(agreed.cosines)} canaries: least cosine {agreed.least_cosine:.4f} ({agreed.worst})"
    )
    if agreed.agrees:
        return [Finding("ok", name, seen)], embedder
    to_do = "This embedder is another model: nothing is written or searched with it."
    return [Finding("problem", name, seen, to_do)], None


def _embedded_again(
    name: str, known: Collection, part: Sequence[_Row], embedder: Embedder
) -> Finding:
    again = reproduce(
        embedder,
        [row.content for row in part],
        list(vectors.unpack([row.embedding for row in part], known.storage)),
    )
    ids = ", ".join(part[i].chunk_id for i in again.strangers[:_NAMED])
    seen = f"{again.reproduced} of {again.rows} sampled chunks are reproduced by its embedder"
    if not again.strangers:
        return Finding("ok", name, seen)
    to_do = (
        "Another model made these vectors, or the text was older: change their content, "
        "or upgrade to a new version."
    )
    return Finding("problem", name, f"{seen}; not: {ids}", to_do)


class _Row(NamedTuple):
    """A sampled chunk; the vector in wire format."""

    chunk_id: str
    content: str
    embedding: bytes


@dataclass(frozen=True, slots=True)
class _Leaf:
    """What was read of a leaf: a sample, counts, and the texts of each shared vector."""

    sample: list[_Row]
    counts: Any
    shared: list[Any]


def _read_leaf(patient: Patient, version: Version, chunks: int) -> _Leaf:
    leaf = sql.Identifier("pgvec_leaves", version.leaf)
    with (
        reading(patient.engine) as raw,
        raw.cursor(binary=True, row_factory=namedtuple_row) as cursor,
    ):
        sample: list[Any] = cursor.execute(
            sqlfiles.query("doctor_sample").format(leaf=leaf),
            {"percent": sampled_percent(chunks), "count": SAMPLED_ROWS},
        ).fetchall()
        return _Leaf(
            [_Row(*row) for row in sample],
            read_row(raw, sqlfiles.query("doctor_duplicates").format(leaf=leaf)),
            cursor.execute(sqlfiles.query("doctor_shared_vectors").format(leaf=leaf)).fetchall(),
        )


def _of_texts(name: str, counts: Any) -> list[Finding]:
    found: list[Finding] = []
    if counts.doubles:
        seen = f"{counts.doubles} of {counts.chunks} chunks have the text of another one"
        to_do = "They crowd each other out of the hits: store a text once."
        found.append(Finding("warning", name, seen, to_do))
    if counts.empty:
        seen = f"{counts.empty} of {counts.chunks} chunks have an empty text"
        to_do = "Their vectors say nothing, and take places among the hits: delete them."
        found.append(Finding("warning", name, seen, to_do))
    return found


def _of_shared_vectors(
    patient: Patient, known: Collection, version: Version, shared: list[Any], own: Embedder | None
) -> list[Finding]:
    """Whether the embedder is why texts share a vector. Embeds about ``sample`` texts again."""
    if not shared:
        return []
    reasons: list[Reason] = []
    asked = 0
    for _, group in groupby(shared, key=lambda row: row.number):
        rows = list(group)
        if own is not None and asked and asked + len(rows) > patient.sample:
            break
        asked += len(rows)
        [stored] = vectors.unpack([rows[0].embedding], known.storage)
        reasons.append(reason([row.content for row in rows], stored, version.embedder, own))
    name = f"{known.collection}/{version.model_version}"
    return shared_findings(name, reasons, shared[0].vectors)


def check_provenance(patient: Patient) -> list[Finding]:
    """Checks lengths, duplicates and, given the version's embedder, that it made the vectors."""
    found: list[Finding] = []
    chunks = {(r["collection"], r["model_version"]): r["chunks"] or 0 for r in patient.status}
    for known in patient.collections:
        for version in known.live:
            name = f"{known.collection}/{version.model_version}"
            read = _read_leaf(
                patient, version, chunks.get((known.collection, version.model_version), 0)
            )
            # An empty text has any vector, or zeros: nothing follows from it.
            telling = [row for row in read.sample if row.content.strip()]
            if telling:
                matrix = vectors.unpack([row.embedding for row in telling], known.storage)
                found += check_lengths(name, np.linalg.norm(matrix.astype(np.float64), axis=1))
            found += _of_texts(name, read.counts)
            said, own = _own_embedder(patient, known, version)
            found += said
            found += _of_shared_vectors(patient, known, version, read.shared, own)
            if own is not None and telling:
                found.append(_embedded_again(name, known, telling[: patient.sample], own))
    return found
