"""The states of a model version and the changes that are allowed. Pure.

::

    register ─▶ building ─▶ ready ─▶ active ─▶ draining ─▶ retired
                   │          │        ▲          │
                   └──────────┴─▶ abandoned       └─ roll_back: draining → active

The database enforces the same table (``sql/functions/change_state.sql``); a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LIVE", "TRANSITIONS", "State"]


class State(StrEnum):
    """Where a model version stands."""

    #: Entered by register, or from ready when a check fails. Left by make_ready and abandon.
    BUILDING = "building"
    #: Entered by make_ready. Left by cut_over, abandon, or back to building.
    READY = "ready"
    #: Entered by cut_over and roll_back. Left only when another version becomes active.
    ACTIVE = "active"
    #: Entered when another version becomes active. Left by roll_back and by retirement.
    DRAINING = "draining"
    #: Entered by retirement. Never left, but that an archived version is restored to draining
    #: (``sql/functions/restore_version.sql``), while its record says that its rows were kept.
    RETIRED = "retired"
    #: Entered by abandon. Never left.
    ABANDONED = "abandoned"


#: The leaf exists and follows writes.
LIVE = frozenset({State.BUILDING, State.READY, State.ACTIVE, State.DRAINING})

#: Every allowed change, as (from, to).
TRANSITIONS = frozenset(
    {
        (State.BUILDING, State.READY),
        (State.READY, State.BUILDING),
        (State.READY, State.ACTIVE),
        (State.ACTIVE, State.DRAINING),
        (State.DRAINING, State.ACTIVE),
        (State.DRAINING, State.RETIRED),
        (State.BUILDING, State.ABANDONED),
        (State.READY, State.ABANDONED),
    }
)
