"""The states of a model version. Pure.

::

    register ─▶ building ─▶ ready ─▶ active ─▶ draining ─▶ retired
                   │          │        ▲          │
                   └──────────┴─▶ abandoned       └─ roll_back: draining → active

Which verb leads from which state to which is written once, in the database
(``sql/functions/catalog/state_change.sql``). Only the names are here; a test compares both.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a model version."""

    #: Entered by register, or from ready when a check fails. Left by make_ready and abandon.
    BUILDING = "building"
    #: Entered by make_ready. Left by cut_over, abandon, or back to building.
    READY = "ready"
    #: Entered by cut_over and roll_back. Left only when another version becomes active.
    ACTIVE = "active"
    #: Entered when another version becomes active. Left by roll_back and by retirement.
    DRAINING = "draining"
    #: Entered by retirement. Left only by restore_version, back to draining, if its rows were
    #: archived (``sql/functions/retirement/restore_version.sql``).
    RETIRED = "retired"
    #: Entered by abandon. Never left.
    ABANDONED = "abandoned"


#: The version's leaf exists and follows writes.
LIVE = frozenset({State.BUILDING, State.READY, State.ACTIVE, State.DRAINING})

#: The version is complete enough for searches: it has a pinned view.
SHOWN = frozenset({State.READY, State.ACTIVE, State.DRAINING})
