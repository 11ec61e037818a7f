"""The states of a model version. Pure.

::

    register ─▶ building ─▶ ready ─▶ active ─▶ draining ─▶ retired
                   │          │        ▲          │
                   └──────────┴─▶ abandoned       └─ roll_back: draining → active

Which verb leads from which state to which is written once, in the database
(``sql/functions/catalog/state_change.sql``). Here are only the names; a test compares them with it.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LIVE", "SHOWN", "State"]


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
    #: Entered by retirement. Left only by restore_version, back to draining, while the record of
    #: the version says that its rows were kept (``sql/functions/retirement/restore_version.sql``).
    RETIRED = "retired"
    #: Entered by abandon. Never left.
    ABANDONED = "abandoned"


#: The leaf exists and follows writes.
LIVE = frozenset({State.BUILDING, State.READY, State.ACTIVE, State.DRAINING})

#: Complete enough to be searched: it has a pinned view.
SHOWN = frozenset({State.READY, State.ACTIVE, State.DRAINING})
