"""The retirement job, and versions that are due."""

from __future__ import annotations

from pgvec_versions.doctor.finding import Finding, Patient
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.retirement.watch import retirement_findings


def check_job(patient: Patient) -> list[Finding]:
    """Checks that something calls ``pgvec.retire_due()``, and lists what waits for it."""
    if not patient.status:
        return []
    with autocommitted(patient.engine) as raw:
        seen = retirement_findings(raw, patient.engine)
    return [Finding(f.level, f.what, f.evidence, f.to_do) for f in seen]
