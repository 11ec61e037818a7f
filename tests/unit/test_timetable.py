"""Schedules: how far apart, and the lines for other schedulers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pgvec_versions.retirement.timetable import longest_gap, scheduler_lines


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("30 seconds", timedelta(seconds=30)),
        ("1 second", timedelta(seconds=1)),
        ("* * * * *", timedelta(minutes=1)),
        ("17 * * * *", timedelta(hours=1)),
        ("*/10 * * * *", timedelta(minutes=10)),
        ("0-20/10 * * * *", timedelta(minutes=40)),
        ("5 3 * * *", timedelta(days=1)),
        ("0 8,20 * * *", timedelta(hours=12)),
        ("0 9-17 * * *", timedelta(hours=16)),
        ("0 4 * * sun", timedelta(days=7)),
        ("0 4 * * 0,7", timedelta(days=7)),
        ("0 4 * * 1-5", timedelta(days=3)),
        ("0 4 * * 0-7", timedelta(days=1)),
        ("0 4 1 * *", timedelta(days=31)),
        ("0 4 1 jan *", timedelta(days=366)),
    ],
)
def test_the_longest_gap_is_what_an_operator_would_say(schedule: str, gap: timedelta) -> None:
    assert longest_gap(schedule) == gap


@pytest.mark.parametrize(
    "schedule",
    ["", "now and then", "61 * * * *", "* * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *"],
)
def test_what_is_no_schedule_has_no_gap(schedule: str) -> None:
    assert longest_gap(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "timer"),
    [
        ("17 * * * *", "OnCalendar=*-*-* *:17:00"),
        ("*/30 2 * * *", "OnCalendar=*-*-* 02:00,30:00"),
        ("0 4 * * 1-3", "OnCalendar=Mon,Tue,Wed *-*-* 04:00:00"),
        ("0 4 1 1 *", "OnCalendar=*-01-01 04:00:00"),
        ("45 seconds", "OnUnitActiveSec=45s"),
    ],
)
def test_systemd_is_told_the_same(schedule: str, timer: str) -> None:
    assert f"\n{timer}\n" in scheduler_lines(schedule)


def test_every_scheduler_has_its_lines() -> None:
    lines = scheduler_lines("17 * * * *")
    assert "\n17 * * * * pgvec retire\n" in lines
    assert '  schedule: "17 * * * *"' in lines
    assert "concurrencyPolicy: Forbid" in lines
    assert "CALL pgvec.retire_due()" in lines


def test_a_schedule_in_seconds_is_once_a_minute_where_seconds_are_unknown() -> None:
    lines = scheduler_lines("30 seconds")
    assert "\n* * * * * pgvec retire" in lines
    assert '  schedule: "* * * * *"' in lines


def test_what_systemd_cannot_say_is_not_said_wrongly() -> None:
    assert "OnCalendar=*" not in scheduler_lines("0 4 1 * mon")
