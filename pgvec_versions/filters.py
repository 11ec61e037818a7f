"""Metadata filters: typed, and nothing in them ever becomes SQL. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from pgvec_versions.errors import InvalidArgument

__all__ = ["Filter", "Operator", "Where", "as_json", "json_text"]

#: An escaped NUL, but not an escaped backslash before "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)

Operator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">=", "in", "exists"]


@dataclass(frozen=True, slots=True)
class Where:
    """One condition on a metadata key, such as ``Where("year", ">=", 2020)``.

    Comparisons hold between values of the same JSON type only. ``exists`` takes True or False.
    """

    key: str
    op: Operator
    value: Any = True

    def __post_init__(self) -> None:
        if self.op not in get_args(Operator):
            raise InvalidArgument(
                f"unknown operator {self.op!r} on metadata key {self.key!r}.",
                hint=f"Use one of {' '.join(get_args(Operator))}.",
            )


#: A mapping that the metadata must contain, or conditions that must all hold.
Filter: TypeAlias = Mapping[str, Any] | Where | Iterable[Where]


def json_text(value: Any) -> str:
    """A value as JSON that jsonb keeps: no NaN, no NUL, no half of a surrogate pair.

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

    Raises: InvalidArgument for values that JSON does not have.
    """
    if given is None:
        return None, None
    try:
        if isinstance(given, Mapping):
            return json_text(dict(given)), None
        conditions = [given] if isinstance(given, Where) else list(given)
        encoded = [
            {"key": c.key, "op": c.op, "value": list(c.value) if c.op == "in" else c.value}
            for c in conditions
        ]
        return None, json_text(encoded)
    except (TypeError, ValueError, AttributeError) as exc:
        raise InvalidArgument(
            f"the metadata filter cannot be written as JSON: {exc}.",
            hint="Use a mapping of JSON values, or Where(key, op, value).",
        ) from exc
