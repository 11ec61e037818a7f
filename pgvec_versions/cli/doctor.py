"""``pgvec doctor``: read-only checks of server, catalog, versions and the job."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import typer
from psycopg.rows import dict_row
from rich.table import Table

from pgvec_versions import sqlfiles
from pgvec_versions.catalog import status_rows
from pgvec_versions.cli.common import ConfigOption, JsonOption, UrlOption, console, emit, workplace
from pgvec_versions.database import autocommitted
from pgvec_versions.install import installed_version, require_catalog
from pgvec_versions.retirement import retirement_findings

__all__ = ["Finding", "register"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``ok``, ``warning`` or ``problem``."""

    level: str
    what: str
    evidence: str
    to_do: str = ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())


def _server(row: dict[str, Any]) -> list[Finding]:
    found = [
        Finding(
            "ok" if row["server_version_num"] >= 150000 else "problem",
            "PostgreSQL",
            row["server_version"],
        )
    ]
    vector = row["vector_version"]
    if vector is None:
        return [
            *found,
            Finding("problem", "pgvector", "not in this database", "CREATE EXTENSION vector;"),
        ]
    if _number(vector) < (0, 8, 0):
        found.append(
            Finding(
                "problem",
                "pgvector",
                vector,
                "Install 0.8.0 or later, then ALTER EXTENSION vector UPDATE;",
            )
        )
    elif _number(vector) < (0, 8, 2):
        found.append(
            Finding(
                "warning",
                "pgvector",
                f"{vector}: CVE-2026-3172, so indexes are built without parallel workers",
                "Install 0.8.4 or later.",
            )
        )
    elif _number(vector) < (0, 8, 4):
        found.append(
            Finding(
                "warning",
                "pgvector",
                f"{vector}: vacuum and insert races are mended in 0.8.4",
                "Install 0.8.4 or later.",
            )
        )
    else:
        found.append(Finding("ok", "pgvector", vector))
    return found


def _version(row: dict[str, Any], memory: int) -> list[Finding]:
    name = f"{row['collection']}/{row['model_version']}"
    if row["chunks"] is None:
        return []
    found: list[Finding] = []
    if row["state"] in ("ready", "active", "draining") and not row["index_valid"]:
        found.append(
            Finding(
                "problem",
                name,
                "its HNSW index is missing or invalid",
                f"SELECT pgvec.build_index('{row['collection']}', '{row['model_version']}');",
            )
        )
    if row["items_set_aside"]:
        found.append(
            Finding(
                "problem",
                name,
                f"{row['items_set_aside']} work items set aside: {row['last_error']}",
                "Mend the cause; pgvec worker --retry-failed.",
            )
        )
    if row["state"] == "active" and row["missing"]:
        found.append(
            Finding(
                "warning",
                name,
                f"{row['missing']} chunks are missing or stale",
                "Let a worker run: pgvec worker.",
            )
        )
    if row["index_bytes"] and row["index_bytes"] > memory:
        found.append(
            Finding(
                "warning",
                name,
                f"its index ({row['index_bytes'] // 1024**2} MB) is larger than "
                f"maintenance_work_mem ({memory // 1024**2} MB)",
                "A plain REINDEX would be slow: set maintenance_work_mem for it.",
            )
        )
    return found or [Finding("ok", name, f"{row['state']}, {row['chunks']} chunks")]


def doctor(
    database_url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Look for what is wrong or will be. Changes nothing. Exit code 3 when there is a problem."""
    with workplace(database_url, config) as here:
        with autocommitted(here.engine) as raw:
            with raw.cursor(row_factory=dict_row) as cursor:
                server = cursor.execute(sqlfiles.query("server")).fetchone()
            assert server is not None
            findings = _server(server)
            if installed_version(raw) == 0:
                findings.append(Finding("problem", "catalog", "not in this database", "pgvec init"))
                rows = []
            else:
                require_catalog(raw)
                findings.append(Finding("ok", "catalog", f"version {installed_version(raw)}"))
                rows = status_rows(raw)
                findings += [
                    f for row in rows for f in _version(row, server["maintenance_work_mem"])
                ]
        if rows:
            with autocommitted(here.engine) as raw:
                findings += [Finding(*astuple(f)) for f in retirement_findings(raw, here.engine)]
    if as_json:
        emit(findings, True)
    else:
        table = Table()
        for column in ("", "what", "evidence", "what to do"):
            table.add_column(column, overflow="fold")
        marks = {
            "ok": "[green]ok[/]",
            "warning": "[yellow]warning[/]",
            "problem": "[red]problem[/]",
        }
        for f in findings:
            table.add_row(marks[f.level], f.what, f.evidence, f.to_do)
        console.print(table)
    if any(f.level == "problem" for f in findings):
        raise typer.Exit(3)


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(doctor)
