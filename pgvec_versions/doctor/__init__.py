"""Read-only checks for what is wrong or soon will be. A finding has its evidence and what to do.

::

    finding.py     a finding, and what a check gets
    server.py      PostgreSQL, pgvector, settings
    versions.py    index, leaf, grants, work items and fingerprint of each version
    plans.py       whether searches use the HNSW index, where they should
    differences.py chunks that differ between versions and that no work item settles
    adoptions.py   tables whose adoption is not complete, or can be undone
    provenance.py  stored chunks, embedded again and compared
    equal_vectors.py  why different texts have one vector; pure
    samples.py     the comparison itself; pure
    retirement.py  the retirement job, and versions that are due
    tables.py      a pgvector table outside the catalog
    quick.py       pgvec check: the door, before anything is installed
    clusters.py    groups of vectors that different models made; pure
    html.py        the findings as a page

A new check is a function in one of these files, and a line in ``CHECKS``.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from pgvec_versions.catalog import collection_names, read_collection, status_rows
from pgvec_versions.doctor.adoptions import check_adoptions
from pgvec_versions.doctor.differences import check_differences
from pgvec_versions.doctor.finding import Check, Finding, Patient, Verdict, reading, rows, verdict
from pgvec_versions.doctor.html import as_html
from pgvec_versions.doctor.plans import check_plans
from pgvec_versions.doctor.provenance import check_provenance
from pgvec_versions.doctor.retirement import check_job
from pgvec_versions.doctor.server import check_server, check_settings
from pgvec_versions.doctor.tables import examine_table
from pgvec_versions.doctor.versions import check_leaves, check_versions
from pgvec_versions.embedders import Embedder
from pgvec_versions.errors import PgvecError
from pgvec_versions.postgres.install import installed_version, require_catalog

__all__ = [
    "CHECKS",
    "Finding",
    "Patient",
    "Verdict",
    "as_html",
    "examine",
    "examine_table",
    "verdict",
]

#: Every check of a database with the catalog, in the order in which findings are shown.
CHECKS: tuple[Check, ...] = (
    check_settings,
    check_versions,
    check_differences,
    check_leaves,
    check_plans,
    check_adoptions,
    check_provenance,
    check_job,
)


def _no_embedder(_: str, __: str) -> Embedder | None:
    return None


def examine(
    engine: Engine,
    *,
    collection: str | None = None,
    sample: int = 20,
    embedder: Callable[[str, str], Embedder | None] = _no_embedder,
) -> list[Finding]:
    """Checks one collection, or all of them. Changes nothing.

    ``embedder`` returns the embedder for a collection and a version, or None. With one, ``sample``
    chunks of the version are embedded again; with ``sample=0`` no model is loaded.
    Raises: UnknownCollection, CatalogMismatch.
    """
    with reading(engine) as raw:
        patient = Patient(engine, rows(raw, "doctor_server")[0], sample, embedder)
        installed = installed_version(raw)
        if installed:
            require_catalog(raw)
            names = [collection] if collection else collection_names(raw)
            patient.collections = [read_collection(raw, name) for name in names]
            patient.status = status_rows(raw, collection)
    found = check_server(patient)
    if not installed:
        return [*found, Finding("problem", "catalog", "not in this database", "pgvec init")]
    found.append(Finding("ok", "catalog", f"version {installed}"))
    for check in CHECKS:
        try:
            found += check(patient)
        except PgvecError as exc:
            what = check.__name__.removeprefix("check_")
            seen = f"could not be checked: {exc.message}"
            found.append(Finding("warning", what, seen, exc.hint or ""))
    return found
