"""The retirement job, and versions that are due."""

from __future__ import annotations

from pgvec_versions.doctor.finding import Finding, Patient
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.retirement.watch import retirement_findings

__all__ = ["check_job"]


def check_job(patient: Patient) -> list[Finding]:
    """Whether something calls ``pgvec.retire_due()``, and what waits for it."""
    if not patient.status:
        return []
    with autocommitted(patient.engine) as raw:
        seen = retirement_findings(raw, patient.engine)
    return [Finding(f.level, f.what, f.evidence, f.to_do) for f in seen]
