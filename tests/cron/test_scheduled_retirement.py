"""The real server with pg_cron: the scheduled job retires a due version with nobody calling it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgvec_versions.cli import main
from pgvec_versions.errors import InvalidArgument, NotPermitted
from pgvec_versions.postgres.database import close_shared_engines, engine_for
from pgvec_versions.postgres.install import install, installed_version, uninstall
from pgvec_versions.retirement.schedule import (
    retirement_job,
    schedule_plan,
    schedule_retirement,
    unschedule_retirement,
)
from pgvec_versions.retirement.watch import retirement_findings
from tests.tools import copy_version, live_collection, make_active

pytestmark = pytest.mark.cron

SCRIPT = Path(__file__).parents[2] / "tools" / "cron_server.sh"
OTHER = "pgvec_other"
DUE = "UPDATE pgvec.model_version SET retire_at = clock_timestamp() WHERE model_version = 'v1'"


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

    def clear(connection: psycopg.Connection[Any]) -> None:
        if installed_version(connection):
            connection.execute("SELECT pgvec.unschedule_retirement()")
            connection.execute("SELECT pgvec.drop_collection(collection) FROM pgvec.collection")
            uninstall(connection)

    with psycopg.connect(cron_url, autocommit=True) as connection:
        clear(connection)
        install(connection)
        yield connection
    # Another connection: the server may have been restarted.
    with psycopg.connect(cron_url, autocommit=True) as connection:
        clear(connection)


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


def test_pg_cron_is_known_by_its_extension(cron: psycopg.Connection[Any]) -> None:
    assert cron.execute("SELECT pgvec.cron_schema()::text").fetchone() == ("cron",)
    with cron.transaction(force_rollback=True):
        cron.execute("ALTER EXTENSION pg_cron DROP TABLE cron.job")
        assert cron.execute("SELECT pgvec.cron_schema()").fetchone() == (None,)


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
    # Without chunks: made-up vectors, too, are something that the doctor speaks of.
    live_collection(cron, count=0)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["pgvec", *arguments, "--database-url", cron_url])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    assert "pg_cron job" in run("schedule")
    assert "17 * * * *" in run("doctor")
    assert run("schedule", "--off").strip() == "the job is gone."


def problems(connection: psycopg.Connection[Any], url: str) -> list[str]:
    found = retirement_findings(connection, engine_for(url))
    return [f.evidence for f in found if f.level == "problem"]


def test_two_jobs_and_a_job_that_is_killed_retire_a_version_once(
    cron: psycopg.Connection[Any], cron_url: str
) -> None:
    two_versions(cron)
    with psycopg.connect(cron_url) as reader:
        reader.execute("SELECT count(*) FROM docs")
        schedule_retirement(cron_url, "1 seconds")
        cron.execute("SELECT cron.schedule('second', '1 seconds', 'CALL pgvec.retire_due()')")
        cron.execute(DUE.encode())
        killed = (
            "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE query LIKE 'CALL pgvec.retire_due%' AND pid <> pg_backend_pid()"
            "   AND wait_event IN ('relation', 'PgSleep')"
        )
        assert wait_until(lambda: cron.execute(killed).fetchone() == (True,), 30)
        assert state(cron, "v1") == "draining"
    assert wait_until(lambda: state(cron, "v1") == "retired", 30)
    marked = (
        "SELECT count(*) > 0 FROM pgvec.retirement_run"
        " WHERE outcome = 'failed' AND refused = '[]' AND ended_at IS NOT NULL"
    )
    assert wait_until(lambda: cron.execute(marked).fetchone() == (True,), 30)
    cron.execute("SELECT cron.unschedule('second')")
    assert cron.execute(
        "SELECT count(*) FROM pgvec.version_event WHERE verb = 'retire'"
    ).fetchone() == (1,)


def test_the_job_prunes_its_own_rows_in_pg_cron_and_no_others(
    cron: psycopg.Connection[Any], cron_url: str
) -> None:
    cron.execute("DELETE FROM cron.job_run_details")
    for command in ("CALL pgvec.retire_due()", "SELECT 1"):
        for age in ("8 days", "6 days"):
            cron.execute(
                "INSERT INTO cron.job_run_details (jobid, database, username, command, status,"
                " start_time, end_time) VALUES (0, current_database(), current_user, %s,"
                " 'succeeded', now() - %s::interval, now() - %s::interval)",
                (command, age, age),
            )
    cron.execute("CALL pgvec.retire_due()")
    left = cron.execute(
        "SELECT command, count(*) FROM cron.job_run_details WHERE jobid = 0 GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert left == [("CALL pgvec.retire_due()", 1), ("SELECT 1", 2)]
    cron.execute("DELETE FROM cron.job_run_details")


def test_a_job_that_cannot_work_is_found(cron: psycopg.Connection[Any], cron_url: str) -> None:
    two_versions(cron)
    schedule_retirement(cron_url)
    assert problems(cron, cron_url) == []
    cron.execute("UPDATE cron.job SET active = false")
    assert [p.split()[-1] for p in problems(cron, cron_url)] == ["inactive"]
    schedule_retirement(cron_url, "1 seconds")
    assert problems(cron, cron_url) == [], "scheduling again switches it on again"
    cron.execute("CREATE ROLE pgvec_stranger LOGIN")
    try:
        cron.execute("UPDATE cron.job SET username = 'pgvec_stranger'")
        failed = "SELECT EXISTS (SELECT FROM cron.job_run_details WHERE status = 'failed')"
        assert wait_until(lambda: cron.execute(failed).fetchone() == (True,), 30)
        told = problems(cron, cron_url)
        assert "pgvec_stranger, who may not drop" in told[0]
        assert "failed last time" in told[1]
        assert "permission denied" in told[1]
    finally:
        cron.execute("SELECT cron.unschedule(jobid) FROM cron.job")
        cron.execute("DELETE FROM cron.job_run_details")
        with suppress(psycopg.Error):
            cron.execute("DROP ROLE pgvec_stranger")


@pytest.fixture
def other(cron: psycopg.Connection[Any], cron_url: str) -> Iterator[str]:
    """Another database of the same server, with a catalog and a due version."""
    cron.execute(f"DROP DATABASE IF EXISTS {OTHER} WITH (FORCE)".encode())
    cron.execute(f"CREATE DATABASE {OTHER} TEMPLATE template0".encode())
    url = cron_url.rsplit("/", 1)[0] + f"/{OTHER}"
    with psycopg.connect(url, autocommit=True) as connection:
        install(connection)
        two_versions(connection)
    yield url
    unschedule_retirement(url)
    close_shared_engines()
    cron.execute(f"DROP DATABASE {OTHER} WITH (FORCE)".encode())


def test_pg_cron_in_another_database_of_the_server_does_it_too(
    cron: psycopg.Connection[Any], cron_url: str, other: str
) -> None:
    with psycopg.connect(other, autocommit=True) as connection:
        text = connection.execute("SELECT pgvec.schedule_retirement('1 seconds')").fetchone()
        assert text is not None
        assert "SELECT cron.schedule_in_database('pgvec-retire pgvec_other'" in text[0]
        assert "in pgvec_other at 17 * * * *" in schedule_retirement(other)
        assert "in pgvec_other at 1 seconds" in schedule_retirement(other, "1 seconds")
        assert cron.execute(
            "SELECT count(*) FROM cron.job"
            " WHERE command = 'CALL pgvec.retire_due()' AND database = %s",
            (OTHER,),
        ).fetchone() == (1,)
        connection.execute(DUE.encode())
        assert wait_until(lambda: state(connection, "v1") == "retired", 30)
        found = retirement_findings(connection, engine_for(other))
        assert {f.level for f in found} == {"ok"}
        assert "1 seconds" in found[0].evidence
    with pytest.raises(InvalidArgument, match="does not take the schedule"):
        schedule_retirement(other, "every now and then")
    assert unschedule_retirement(other) is True
    assert unschedule_retirement(other) is False
    assert cron.execute("SELECT count(*) FROM cron.job").fetchone() == (0,)


def test_scheduling_again_says_what_it_replaces_or_that_nothing_was_changed(
    cron: psycopg.Connection[Any], cron_url: str, other: str
) -> None:
    for url in (cron_url, other):
        assert "there is no job now" in schedule_plan(url)
        first = schedule_retirement(url)
        assert "It replaces" not in first
        assert "at 17 * * * *, as postgres" in schedule_plan(url)
        again = schedule_retirement(url)
        assert again.endswith("It was there already: nothing was changed.")
        changed = schedule_retirement(url, "*/10 * * * *")
        assert changed.endswith("It replaces the job at 17 * * * *.")
        cron.execute("UPDATE cron.job SET active = false")
        assert ", inactive" in schedule_plan(url)
        switched_on = schedule_retirement(url, "*/10 * * * *")
        assert switched_on.endswith("It replaces the job at */10 * * * *, which was inactive.")
        cron.execute("UPDATE cron.job SET username = 'somebody' WHERE jobname NOT LIKE '%prune%'")
        assert "which ran as somebody." in schedule_retirement(url, "*/5 * * * *")
        cron.execute("SELECT cron.unschedule(jobid) FROM cron.job")


def test_pg_cron_in_another_database_is_named_also_where_it_cannot_be_used(
    cron: psycopg.Connection[Any], cron_url: str, other: str
) -> None:
    assert "pg_cron in database pgvec_cron of this server" in schedule_plan(other)
    assert "in database pgvec_cron: CALL" in schedule_retirement(other)
    unschedule_retirement(other)
    cron.execute("CREATE ROLE pgvec_plain LOGIN")
    plain = other.replace("postgres@", "pgvec_plain@")
    try:
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute("GRANT USAGE ON SCHEMA pgvec TO pgvec_plain")
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA pgvec TO pgvec_plain")
            connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgvec TO pgvec_plain")
            connection.execute("GRANT pg_read_all_settings TO pgvec_plain")
        assert "out of reach from here" in schedule_plan(plain)
        said = schedule_retirement(plain)
        assert "pg_cron is in database pgvec_cron of this server" in said
        assert "SELECT cron.schedule_in_database(" in said
        assert "This role cannot do it from here: " in said
        with pytest.raises(NotPermitted):
            unschedule_retirement(plain)
    finally:
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute("DROP OWNED BY pgvec_plain")
        cron.execute("DROP ROLE pgvec_plain")


# --- Restarts ---


@pytest.fixture
def restart(cron_url: str) -> Iterator[Callable[..., None]]:
    """Restarts the server, with settings; they are gone in the end."""
    base, port = cron_url.rsplit("/", 1)[0], cron_url.rsplit(":", 1)[1].split("/")[0]
    environment = {**os.environ, "PGVEC_CRON_PORT": port}

    def server(verb: str) -> str:
        done = subprocess.run([SCRIPT, verb], env=environment, capture_output=True, text=True)
        return done.stdout.strip()

    if os.geteuid() != 0 or server("url") != cron_url:
        pytest.skip("the server is not one that tools/cron_server.sh may restart here")

    def again(**settings: str) -> None:
        with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
            for name, value in settings.items():
                admin.execute(f"ALTER SYSTEM SET cron.{name} = '{value}'".encode())
        close_shared_engines()
        server("stop")
        assert server("start").endswith(cron_url)

    yield again
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute("ALTER SYSTEM RESET ALL")
    again()


def test_the_job_survives_a_restart_and_runs_over_libpq_too(
    cron: psycopg.Connection[Any], cron_url: str, restart: Callable[..., None]
) -> None:
    two_versions(cron)
    schedule_retirement(cron_url, "1 seconds")
    # Due while the server is away.
    cron.execute(
        "UPDATE pgvec.model_version SET retire_at = clock_timestamp() + interval '2 s'"
        " WHERE model_version = 'v1'"
    )
    restart(use_background_workers="off", host="127.0.0.1")
    with psycopg.connect(cron_url, autocommit=True) as connection:
        assert connection.execute("SHOW cron.use_background_workers").fetchone() == ("off",)
        assert wait_until(lambda: state(connection, "v1") == "retired", 60)
        connection.execute("SELECT pgvec.unschedule_retirement()")
        assert connection.execute(
            "SELECT retired_at > pg_postmaster_start_time() FROM pgvec.model_version"
            " WHERE model_version = 'v1'"
        ).fetchone() == (True,)
        assert connection.execute("SELECT count(*) FROM docs").fetchone() == (200,)
