"""Metadata filters: typed, and passed to SQL as values only. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias, cast, get_args

from pgvec_versions.arguments import SHOWN
from pgvec_versions.errors import InvalidArgument

__all__ = [
    "DEEPEST",
    "LARGEST",
    "MOST_CONDITIONS",
    "MOST_VALUES",
    "Filter",
    "Operator",
    "Where",
    "as_json",
    "json_text",
]

# The most that ``pgvec.nearest`` takes; the same numbers are in
# ``sql/functions/search/limit_filter.sql``.

#: Conditions in one filter.
MOST_CONDITIONS = 100
#: Values of one ``in``.
MOST_VALUES = 10_000
#: Levels of mappings and lists, one inside the other.
DEEPEST = 32
#: Size of a filter. Units: bytes of JSON.
LARGEST = 1_000_000

#: An escaped NUL, not an escaped backslash before "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)

Operator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">=", "in", "exists"]


@dataclass(frozen=True, slots=True)
class Where:
    """One condition on a metadata key, such as ``Where("year", ">=", 2020)``.

    It compares only values of the same JSON type. ``exists`` takes True or False, ``in`` a list of
    at most 10,000 values.
    """

    key: str
    op: Operator
    value: Any = True

    def __post_init__(self) -> None:
        if not isinstance(self.key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(f"a metadata key is a text, not {type(self.key).__name__}.")
        if not isinstance(self.op, str) or self.op not in get_args(Operator):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(
                f"unknown operator {self.op!r} on metadata key {self.key!r}.",
                hint=f"Use one of {' '.join(get_args(Operator))}.",
            )


#: A mapping that the metadata must contain, or conditions that must all hold.
Filter: TypeAlias = Mapping[str, Any] | Where | Iterable[Where]


def json_text(value: Any) -> str:
    """The value as JSON that jsonb takes: no NaN, no NUL, no half of a surrogate pair.

    Raises: ValueError, TypeError.
    """
    text = _ENCODER.encode(value)
    if not text.isascii():
        text.encode()
    if "\\u0000" in text and _NUL.search(text):
        raise ValueError("it contains a NUL character")
    return text


def as_json(given: Filter | None) -> tuple[str | None, str | None]:
    """The ``filter`` and ``conditions`` arguments of ``pgvec.nearest``, as JSON texts.

    Raises: InvalidArgument for values that JSON does not have, and beyond the limits above.
    """
    if given is None:
        return None, None
    try:
        if isinstance(given, Mapping):
            contains: dict[str, Any] = dict(cast("Mapping[str, Any]", given))
            _refuse_deep("filter", contains)
            return _small_enough("filter", json_text(contains)), None
        conditions = [given] if isinstance(given, Where) else _first(given, MOST_CONDITIONS)
        if len(conditions) > MOST_CONDITIONS:
            raise _beyond("conditions", "conditions", MOST_CONDITIONS, "conditions are given")
        encoded = [{"key": c.key, "op": c.op, "value": _value(c)} for c in conditions]
        return None, _small_enough("conditions", json_text(encoded))
    except (TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise InvalidArgument(
            f"the metadata filter cannot be written as JSON: {exc}.",
            hint="Use a mapping of JSON values, or Where(key, op, value).",
        ) from exc


def _beyond(which: str, what: str, most: int, words: str, **more: Any) -> InvalidArgument:
    return InvalidArgument(
        f"the metadata filter: more than {most:,} {words}.",
        detail={"which": which, "what": what, "most": most, **more},
    )


def _first(given: Iterable[Any], most: int) -> list[Any]:
    """At most one more than ``most``: enough to see that there are too many, however many come."""
    return list(islice(given, most + 1))


def _value(condition: Where) -> Any:
    if condition.op == "exists" and not isinstance(condition.value, bool):
        raise TypeError(f"exists takes True or False, not {type(condition.value).__name__}")
    if condition.op == "in" and isinstance(condition.value, str | bytes | Mapping):
        raise TypeError("in takes a list of values")
    if condition.op != "in":
        _refuse_deep("conditions", condition.value)
        return condition.value
    values = _first(cast("Iterable[Any]", condition.value), MOST_VALUES)
    if len(values) > MOST_VALUES:
        key = condition.key[:SHOWN]
        raise _beyond("conditions", "values", MOST_VALUES, f"values for key {key!r}", key=key)
    _refuse_deep("conditions", values)
    return values


def _small_enough(which: str, text: str) -> str:
    size = len(text) if text.isascii() else len(text.encode())
    if size > LARGEST:
        raise _beyond(which, "bytes", LARGEST, f"bytes as JSON ({size:,})", given=size)
    return text


def _refuse_deep(which: str, value: Any) -> None:
    """Goes level by level, so that it ends even for a value that contains itself."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, Mapping):
                inner.extend(cast("Mapping[Any, Any]", item).values())
            elif isinstance(item, list | tuple):
                inner.extend(cast("list[Any]", item))
        if not any(isinstance(item, Mapping | list | tuple) for item in level):
            return
        # Each object once: many references to a few objects would grow without bound.
        level = list({id(item): item for item in inner}.values())
    raise _beyond(which, "levels", DEEPEST, "levels of mappings and lists")
