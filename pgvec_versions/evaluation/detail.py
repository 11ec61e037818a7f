"""The details of an evaluation, made safe for a report to draw. Pure.

``pgvec.record_evaluation`` accepts any JSON as detail, and an evaluation of the active version has
no baseline. So a part that is missing, or is not what a report draws, becomes an empty one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeGuard, cast

#: Returns a value that can be drawn; raises ValueError, TypeError or KeyError for any other.
Reader: TypeAlias = Callable[[Any], Any]
_SIDES = ("candidate", "baseline")
_HISTOGRAMS = ("random", "top", "nearest")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def sound_detail(given: Mapping[str, Any]) -> dict[str, Any]:
    """The detail with every part that a report reads, each complete or empty."""
    made = {name: read(given.get(name)) for name, read in _PARTS.items()}
    return {**given, **made}


def _number(value: Any) -> int | float:
    if not is_number(value):
        raise ValueError
    return value


def _or(default: Any, read: Reader) -> Reader:
    def checked(value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError, KeyError, AttributeError):
            return default

    return checked


def _numbers(*names: str) -> Reader:
    return lambda value: {**value, **{name: _number(value[name]) for name in names}}


def _sound(value: Any, read: Reader) -> list[Any]:
    """A list with the value, or an empty one if it cannot be drawn."""
    try:
        return [read(value)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _rows(read: Reader) -> Reader:
    def rows(value: Any) -> list[Any]:
        given = cast("list[Any]", value) if isinstance(value, list) else []
        return [made for item in given for made in _sound(item, read)]

    return rows


def _named(read: Reader, names: tuple[str, ...] | None = None) -> Reader:
    def by_name(value: Any) -> dict[str, Any]:
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return {
            name: made
            for name, item in given.items()
            if names is None or name in names
            for made in _sound(item, read)
        }

    return by_name


def _pair(value: Any) -> list[float]:
    low, high = value
    return [_number(low), _number(high)]


def _histogram(value: Any) -> dict[str, Any]:
    edges = [_number(edge) for edge in value["edges"]]
    counts = {name: [_number(n) for n in value["counts"][name]] for name in _HISTOGRAMS}
    if any(len(found) != len(edges) - 1 for found in counts.values()):
        raise ValueError
    return {**value, "edges": edges, "counts": counts}


def _query_detail(value: Any) -> dict[str, Any]:
    """A query that was won or lost: its text, and the place and first hit on either side."""

    def side(given: Any) -> dict[str, Any]:
        first = given.get("first")
        if first is not None:
            first = {"text": str(first["text"]), "document_id": first.get("document_id")}
        return {**given, "place": given.get("place"), "first": first}

    return {"query": str(value["query"]), "old": side(value["old"]), "new": side(value["new"])}


def _canaries(value: Any) -> dict[str, Any]:
    return {
        "canaries": _number(value["canaries"]),
        "least_cosine": _number(value["least_cosine"]),
        "worst": str(value["worst"]),
    }


_THRESHOLDS = _rows(_numbers("old", "new", "share", "agreement"))
_PARTS: dict[str, Reader] = {
    "k": _or(10, _number),
    "depth": _or("–", _number),
    "source": lambda value: value if isinstance(value, str) else "",
    "distance": lambda value: value if isinstance(value, str) else "–",
    "unknown_ids": _or(0, _number),
    "dropped": _or("–", _number),
    "won": _or(0, _number),
    "lost": _or(0, _number),
    "changes": _rows(_number),
    "wins": _rows(_query_detail),
    "losses": _rows(_query_detail),
    "thresholds": _THRESHOLDS,
    "asked_thresholds": _THRESHOLDS,
    "significance": _named(_numbers("delta", "p")),
    "deviations": _named(_number),
    "intervals": _named(_named(_pair), _SIDES),
    "sweep": _named(_rows(_numbers("ef_search", "recall", "p50_ms", "p95_ms")), _SIDES),
    "distances": _named(_histogram, _SIDES),
    "canaries": _named(_canaries, _SIDES),
}
