"""What doctor and status say of retirement, from what was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgvec_versions.retirement.watch import Watch, judge, retirement_line

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ago(**units: float) -> str:
    return (NOW - timedelta(**units)).isoformat()


def run(minutes: float, **changed: Any) -> dict[str, Any]:
    return {
        "started_at": ago(minutes=minutes),
        "ended_at": ago(minutes=minutes),
        "outcome": "succeeded",
        "did": [],
        "refused": [],
        **changed,
    }


def job(**changed: Any) -> dict[str, Any]:
    return {
        "jobid": 7,
        "schedule": "17 * * * *",
        "active": True,
        "username": "app",
        "may_retire": True,
        "last_status": "succeeded",
        "last_message": "CALL",
        **changed,
    }


def due(outcome: str = "would retire", **age: float) -> dict[str, Any]:
    return {
        "collection": "docs",
        "model_version": "v1",
        "retire_at": ago(**age),
        "outcome": outcome,
        "detail": None,
    }


def seen(the_job: dict[str, Any] | None = None, **facts: Any) -> Watch:
    every: dict[str, Any] = {
        "versions": 2,
        "last": run(40),
        "last_success": run(40),
        "open_since": None,
        "starts": [],
        "due": [],
        "holds": [],
        "cron_elsewhere": None,
    }
    return Watch(NOW, {**every, **facts}, the_job, True)


def levels(watch: Watch) -> list[tuple[str, str]]:
    return [(f.level, f.evidence) for f in judge(watch) if f.level != "ok"]


def test_a_healthy_job_gives_nothing_to_do() -> None:
    assert levels(seen(job())) == []
    assert [f.evidence for f in judge(seen(job()))] == [
        "job 7: 17 * * * *",
        "last succeeded at 2026-05-01 11:20",
    ]
    assert retirement_line(seen(job())).endswith(".")


def test_without_versions_there_is_nothing_to_retire() -> None:
    assert judge(seen(None, versions=0)) == []


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({"active": False}, "problem", "inactive"),
        ({"may_retire": False}, "problem", "runs as app, who may not drop"),
        (
            {"last_status": "failed", "last_message": "ERROR: no\n"},
            "problem",
            "failed last time: ERROR: no",
        ),
    ],
)
def test_a_job_that_cannot_work_is_a_problem(
    changed: dict[str, Any], level: str, words: str
) -> None:
    ((found, evidence),) = levels(seen(job(**changed)))
    assert found == level
    assert words in evidence


def test_a_missing_job_is_told_unless_something_else_runs_it() -> None:
    late = {"last_success": run(600), "last": run(600)}
    assert ("warning", "no pg_cron job in this database") in levels(seen(None, **late))
    regular = [ago(minutes=30 * i) for i in range(9, 0, -1)]
    assert levels(seen(None, starts=regular)) == []


def test_a_last_success_older_than_two_intervals_is_told() -> None:
    assert levels(seen(job(), last_success=run(119))) == []
    ((level, evidence),) = levels(seen(job(), last_success=run(121)))
    assert level == "warning"
    assert "more than two intervals of 1:00:00 ago" in evidence
    assert levels(seen(job(schedule="5 3 * * *"), last_success=run(121))) == []


@pytest.mark.parametrize(
    ("outcome", "expected"), [("would retire", "nothing keeps it"), ("still read", "still read")]
)
def test_a_due_version_older_than_two_intervals_is_told_with_its_reason(
    outcome: str, expected: str
) -> None:
    assert levels(seen(job(), due=[due(outcome, hours=1.9)])) == []
    ((level, evidence),) = levels(seen(job(), due=[due(outcome, hours=2.1)]))
    assert level == "warning"
    assert expected in evidence


def test_a_held_version_is_no_warning() -> None:
    hold = {
        "collection": "docs",
        "model_version": "v1",
        "held_by": "ann",
        "held_at": ago(days=40),
        "reason": "audit",
    }
    watched = seen(job(), due=[due("held", days=30)], holds=[hold])
    assert levels(watched) == []
    assert judge(watched)[-1].evidence == "held by ann since 2026-03-22: audit"


def test_a_run_that_failed_or_never_ended_is_told() -> None:
    failed = run(
        40,
        outcome="failed",
        refused=[{"collection": "docs", "model_version": "v1", "outcome": "failed"}],
    )
    ((level, evidence),) = levels(seen(job(), last=failed))
    assert (level, "v1 of docs: failed" in evidence) == ("problem", True)
    killed = run(40, outcome="failed")
    assert "killed" in levels(seen(job(), last=killed))[0][1]
    assert levels(seen(job(), open_since=ago(minutes=5))) == []
    assert "has not ended" in levels(seen(job(), open_since=ago(hours=2)))[0][1]


def test_the_line_of_status_says_what_is_wrong() -> None:
    line = retirement_line(seen(job(active=False), last_success=None, last=None))
    assert line.startswith("retirement has never run; job 7 is inactive; none has succeeded yet")
