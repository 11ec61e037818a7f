"""Filters become JSON, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.filters import Where, as_json, json_text


def test_no_filter_is_no_argument() -> None:
    assert as_json(None) == (None, None)


def test_a_mapping_is_what_the_metadata_must_contain() -> None:
    contains, conditions = as_json({"lang": "ü", "tags": ["a"], "n": None})
    assert json.loads(contains or "") == {"lang": "ü", "tags": ["a"], "n": None}
    assert conditions is None


def test_conditions_keep_their_order_and_types() -> None:
    given = [Where("n", ">=", 2), Where("s", "in", (1, "1")), Where("k", "exists")]
    contains, conditions = as_json(iter(given))
    assert contains is None
    assert json.loads(conditions or "") == [
        {"key": "n", "op": ">=", "value": 2},
        {"key": "s", "op": "in", "value": [1, "1"]},
        {"key": "k", "op": "exists", "value": True},
    ]
    assert as_json(given[0]) == as_json([given[0]])


def test_an_unknown_operator_is_refused_at_once() -> None:
    with pytest.raises(InvalidArgument, match="LIKE"):
        Where("k", "LIKE", "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        {"n": float("nan")},
        {"n": float("inf")},
        {"o": b"bytes"},
        Where("n", "in", 5),
        Where("n", "=", {1, 2}),
        ["n"],
        5,
        {"s": "a\0b"},
        {"a\0b": 1},
        Where("s", "=", "\ud800"),
    ],
    ids=repr,
)
def test_what_jsonb_cannot_hold_is_refused(given: Any) -> None:
    with pytest.raises(InvalidArgument):
        as_json(given)


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert json.loads(json_text({"path": "C:\\u0000"})) == {"path": "C:\\u0000"}
