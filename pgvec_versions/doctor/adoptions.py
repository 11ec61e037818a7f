"""Tables whose adoption is not complete, or can still be undone."""

from __future__ import annotations

import shlex

from pgvec_versions.doctor.finding import Finding, Patient, reading, rows


def check_adoptions(patient: Patient) -> list[Finding]:
    """Names the adoptions that were begun, and what is kept for the way back."""
    with reading(patient.engine) as raw:
        found = rows(raw, "doctor_adoptions")
    findings: list[Finding] = []
    for row in found:
        name, table = str(row["collection"]), str(row["table_name"])
        if not row["adopted"]:
            begun = f"the adoption of {table} as {name} was begun and is not complete"
            again = f"pgvec adopt {shlex.quote(table)} -c {name} --label {row['model_version']}"
            back = f"pgvec adopt -c {name} --undo"
            findings.append(Finding("warning", name, begun, f"Go on: {again}. Or back: {back}."))
        elif row["old_indexes"]:
            kept = (
                f"{row['old_indexes']} of {table} is kept for the way back: every write keeps two "
                "vector indexes, and TRUNCATE, REINDEX and the restore of a dump fail on it"
            )
            findings.append(Finding("warning", name, kept, f"pgvec adopt -c {name} --finish"))
    return findings
