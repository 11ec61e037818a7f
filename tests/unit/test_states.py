"""The states: Python and the catalog know the same names."""

from __future__ import annotations

import re

from pgvec_versions.postgres.sqlfiles import catalog_up
from pgvec_versions.states import LIVE, SHOWN, State


def test_the_catalog_knows_the_same_states() -> None:
    check = re.search(r"CHECK \(state IN \((.*?)\)\)", catalog_up(1))
    assert check is not None
    assert re.findall(r"'(\w+)'", check[1]) == list(State)


def test_what_is_gone_is_not_live() -> None:
    assert set(State) - {State.RETIRED, State.ABANDONED} == LIVE
    assert LIVE - {State.BUILDING} == SHOWN
