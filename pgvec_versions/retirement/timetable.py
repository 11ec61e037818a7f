"""Schedules of cron and pg_cron: the time between runs, and lines for other schedulers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

_SECONDS = re.compile(r"^\s*(\d+) seconds?\s*$")
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = {day.lower(): str(number) for number, day in enumerate(_DAYS[:7])} | {
    month: str(number) for number, month in enumerate(_MONTHS, 1)
}

#: Words that cron takes in place of the five fields.
_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def _values(field: str, least: int, most: int) -> list[int] | None:
    """The values of one of the five fields; None if cron could not read it."""
    found: set[int] = set()
    for part in field.lower().split(","):
        spread, _, step = part.partition("/")
        low, _, high = spread.partition("-")
        low, high = _NAMES.get(low, low), _NAMES.get(high, high)
        if step and not step.isdigit():
            return None
        if low == "*" and not high:
            first, last = least, most
        elif low.isdigit() and (high.isdigit() or not high):
            first, last = int(low), int(high or (most if step else low))
        else:
            return None
        if int(step or 1) < 1 or not least <= first <= last <= most:
            return None
        found.update(range(first, last + 1, int(step or 1)))
    return sorted(found)


def _fields(schedule: str) -> list[list[int]] | None:
    word = schedule.strip().lower()
    parts = _WORDS.get(word, word).split()
    if len(parts) != 5:
        return None
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    found = [_values(part, *limits) for part, limits in zip(parts, ranges, strict=True)]
    known = [values for values in found if values is not None]
    return known if len(known) == 5 else None


def _widest(points: Iterable[int], round_trip: int) -> int:
    """The largest distance between neighbours on a circle of that length."""
    ordered = sorted(set(points))
    return max(b - a for a, b in zip(ordered, [*ordered[1:], ordered[0] + round_trip], strict=True))


def longest_gap(schedule: str) -> timedelta | None:
    """The longest time between two runs; None if this is not a schedule.

    A schedule for certain days of the month counts as monthly, one for certain months as yearly.
    """
    seconds = _SECONDS.match(schedule)
    if seconds:
        return timedelta(seconds=int(seconds[1]))
    fields = _fields(schedule)
    if fields is None:
        return None
    minutes, hours, days, months, weekdays = fields
    times = [hour * 60 + minute for hour in hours for minute in minutes]
    if len(days) < 31 or len(months) < 12:
        return timedelta(days=31 if len(months) == 12 else 366)
    if len({day % 7 for day in weekdays}) == 7:
        return timedelta(minutes=_widest(times, 24 * 60))
    week = [day % 7 * 24 * 60 + time for day in weekdays for time in times]
    return timedelta(minutes=_widest(week, 7 * 24 * 60))


def _calendar(schedule: str) -> str | None:
    """The five fields as systemd's OnCalendar.

    None for a schedule with days of the month and of the week: cron runs on either of them, systemd
    only on both.
    """
    fields = _fields(schedule)
    if fields is None:
        return None
    minutes, hours, days, months, weekdays = fields
    weekly = len({day % 7 for day in weekdays}) < 7
    if weekly and len(days) < 31:
        return None

    def listed(values: list[int], most: int) -> str:
        return "*" if len(values) == most else ",".join(f"{value:02d}" for value in values)

    named = ",".join(dict.fromkeys(_DAYS[day] for day in weekdays)) + " " if weekly else ""
    date = f"*-{listed(months, 12)}-{listed(days, 31)}"
    return f"{named}{date} {listed(hours, 24)}:{listed(minutes, 60)}:00"


def scheduler_lines(schedule: str, program: str = "pgvec") -> str:
    """Lines to paste for cron, a systemd timer and a Kubernetes CronJob.

    pgvec takes the database URL from the environment. On a command line, everybody who can list
    processes would read its password.
    """
    seconds = _SECONDS.match(schedule)
    # The others have no seconds: once a minute is as often as they can.
    five = "* * * * *" if seconds else schedule
    if seconds:
        timer = f"OnBootSec=1min\nOnUnitActiveSec={seconds[1]}s\nAccuracySec=1s"
    else:
        calendar = _calendar(five)
        timer = f"OnCalendar={calendar}" if calendar else f"# OnCalendar= for {five}, in two timers"
        timer += "\nPersistent=true"
    return f"""\
# --- cron: one line of a crontab; the database is in a line above it, PGVEC_DATABASE_URL=…
# Without that line the job fails with exit code 2, and cron mails you why.
{five} {program} retire

# --- systemd: /etc/systemd/system/pgvec-retire.service
# /etc/pgvec.env, which root alone may read, holds PGVEC_DATABASE_URL=…
# Without the file or that line in it, the unit fails.
[Unit]
Description=Retire model versions that are due
[Service]
Type=oneshot
EnvironmentFile=/etc/pgvec.env
ExecStart={program} retire

# --- systemd: /etc/systemd/system/pgvec-retire.timer
# then: systemctl enable --now pgvec-retire.timer
[Unit]
Description=Retire model versions that are due
[Timer]
{timer}
[Install]
WantedBy=timers.target

# --- Kubernetes: kubectl apply -f -
apiVersion: batch/v1
kind: CronJob
metadata:
  name: pgvec-retire
spec:
  schedule: "{five}"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: pgvec-retire
              image: YOUR-IMAGE-WITH-PGVEC-VERSIONS
              command: ["pgvec", "retire"]
              env:
                # Without this key in that secret, the container does not start.
                - name: PGVEC_DATABASE_URL
                  valueFrom:
                    secretKeyRef:
                      name: pgvec-database
                      key: PGVEC_DATABASE_URL

# --- or, with psql alone, in any of these
# ~/.pg_service.conf names host, user and database of [pgvec], ~/.pgpass the password
PGSERVICE=pgvec psql -c "CALL pgvec.retire_due()"
"""
