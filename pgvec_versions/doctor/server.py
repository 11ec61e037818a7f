"""The server: PostgreSQL, pgvector and its known bugs, and settings that slow or break things."""

from __future__ import annotations

from typing import Any

from pgvec_versions.doctor.finding import Finding, Patient

#: PostgreSQL 15, as server_version_num writes it: the first with security_invoker views.
OLDEST_SERVER = 150000
#: pgvector: the first with iterative scans, the first without CVE-2026-3172, and the first without
#: races between vacuum and insert.
OLDEST_PGVECTOR, _NO_CVE, _NO_RACES = (0, 8, 0), (0, 8, 2), (0, 8, 4)


def version_number(version: str) -> tuple[int, ...]:
    """A version as numbers, to compare."""
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())


def _pgvector(version: str | None) -> Finding:
    name = "pgvector"
    if version is None:
        return Finding("problem", name, "not in this database", "CREATE EXTENSION vector;")
    if version_number(version) < OLDEST_PGVECTOR:
        to_do = "Install 0.8.0 or later, then ALTER EXTENSION vector UPDATE;"
        return Finding("problem", name, version, to_do)
    if version_number(version) < _NO_CVE:
        seen = f"{version}: CVE-2026-3172, so indexes are built without parallel workers"
        return Finding("warning", name, seen, "Install 0.8.4 or later.")
    if version_number(version) < _NO_RACES:
        seen = f"{version}: vacuum and insert races are fixed in 0.8.4"
        return Finding("warning", name, seen, "Install 0.8.4 or later.")
    return Finding("ok", name, version)


def check_server(patient: Patient) -> list[Finding]:
    """Checks the versions of PostgreSQL and pgvector."""
    server = patient.server
    new_enough = server["server_version_num"] >= OLDEST_SERVER
    return [
        Finding(
            "ok" if new_enough else "problem",
            "PostgreSQL",
            server["server_version"],
            "" if new_enough else "15 or later is needed.",
        ),
        _pgvector(server["vector_version"]),
    ]


def check_settings(patient: Patient) -> list[Finding]:
    """Checks settings, and whether the indexes in use fit into memory."""
    server: dict[str, Any] = patient.server
    found: list[Finding] = []
    if not server["autovacuum"]:
        seen = "autovacuum is off: deleted chunks stay in the index and slow it down"
        found.append(Finding("warning", "settings", seen, "Turn it on."))
    if server["replication_role"] == "replica":
        seen = "session_replication_role is replica here: writes are not carried to other versions"
        found.append(Finding("problem", "settings", seen, "Set it to origin."))
    used = sum(
        row["index_bytes"] or 0
        for row in patient.status
        if row["state"] in ("active", "draining") and row["index_bytes"]
    )
    cache = max(server["shared_buffers"], server["effective_cache_size"])
    if used > cache:
        seen = (
            f"the indexes in use ({used // 1024**2} MB) do not fit into memory "
            f"({cache // 1024**2} MB by shared_buffers and effective_cache_size)"
        )
        to_do = "Give the server more memory, or store halfvec."
        found.append(Finding("warning", "settings", seen, to_do))
    return found
