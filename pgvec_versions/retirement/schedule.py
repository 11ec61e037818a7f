"""When the retirement job runs: by pg_cron, here or in another database, or another scheduler."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from psycopg import errors as pg_errors
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import (
    DatabaseUnavailable,
    InvalidArgument,
    NotPermitted,
    RequirementMissing,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.pg_cron import cron_schema
from pgvec_versions.retirement.timetable import scheduler_lines

DEFAULT_SCHEDULE = "17 * * * *"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """The pg_cron job that retires what is due."""

    jobid: int
    schedule: str
    active: bool
    username: str


def cron_elsewhere(engine: Engine, cron_database: str | None = None) -> tuple[Engine, str] | None:
    """An engine on the database of this server that pg_cron works in, and this database's name.

    None where pg_cron is in this very database, or nowhere, or the role may not know.
    """
    with autocommitted(engine) as raw:
        row: Any = raw.execute(sqlfiles.query("cron_database")).fetchone()
    there, here = cron_database or row[0], row[1]
    if there is None or there == here:
        return None
    return engine_for(engine.url.set(database=there)), here


def schedule_retirement(
    target: str | URL | Engine, schedule: str = DEFAULT_SCHEDULE, cron_database: str | None = None
) -> str:
    """Puts ``CALL pgvec.retire_due()`` on a schedule; calling it again leaves one job.

    Takes pg_cron in this database, or else in another one of this server, found by itself or named
    by ``cron_database``. Returns what was done, or without pg_cron ready lines for cron, systemd
    and Kubernetes.
    Raises: InvalidArgument for a schedule that pg_cron does not take; RequirementMissing when
    ``cron_database`` has no pg_cron.
    """
    engine = engine_for(target)
    with transaction(engine) as raw:
        require_catalog(raw)
        row: Any = raw.execute(
            sqlfiles.query("schedule_retirement"), {"schedule": schedule}
        ).fetchone()
        cron = cron_schema(raw)
    if cron is not None and not cron_database:
        return str(row[0])
    elsewhere = cron_elsewhere(engine, cron_database)
    if elsewhere is None:
        return scheduler_lines(schedule)
    there, here = elsewhere
    try:
        with transaction(there) as raw:
            cron = cron_schema(raw)
            if cron is not None:
                try:
                    made: Any = raw.execute(
                        sqlfiles.query("schedule_elsewhere").format(cron=cron),
                        {
                            "schedule": schedule,
                            "database": here,
                            "runs": sql.SQL("{}.job_run_details").format(cron).as_string(raw),
                        },
                    ).fetchone()
                except (pg_errors.DataError, pg_errors.InternalError) as exc:
                    raise InvalidArgument(
                        f"pg_cron does not take the schedule {schedule!r}.",
                        hint='Five fields as in cron, or "N seconds" with N from 1 to 59.',
                        detail={"schedule": schedule},
                        sqlstate=exc.sqlstate,
                    ) from exc
                raw.execute(sqlfiles.query("activate_job").format(cron=cron), {"jobid": made[0]})
                return (
                    f"pg_cron job {made[0]} in database {there.url.database}: "
                    f"CALL pgvec.retire_due() in {here} at {schedule}."
                )
    except (DatabaseUnavailable, NotPermitted) as exc:
        if cron_database:
            raise
        log.warning("pg_cron in database %s is out of reach: %s", there.url.database, exc)
        return str(row[0])
    if cron_database:
        raise RequirementMissing(
            f"pg_cron is not in database {cron_database}.",
            hint="CREATE EXTENSION pg_cron; in the database that cron.database_name names.",
            detail={"requirement": "pg_cron", "database": cron_database},
        )
    return scheduler_lines(schedule)


def unschedule_retirement(target: str | URL | Engine, cron_database: str | None = None) -> bool:
    """Takes the job away, wherever pg_cron is. Returns whether there was one."""
    engine = engine_for(target)
    with transaction(engine) as raw:
        require_catalog(raw)
        row: Any = raw.execute(sqlfiles.query("unschedule_retirement")).fetchone()
    if row[0]:
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
            gone: Any = raw.execute(
                sqlfiles.query("unschedule_elsewhere").format(cron=cron), {"database": here}
            ).fetchone()
    except (DatabaseUnavailable, NotPermitted):
        if cron_database:
            raise
        return False
    return bool(gone[0])


def retirement_job(target: str | URL | Engine) -> Job | None:
    """The job in this database, or None when there is none or pg_cron is not here."""
    with autocommitted(engine_for(target)) as raw:
        cron = cron_schema(raw)
        if cron is None:
            return None
        with raw.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(sqlfiles.query("retirement_job").format(cron=cron)).fetchone()
    return Job(**row) if row else None
