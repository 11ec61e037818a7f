"""Versions that hold different chunks: writes around the triggers, and work that was lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pgvec_versions.doctor.finding import Finding, Level, Patient, reading, rows

#: What is wrong, by pgvec.unsettled_chunks' word for it, in a version that is not active.
_SEEN = {
    "missing": "chunks are missing or stale: it lacks them, and no work item brings them",
    "stale": "chunks are missing or stale: {active} holds a later form, and no work item brings it",
    "different": "chunks differ from another version's, though the write was the same: somebody "
    "wrote around the triggers",
    "ahead": "chunks are in a later form than in {active}, and no work item carries it there",
    "surplus": "chunks are not in {active}, and nobody deleted them through the triggers",
    "deleted": "chunks were deleted later than they were written, and are there",
    "undrawn": "chunks have a turn that was never drawn: they would win against every later write",
}
#: The same in the active version.
_SEEN_IN_ACTIVE = _SEEN | {
    "missing": "chunks are missing or stale: another version holds them, and nobody deleted them "
    "through the triggers",
    "stale": "chunks are missing or stale: another version holds a later form, and no work item "
    "brings it",
}


def _level(row: dict[str, Any]) -> Level | None:
    """None where the same is said of the active version, or is how the version should be."""
    difference, state = row["difference"], row["state"]
    compared = row["follows"] and state in ("ready", "draining")
    if difference in ("ahead", "surplus") and compared:
        return None
    if difference in ("missing", "stale", "deleted") and not row["follows"]:
        return None
    if difference in ("missing", "stale") and state == "building":
        return "warning"
    return "problem"


def check_differences(patient: Patient) -> list[Finding]:
    """Compares the versions by their rows, both ways."""
    names = [c.collection for c in patient.collections]
    with reading(patient.engine) as raw:
        differences = rows(raw, "doctor_differences", collections=names)
    found: list[Finding] = []
    lost = Counter[tuple[str, str]]()
    for row in differences:
        level = _level(row)
        if level is None:
            continue
        seen = _SEEN_IN_ACTIVE if row["state"] == "active" else _SEEN
        if row["difference"] in ("missing", "stale"):
            lost[row["collection"], row["model_version"]] += row["chunks"]
        found.append(
            Finding(
                level,
                f"{row['collection']}/{row['model_version']}",
                f"{row['chunks']} {seen[row['difference']].format(active=row['active'])}",
                row["ways_out"],
            )
        )
    for row in patient.status:
        coming = (row["missing"] or 0) - lost[row["collection"], row["model_version"]]
        if row["state"] == "active" and coming > 0:
            name = f"{row['collection']}/{row['model_version']}"
            seen = f"{coming} chunks are missing or stale; work items bring them"
            found.append(Finding("problem", name, seen, "Let a worker run: pgvec worker --drain."))
    return found
