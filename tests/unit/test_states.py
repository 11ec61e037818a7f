"""The states: Python and the database agree on every change."""

from __future__ import annotations

import json
import re

from pgvec_versions.sqlfiles import catalog_up, sql_folder
from pgvec_versions.states import LIVE, TRANSITIONS, State


def test_the_database_allows_the_same_changes() -> None:
    code = (sql_folder() / "functions" / "change_state.sql").read_text("utf-8")
    rules = re.search(r"rules CONSTANT jsonb := '(\{.*?\})'", code, re.DOTALL)
    assert rules is not None
    written = json.loads(rules[1])
    assert set(written) == set(State)
    assert {(a, b) for a, targets in written.items() for b in targets} == TRANSITIONS


def test_the_catalog_knows_the_same_states() -> None:
    check = re.search(r"CHECK \(state IN \((.*?)\)\)", catalog_up(1))
    assert check is not None
    assert re.findall(r"'(\w+)'", check[1]) == list(State)


def test_what_is_gone_never_comes_back() -> None:
    gone = {State.RETIRED, State.ABANDONED}
    assert not [pair for pair in TRANSITIONS if pair[0] in gone]
    assert set(State) - gone == LIVE


def test_a_version_becomes_active_only_from_complete_states() -> None:
    assert {a for a, b in TRANSITIONS if b is State.ACTIVE} == {State.READY, State.DRAINING}
