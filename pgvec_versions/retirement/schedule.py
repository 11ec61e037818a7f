"""Scheduling the retirement job: by pg_cron in this or another database, or another scheduler."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.rows import class_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import (
    DatabaseUnavailable,
    InvalidArgument,
    NotPermitted,
    RequirementMissing,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import (
    PgConnection,
    autocommitted,
    engine_for,
    transaction,
)
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.pg_cron import cron_schema
from pgvec_versions.postgres.rows import read_row, read_value
from pgvec_versions.retirement.timetable import scheduler_lines

#: Once an hour, and not on the hour, when every other job runs.
DEFAULT_SCHEDULE = "17 * * * *"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """The pg_cron job that calls ``pgvec.retire_due()``."""

    jobid: int
    schedule: str
    active: bool
    username: str


def cron_elsewhere(engine: Engine, cron_database: str | None = None) -> tuple[Engine, str] | None:
    """An engine on the database of this server that has pg_cron, and this database's name.

    None if pg_cron is in this database, or nowhere, or the role cannot find out.
    """
    with autocommitted(engine) as raw:
        found = read_row(raw, sqlfiles.query("cron_database"))
    there = cron_database or found.cron_database
    if there is None or there == found.here:
        return None
    return engine_for(engine.url.set(database=there)), found.here


def schedule_retirement(
    target: str | URL | Engine, schedule: str = DEFAULT_SCHEDULE, cron_database: str | None = None
) -> str:
    """Puts ``CALL pgvec.retire_due()`` on a schedule; calling it again leaves one job.

    Uses pg_cron in this database, else in another database of this server: ``cron_database``, or
    the one that the server's settings name. Returns what it did; without pg_cron, lines to paste
    for cron, systemd and Kubernetes.
    Raises: InvalidArgument (pg_cron does not accept the schedule), RequirementMissing
    (``cron_database`` has no pg_cron).
    """
    engine = engine_for(target)
    with transaction(engine) as raw:
        require_catalog(raw)
        answer = str(read_value(raw, sqlfiles.query("schedule_retirement"), {"schedule": schedule}))
        cron = cron_schema(raw)
    if cron is not None and not cron_database:
        return answer
    elsewhere = cron_elsewhere(engine, cron_database)
    if elsewhere is None:
        return scheduler_lines(schedule)
    there, here = elsewhere
    try:
        with transaction(there) as raw:
            cron = cron_schema(raw)
            if cron is not None:
                job = _schedule_for(raw, cron, here, schedule)
                return (
                    f"pg_cron job {job} in database {there.url.database}: "
                    f"CALL pgvec.retire_due() in {here} at {schedule}."
                )
    except (DatabaseUnavailable, NotPermitted) as exc:
        if isinstance(exc, NotPermitted):
            role = there.url.username or "this role"
            exc.hint = (
                f"Ask a superuser to run in database {there.url.database}: "
                f"GRANT USAGE ON SCHEMA cron TO {role}; GRANT EXECUTE ON FUNCTION "
                f"cron.schedule_in_database, cron.alter_job TO {role};"
            )
        if cron_database:
            raise
        log.warning("pg_cron in database %s is out of reach: %s", there.url.database, exc)
        return answer
    if cron_database:
        raise RequirementMissing(
            f"pg_cron is not in database {cron_database}.",
            hint="Ask a superuser to run, in the database that cron.database_name names: "
            "CREATE EXTENSION pg_cron;",
            detail={"requirement": "pg_cron", "database": cron_database},
        )
    return scheduler_lines(schedule)


def _schedule_for(raw: PgConnection, cron: sql.Identifier, database: str, schedule: str) -> int:
    """Schedules the job for another database, in the one of pg_cron. Returns the job's number.

    Raises: InvalidArgument.
    """
    try:
        job: int = read_value(
            raw,
            sqlfiles.query("schedule_elsewhere").format(cron=cron),
            {
                "schedule": schedule,
                "database": database,
                "runs": sql.SQL("{}.job_run_details").format(cron).as_string(raw),
            },
        )
    except (pg_errors.DataError, pg_errors.InternalError) as exc:
        raise InvalidArgument(
            f"pg_cron does not take the schedule {schedule!r}.",
            hint='Five fields as in cron, or "N seconds" with N from 1 to 59.',
            detail={"schedule": schedule},
            sqlstate=exc.sqlstate,
        ) from exc
    raw.execute(sqlfiles.query("activate_job").format(cron=cron), {"jobid": job})
    return job


def unschedule_retirement(target: str | URL | Engine, cron_database: str | None = None) -> bool:
    """Removes the job, whichever database pg_cron is in. Returns whether there was one."""
    engine = engine_for(target)
    with transaction(engine) as raw:
        require_catalog(raw)
        if read_value(raw, sqlfiles.query("unschedule_retirement")):
            return True
    elsewhere = cron_elsewhere(engine, cron_database)
    if elsewhere is None:
        return False
    there, here = elsewhere
    try:
        with transaction(there) as raw:
            cron = cron_schema(raw)
            if cron is None:
                return False
            removed = read_value(
                raw, sqlfiles.query("unschedule_elsewhere").format(cron=cron), {"database": here}
            )
    except (DatabaseUnavailable, NotPermitted):
        if cron_database:
            raise
        return False
    return bool(removed)


def retirement_job(target: str | URL | Engine) -> Job | None:
    """The job in this database. None if there is none, or pg_cron is not here."""
    with autocommitted(engine_for(target)) as raw:
        cron = cron_schema(raw)
        if cron is None:
            return None
        with raw.cursor(row_factory=class_row(Job)) as cursor:
            return cursor.execute(sqlfiles.query("retirement_job").format(cron=cron)).fetchone()
