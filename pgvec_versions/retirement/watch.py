"""Watching retirement: what the job did, when it last succeeded, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from psycopg.rows import dict_row
from sqlalchemy import Engine

from pgvec_versions.errors import DatabaseUnavailable, NotPermitted
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for
from pgvec_versions.postgres.pg_cron import cron_schema
from pgvec_versions.postgres.rows import read_row, read_value
from pgvec_versions.retirement.timetable import longest_gap

#: How often the job runs if neither a schedule nor earlier runs tell.
_ASSUMED_INTERVAL = timedelta(hours=1)
#: A run that takes longer hangs, or was killed.
_LONGEST_RUN = timedelta(hours=1)
_SHORTEST_INTERVAL = timedelta(minutes=1)
#: As much of pg_cron's message as a finding shows. Units: characters.
_SHOWN = 200
#: What to do about a due version that stays, by the outcome that ``pgvec.retire_due`` reports.
_STUCK = {
    "feeding": "run pgvec worker",
    "still read": "find the app instance that still reads it, or: pgvec retire --ignore-readers",
    "not exported": "pgvec export",
    "last": "no version is active: pgvec cut-over",
}


@dataclass(frozen=True, slots=True)
class RetirementFinding:
    """One result of the check: ``ok``, ``warning`` or ``problem``."""

    level: Literal["ok", "warning", "problem"]
    what: str
    evidence: str
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """What ``pgvec.retirement_watch()`` returns, and the job, whichever database pg_cron is in."""

    now: datetime
    facts: dict[str, Any]
    job: dict[str, Any] | None
    #: Whether this role could look where the job would be.
    job_known: bool

    @property
    def interval(self) -> timedelta:
        """The time between two runs: by the job's schedule, else by the runs so far."""
        scheduled = longest_gap(self.job["schedule"]) if self.job else None
        if scheduled is not None:
            return scheduled
        starts = [_moment(start) for start in self.facts["starts"]]
        gaps = sorted(b - a for a, b in pairwise(starts))
        # The median, and never under a minute: runs by hand come in bursts.
        usual = gaps[len(gaps) // 2] if len(gaps) > 2 else _ASSUMED_INTERVAL
        return max(usual, _SHORTEST_INTERVAL)

    @property
    def last_success(self) -> datetime | None:
        """When a run last succeeded."""
        run = self.facts["last_success"]
        return _moment(run["ended_at"]) if run else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def watch(raw: PgConnection, engine: Engine | None = None) -> Watch:
    """Reads the facts. With an engine, also from the database that has pg_cron."""
    facts: dict[str, Any] = read_value(raw, sqlfiles.query("retirement_watch"))
    job, job_known = facts["job"], bool(facts["cron_here"])
    elsewhere = facts["cron_elsewhere"]
    if job is None and elsewhere and engine is not None:
        here: str = read_row(raw, sqlfiles.query("cron_database")).here
        try:
            job = _job_elsewhere(engine_for(engine.url.set(database=elsewhere)), here)
            job_known = True
        except (DatabaseUnavailable, NotPermitted):
            job_known = False
        if job is not None:
            job["may_retire"] = read_value(
                raw, sqlfiles.query("may_retire"), {"username": job["username"]}
            )
    return Watch(_moment(facts["now"]), facts, job, job_known)


def _job_elsewhere(engine: Engine, database: str) -> dict[str, Any] | None:
    with autocommitted(engine) as raw:
        cron = cron_schema(raw)
        if cron is None:
            return None
        with raw.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                sqlfiles.query("job_elsewhere").format(cron=cron), {"database": database}
            ).fetchone()


def retirement_findings(raw: PgConnection, engine: Engine | None = None) -> list[RetirementFinding]:
    """What ``pgvec doctor`` reports about retirement. Changes nothing."""
    return judge(watch(raw, engine))


def judge(seen: Watch) -> list[RetirementFinding]:
    """The findings that follow from the facts. Pure."""
    if not seen.facts["versions"]:
        return []
    return [*_judge_job(seen), *_judge_runs(seen), *_judge_due(seen)]


def _judge_job(seen: Watch) -> list[RetirementFinding]:
    job = seen.job
    if job is None:
        if seen.last_success is not None and seen.now - seen.last_success <= 2 * seen.interval:
            return [RetirementFinding("ok", "retirement", "no pg_cron job, but it runs regularly")]
        elsewhere = seen.facts["cron_elsewhere"]
        where = (
            "no pg_cron job in this database"
            if seen.job_known or not elsewhere
            else f"the job would be in database {elsewhere}, which this role cannot look into"
        )
        return [
            RetirementFinding(
                "warning",
                "retirement",
                where,
                "pgvec schedule, or pgvec retire from another scheduler.",
            )
        ]
    name = f"job {job['jobid']}"
    found: list[RetirementFinding] = []
    if not job["active"]:
        found.append(
            RetirementFinding("problem", "retirement", f"{name} is inactive", "pgvec schedule")
        )
    if not job.get("may_retire", True):
        found.append(
            RetirementFinding(
                "problem",
                "retirement",
                f"{name} runs as {job['username']}, who may not drop what is due",
                "pgvec schedule --off as that role, then pgvec schedule as the owner.",
            )
        )
    if job["last_status"] == "failed":
        message = " ".join(str(job["last_message"] or "").split())
        found.append(
            RetirementFinding(
                "problem",
                "retirement",
                f"{name} failed last time: {message[:_SHOWN]}",
                "SELECT * FROM cron.job_run_details ORDER BY runid DESC;",
            )
        )
    return found or [RetirementFinding("ok", "retirement", f"{name}: {job['schedule']}")]


def _judge_runs(seen: Watch) -> list[RetirementFinding]:
    found: list[RetirementFinding] = []
    last, succeeded = seen.facts["last"], seen.last_success
    if last and last["outcome"] == "failed":
        refused = ", ".join(
            f"{r['model_version']} of {r['collection']}: {r['outcome']}" for r in last["refused"]
        )
        found.append(
            RetirementFinding(
                "problem",
                "retirement run",
                f"failed at {_moment(last['started_at']):%Y-%m-%d %H:%M}: "
                + (refused or "it was killed"),
                "See refused in pgvec.retirement_run.",
            )
        )
    if seen.facts["open_since"]:
        since = _moment(seen.facts["open_since"])
        if seen.now - since > _LONGEST_RUN:
            found.append(
                RetirementFinding(
                    "warning",
                    "retirement run",
                    f"began at {since:%Y-%m-%d %H:%M} and has not ended",
                    "Look for it in pg_stat_activity; the next run marks it if it was killed.",
                )
            )
    if succeeded is None:
        if seen.job is not None:
            found.append(RetirementFinding("warning", "retirement run", "none has succeeded yet"))
    elif seen.now - succeeded > 2 * seen.interval:
        found.append(
            RetirementFinding(
                "warning",
                "retirement run",
                f"the last success was at {succeeded:%Y-%m-%d %H:%M}, "
                f"more than two intervals of {seen.interval} ago",
                "Is the scheduler running? pgvec retire does it now.",
            )
        )
    elif not found:
        found.append(
            RetirementFinding(
                "ok", "retirement run", f"last succeeded at {succeeded:%Y-%m-%d %H:%M}"
            )
        )
    return found


def _judge_due(seen: Watch) -> list[RetirementFinding]:
    found = [
        RetirementFinding(
            "ok",
            f"{hold['collection']}/{hold['model_version']}",
            f"held by {hold['held_by']} since {_moment(hold['held_at']):%Y-%m-%d}: "
            f"{hold['reason']}",
            "pgvec release, when the reason is gone.",
        )
        for hold in seen.facts["holds"]
    ]
    for version in seen.facts["due"]:
        late = seen.now - _moment(version["retire_at"])
        if late <= 2 * seen.interval or version["outcome"] == "held":
            continue
        outcome = version["outcome"]
        detail = f" ({version['detail']})" if version["detail"] else ""
        found.append(
            RetirementFinding(
                "warning",
                f"{version['collection']}/{version['model_version']}",
                f"due since {_moment(version['retire_at']):%Y-%m-%d %H:%M}, "
                + ("and nothing keeps it" if outcome == "would retire" else f"{outcome}{detail}"),
                _STUCK.get(outcome, "pgvec retire says why it stays."),
            )
        )
    return found


def retirement_line(seen: Watch) -> str:
    """A line for ``pgvec status``: when retirement last succeeded, and what is wrong."""
    succeeded = seen.last_success
    text = (
        f"retirement last succeeded {succeeded.astimezone():%Y-%m-%d %H:%M}"
        if succeeded
        else "retirement has never run"
    )
    wrong = [f.evidence for f in judge(seen) if f.level != "ok"]
    return text + (f"; {'; '.join(wrong)} (pgvec doctor)" if wrong else ".")
