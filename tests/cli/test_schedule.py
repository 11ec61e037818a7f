"""``pgvec schedule``: what is no schedule is refused, and what was found is said."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pgvec_versions.errors import InvalidArgument, RequirementMissing
from pgvec_versions.retirement.schedule import schedule_plan, schedule_retirement
from pgvec_versions.retirement.timetable import longest_gap
from tests.cli.conftest import Run

GOOD = [
    "17 * * * *", "* * * * *", "*/10 * * * *", "0-20/10 * * * *", "5/15 * * * *", "0 8,20 * * *",
    "0 4 * * sun", "0 4 * * 0,7", "0 4 * * mon-fri", "0 4 1 jan *", "0 4 29 2 *", "0 4 30 2 mon",
    "0 4 31 jan-mar *", "0\t4  * * *", " 17 * * * * ", "30 seconds", "1 second", "59 seconds",
    "0 0 31 */2 *", "0 4 1 JAN Sun",
]  # fmt: skip
BAD = [
    "", "nonsense", "now and then", "60 * * * *", "61 * * * *", "* 24 * * *", "* * 0 * *",
    "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8", "* * * *", "* * * * * *", "*/0 * * * *",
    "5-1 * * * *", "a * * * *", "* * * foo *", "* * jan * *", "1-* * * * *", "*-5 * * * *",
    "1,, * * * *", "-1 * * * *", "1.5 * * * *", "0 seconds", "60 seconds", "90 seconds",
    "5 minutes", "@reboot", "@soon", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30-31 feb *",
    "17 * * * *; rm -rf /", "x" * 101, "1 * * *\n*",
    "1-foo * * * *", "* * * jan-foo *", "* * * foo-mar *", "* * * * fri-mon", "*/5/5 * * * *",
]  # fmt: skip


def test_a_schedule_of_cron_is_taken(tx: psycopg.Connection[Any]) -> None:
    for schedule in GOOD:
        tx.execute("SELECT pgvec.schedule_retirement(%s)", (schedule,))
        assert longest_gap(schedule) is not None, "what Python reads is the same"


def test_words_are_taken_too(tx: psycopg.Connection[Any]) -> None:
    for word in ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"):
        tx.execute("SELECT pgvec.schedule_retirement(%s)", (word,))
        assert longest_gap(word) is not None


def test_what_is_no_schedule_is_refused(tx: psycopg.Connection[Any]) -> None:
    for schedule in BAD:
        with pytest.raises(psycopg.Error) as caught, tx.transaction():
            tx.execute("SELECT pgvec.schedule_retirement(%s)", (schedule,))
        assert caught.value.sqlstate == "PV007", schedule
        assert "cron does not take the schedule" in str(caught.value)


def test_the_command_line_refuses_it_too_also_in_a_dry_run(run: Run) -> None:
    for schedule in ("nonsense", "0 0 30 2 *", "* * * foo *"):
        for options in ((), ("--dry-run",), ("--json",)):
            ended = run("schedule", schedule, *options)
            assert (ended.code, "cron does not take" in ended.complaint) == (2, True)
    assert "'foo' is no month" in run("schedule", "* * * foo *").complaint
    assert "such a day never comes" in run("schedule", "0 0 30 2 *").complaint
    assert "it has 1 fields, not 5" in run("schedule", "nonsense").complaint


def test_without_pg_cron_it_says_so_before_it_prints_lines(run: Run, database: str) -> None:
    dry = run("schedule", "--dry-run", "--json").data["does"]
    assert dry == [
        "prints what puts CALL pgvec.retire_due() at 17 * * * *, into another scheduler: "
        "pg_cron is not in this database"
    ]
    here = make_url(database).database
    for do in (schedule_retirement, schedule_plan):
        with pytest.raises(RequirementMissing, match="pg_cron is not in database"):
            do(database, cron_database=here)
        with pytest.raises(RequirementMissing, match="pg_cron is not in database postgres"):
            do(database, cron_database="postgres")
        with pytest.raises(InvalidArgument):
            do(database, "nonsense", cron_database=here)
    assert run("schedule", "--cron-database", "nowhere").code == 5
