"""The retirement job: run it now, or put it on a schedule, by pg_cron or another scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions import sqlfiles
from pgvec_versions.database import autocommitted, engine_for, transaction
from pgvec_versions.install import require_catalog

__all__ = [
    "Job",
    "Retirement",
    "retire_due",
    "retirement_job",
    "schedule_retirement",
    "unschedule_retirement",
]

DEFAULT_SCHEDULE = "17 * * * *"


@dataclass(frozen=True, slots=True)
class Job:
    """The pg_cron job that retires what is due."""

    jobid: int
    schedule: str
    active: bool
    username: str


@dataclass(frozen=True, slots=True)
class Retirement:
    """What became of a version that was due: ``retired``, or the reason why not. Units: bytes."""

    collection: str
    model_version: str
    outcome: str
    bytes: int


def retire_due(target: str | URL | Engine) -> list[Retirement]:
    """Retires every version that is due, in all collections: ``CALL pgvec.retire_due()``.

    Returns one entry a version that was due. Units: bytes freed, or held.
    """
    with autocommitted(engine_for(target)) as raw:
        require_catalog(raw)
        with raw.cursor(row_factory=dict_row) as cursor:
            due = cursor.execute(sqlfiles.query("due_versions")).fetchall()
            if not due:
                return []
            cursor.execute(sqlfiles.query("retire_due"))
            left = {
                (r["collection"], r["model_version"])
                for r in cursor.execute(sqlfiles.query("due_versions"))
            }
        found: list[Retirement] = []
        for row in due:
            key = (row["collection"], row["model_version"])
            outcome = "retired"
            if key in left:
                reason = raw.execute(
                    sqlfiles.query("last_refusal"),
                    {"collection": key[0], "model_version": key[1]},
                ).fetchone()
                outcome = reason[0] if reason else "another session is retiring"
            found.append(Retirement(*key, outcome, int(row["bytes"] or 0)))
        return found


def schedule_retirement(target: str | URL | Engine, schedule: str = DEFAULT_SCHEDULE) -> str:
    """Puts ``CALL pgvec.retire_due()`` on a schedule.

    Returns what was done, or what to do without pg_cron.
    Raises: InvalidArgument for a schedule that pg_cron does not take.
    """
    with transaction(engine_for(target)) as raw:
        require_catalog(raw)
        row = raw.execute(sqlfiles.query("schedule_retirement"), {"schedule": schedule}).fetchone()
    return str(row[0]) if row else ""


def unschedule_retirement(target: str | URL | Engine) -> bool:
    """Takes the job away. Returns whether there was one."""
    with transaction(engine_for(target)) as raw:
        require_catalog(raw)
        row = raw.execute(sqlfiles.query("unschedule_retirement")).fetchone()
    return bool(row and row[0])


def retirement_job(target: str | URL | Engine) -> Job | None:
    """The job in this database, or None when there is none or pg_cron is not here."""
    with autocommitted(engine_for(target)) as raw:
        has_cron: Any = raw.execute(sqlfiles.query("has_pg_cron")).fetchone()
        if not has_cron or not has_cron[0]:
            return None
        with raw.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(sqlfiles.query("retirement_job")).fetchone()
    return Job(**row) if row else None
