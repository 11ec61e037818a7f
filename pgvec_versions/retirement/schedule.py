"""Scheduling the retirement job: by pg_cron in this or another database, or another scheduler."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
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
    the one that the server's settings name. Returns what it did, and which job that replaces;
    without pg_cron, lines to paste for cron, systemd and Kubernetes.
    Raises: InvalidArgument (no schedule of cron), RequirementMissing (``cron_database`` has no
    pg_cron), DatabaseUnavailable and NotPermitted (``cron_database`` cannot be used).
    """
    engine = engine_for(target)
    elsewhere = cron_elsewhere(engine, cron_database)
    with transaction(engine) as raw:
        require_catalog(raw)
        raw.execute(sqlfiles.query("check_schedule"), {"schedule": schedule})
        here_too = cron_schema(raw) is not None
        if not (cron_database and elsewhere):
            statement = sqlfiles.query("schedule_retirement")
            answer = str(read_value(raw, statement, {"schedule": schedule}))
            if here_too:
                return answer
    if elsewhere is None:
        if cron_database:
            raise _no_cron(cron_database)
        return scheduler_lines(schedule)
    there, here = elsewhere
    name = str(there.url.database)
    try:
        done = _schedule_elsewhere(engine, there, here, schedule)
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
        log.warning("pg_cron in database %s is out of reach: %s", name, exc)
        advice = _advice(engine, schedule)
        return f"{advice}\nThis role cannot do it from here: {exc.message}"
    if done is not None:
        return done
    if cron_database:
        raise _no_cron(cron_database)
    return (
        f"# pg_cron works in database {name} of this server, but its extension is not there. Run\n"
        f"# CREATE EXTENSION pg_cron; in {name}, then this again. Or use another scheduler:\n"
        + scheduler_lines(schedule)
    )


def _advice(engine: Engine, schedule: str) -> str:
    with autocommitted(engine) as raw:
        statement = sqlfiles.query("schedule_advice")
        return str(read_value(raw, statement, {"schedule": schedule}))


def _no_cron(database: str) -> RequirementMissing:
    return RequirementMissing(
        f"pg_cron is not in database {database}.",
        hint="Ask a superuser to run, in the database that cron.database_name names: "
        "CREATE EXTENSION pg_cron;",
        detail={"requirement": "pg_cron", "database": database},
    )


def _schedule_elsewhere(engine: Engine, there: Engine, here: str, schedule: str) -> str | None:
    """Schedules the job in the database of pg_cron. Returns what it did; None without pg_cron."""
    with transaction(there) as raw:
        cron = cron_schema(raw)
        if cron is None:
            return None
        before = _job_of(raw, cron, here)
        job = _schedule_for(raw, cron, here, schedule)
    done = f"CALL pgvec.retire_due() in {here} at {schedule}."
    replaced = _replaced(engine, before, job, schedule)
    return f"pg_cron job {job} in database {there.url.database}: {done}{replaced}"


def _replaced(engine: Engine, before: dict[str, Any] | None, job: int, schedule: str) -> str:
    parameters = {"before": Jsonb(before), "job": job, "schedule": schedule}
    with autocommitted(engine) as raw:
        return str(read_value(raw, sqlfiles.query("replaced_job"), parameters))


def _job_of(raw: PgConnection, cron: sql.Identifier, database: str) -> dict[str, Any] | None:
    """The job for a database, read where pg_cron is."""
    parameters = {"database": database}
    row = read_row(raw, sqlfiles.query("job_elsewhere").format(cron=cron), parameters)
    if row is None:
        return None
    return {name: getattr(row, name) for name in ("jobid", "schedule", "active", "username")}


def schedule_plan(
    target: str | URL | Engine,
    schedule: str = DEFAULT_SCHEDULE,
    cron_database: str | None = None,
    *,
    off: bool = False,
) -> str:
    """What ``schedule_retirement``, or with ``off`` ``unschedule_retirement``, would do.

    Changes nothing. Raises: what they raise for their arguments.
    """
    engine = engine_for(target)
    elsewhere = cron_elsewhere(engine, cron_database)
    puts = "takes the job away" if off else f"puts CALL pgvec.retire_due() at {schedule}"
    into = "from" if off else "into"
    with autocommitted(engine) as raw:
        require_catalog(raw)
        raw.execute(sqlfiles.query("check_schedule"), {"schedule": schedule})
        if cron_schema(raw) is not None and not (cron_database and elsewhere):
            job = read_value(raw, sqlfiles.query("job_here"))
            return f"{puts}, {into} pg_cron; {_job_words(job)}"
    if elsewhere is not None:
        there, here = elsewhere
        where = f"pg_cron in database {there.url.database} of this server"
        try:
            with autocommitted(there) as raw:
                cron = cron_schema(raw)
                if cron is not None:
                    return f"{puts}, {into} {where}; {_job_words(_job_of(raw, cron, here))}"
        except (DatabaseUnavailable, NotPermitted) as exc:
            if cron_database or off:
                raise
            return f"prints what {puts}, into {where}: out of reach from here ({exc.message})"
    if off:
        return "does nothing: pg_cron is not in this database"
    if cron_database:
        raise _no_cron(cron_database)
    return f"prints what {puts}, into another scheduler: pg_cron is not in this database"


def _job_words(job: dict[str, Any] | None) -> str:
    if job is None:
        return "there is no job now"
    state = "" if job["active"] else ", inactive"
    return f"now it is at {job['schedule']}, as {job['username']}{state}"


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
    """Removes the job, whichever database pg_cron is in. Returns whether there was one.

    Raises: DatabaseUnavailable and NotPermitted if pg_cron is in a database where this role cannot
    look: the job may be there.
    """
    engine = engine_for(target)
    with transaction(engine) as raw:
        require_catalog(raw)
        if read_value(raw, sqlfiles.query("unschedule_retirement")):
            return True
    elsewhere = cron_elsewhere(engine, cron_database)
    if elsewhere is None:
        return False
    there, here = elsewhere
    with transaction(there) as raw:
        cron = cron_schema(raw)
        if cron is None:
            return False
        removed = read_value(
            raw, sqlfiles.query("unschedule_elsewhere").format(cron=cron), {"database": here}
        )
    return bool(removed)


def retirement_job(target: str | URL | Engine) -> Job | None:
    """The job in this database. None if there is none, or pg_cron is not here."""
    with autocommitted(engine_for(target)) as raw:
        cron = cron_schema(raw)
        if cron is None:
            return None
        with raw.cursor(row_factory=class_row(Job)) as cursor:
            return cursor.execute(sqlfiles.query("retirement_job").format(cron=cron)).fetchone()
