"""The real server with pg_cron: the scheduled job retires a due version with nobody calling it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from pgvec_versions.cli import main
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.install import install, installed_version, uninstall
from pgvec_versions.schedule import retirement_job, schedule_retirement, unschedule_retirement
from tests.tools import copy_version, live_collection, make_active

pytestmark = pytest.mark.cron


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Asks again and again, until a deadline; the server sets the pace."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def cron(cron_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The database that pg_cron works in, with a fresh catalog."""
    with psycopg.connect(cron_url, autocommit=True) as connection:

        def clear() -> None:
            if installed_version(connection):
                connection.execute("SELECT pgvec.unschedule_retirement()")
                connection.execute("SELECT pgvec.drop_collection(collection) FROM pgvec.collection")
                uninstall(connection)

        clear()
        install(connection)
        yield connection
        clear()


def two_versions(connection: psycopg.Connection[Any]) -> None:
    live_collection(connection, count=200)
    connection.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(connection, "docs", "v1", "v2")
    make_active(connection, "docs", "v2")


def state(connection: psycopg.Connection[Any], version: str) -> str:
    row = connection.execute(
        "SELECT state FROM pgvec.model_version WHERE model_version = %s", (version,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_scheduled_job_retires_a_due_version_with_nobody_calling_it(
    cron: psycopg.Connection[Any], cron_url: str
) -> None:
    two_versions(cron)
    said = schedule_retirement(cron_url, "1 seconds")
    assert "CALL pgvec.retire_due() at 1 seconds" in said

    # It runs, and leaves a version in its grace period alone.
    succeeded = (
        "SELECT EXISTS (SELECT FROM cron.job_run_details "
        "WHERE status = 'succeeded' AND command LIKE '%retire_due%')"
    )
    assert wait_until(lambda: cron.execute(succeeded).fetchone() == (True,), 30)
    assert state(cron, "v1") == "draining"

    cron.execute(
        "UPDATE pgvec.model_version SET retire_at = clock_timestamp() WHERE model_version = 'v1'"
    )
    assert wait_until(lambda: state(cron, "v1") == "retired", 30)
    assert cron.execute(
        "SELECT to_regclass('pgvec_leaves.docs__v1'), to_regclass('docs_at_v1')"
    ).fetchone() == (None, None)
    assert cron.execute("SELECT count(*) FROM docs").fetchone() == (200,)
    assert state(cron, "v2") == "active"
    last_verb = cron.execute(
        "SELECT verb FROM pgvec.version_event "
        "WHERE model_version = 'v1' ORDER BY event_id DESC LIMIT 1"
    ).fetchone()
    assert last_verb == ("retire",)


def test_scheduling_twice_leaves_one_job_with_the_newer_schedule(
    cron: psycopg.Connection[Any], cron_url: str
) -> None:
    schedule_retirement(cron_url, "17 * * * *")
    schedule_retirement(cron_url, "*/10 * * * *")
    assert cron.execute(
        "SELECT count(*) FROM cron.job WHERE jobname = 'pgvec-retire'"
    ).fetchone() == (1,)
    job = retirement_job(cron_url)
    assert job is not None
    assert (job.schedule, job.active) == ("*/10 * * * *", True)
    assert unschedule_retirement(cron_url) is True
    assert retirement_job(cron_url) is None
    assert unschedule_retirement(cron_url) is False


def test_a_schedule_that_pg_cron_does_not_take_is_refused(
    cron: psycopg.Connection[Any], cron_url: str
) -> None:
    with pytest.raises(InvalidArgument, match="does not take the schedule"):
        schedule_retirement(cron_url, "every now and then")
    assert retirement_job(cron_url) is None


def test_the_command_line_schedules_and_doctor_sees_the_job(
    cron: psycopg.Connection[Any],
    cron_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    two_versions(cron)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["pgvec", *arguments, "--database-url", cron_url])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    assert "pg_cron job" in run("schedule")
    assert "17 * * * *" in run("doctor")
    assert run("schedule", "--off").strip() == "the job is gone."
