"""The retirement job, and versions that are due."""

from __future__ import annotations

from datetime import UTC, datetime

from pgvec_versions.doctor.finding import Finding, Patient
from pgvec_versions.schedule import retirement_job

__all__ = ["check_job"]


def check_job(patient: Patient) -> list[Finding]:
    """Whether something calls ``pgvec.retire_due()``, and what waits for it."""
    if not patient.status:
        return []
    found = [
        Finding(
            "warning",
            f"{row['collection']}/{row['model_version']}",
            f"due since {row['retire_at']:%Y-%m-%d %H:%M}",
            "Is the job running? pgvec retire.",
        )
        for row in patient.status
        if row["state"] == "draining" and row["retire_at"] < datetime.now(UTC)
    ]
    job = retirement_job(patient.engine)
    if job is None:
        to_do = "pgvec schedule, or pgvec retire from another scheduler."
        seen = "no pg_cron job in this database"
        return [*found, Finding("warning", "retirement", seen, to_do)]
    if not job.active:
        seen = f"job {job.jobid} is inactive"
        return [*found, Finding("problem", "retirement", seen, "pgvec schedule")]
    return [*found, Finding("ok", "retirement", f"job {job.jobid}: {job.schedule}")]
