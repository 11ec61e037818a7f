"""How much the tests try that draw at random: some in every run, a lot in ``make nightly``.

The Hypothesis profile says which: ``ci``, or ``nightly`` with ``--hypothesis-profile=nightly``.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_BOTH = settings(
    deadline=None,  # the machine may be busy
    database=None,  # new examples each time; a failure prints what makes it again
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile("ci", _BOTH, max_examples=50)
settings.register_profile("nightly", _BOTH, max_examples=1000)
settings.load_profile("ci")  # pytest's option is read afterwards


def is_nightly() -> bool:
    """Whether this run tries a lot. Test modules may ask while they are imported, no sooner."""
    return settings.get_current_profile_name().startswith("nightly")


def effort(*, ci: int, nightly: int) -> int:
    """How often to try, in a run of the one kind or the other."""
    return nightly if is_nightly() else ci
