"""The pace and the bounds of a throttle, without a server or a clock."""

from __future__ import annotations

import pytest

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.upgrade.throttle import Load, Pace, Throttle


def test_rows_are_paid_for_in_time_and_idle_time_is_not_saved_up() -> None:
    pace = Pace(10)
    assert pace.wait(100.0) == 0
    pace.spend(5, 100.0)
    assert pace.wait(100.0) == pytest.approx(0.5)
    assert pace.wait(100.4) == pytest.approx(0.1)
    pace.spend(10, 200.0)
    assert pace.wait(200.0) == pytest.approx(1.0)


def test_a_call_takes_a_seconds_worth_at_most_and_never_nothing() -> None:
    assert Pace(None).most(512) == 512
    assert Pace(40).most(512) == 40
    assert Pace(0.1).most(512) == 1


def test_without_a_bound_no_load_is_a_reason_to_wait() -> None:
    assert Throttle().reason(Load(10**12, 10**6)) is None


@pytest.mark.parametrize(
    ("bounds", "load", "waits"),
    [
        (Throttle(max_replication_lag=100), Load(100, 9), False),
        (Throttle(max_replication_lag=100), Load(101, 0), True),
        (Throttle(max_active_sessions=4), Load(10**9, 4), False),
        (Throttle(max_active_sessions=4), Load(0, 5), True),
    ],
)
def test_it_waits_above_a_bound_and_not_at_it(bounds: Throttle, load: Load, waits: bool) -> None:
    assert (bounds.reason(load) is not None) == waits


@pytest.mark.parametrize(
    "bounds",
    [{"rows_per_second": 0}, {"max_replication_lag": -1}, {"max_active_sessions": -1}],
)
def test_a_bound_that_lets_nothing_through_is_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(InvalidArgument):
        Throttle(**bounds)  # type: ignore[arg-type]
