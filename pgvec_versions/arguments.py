"""What callers hand in, looked at before anything is sent: wrong types are ours to refuse. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, cast

from pgvec_versions.errors import InvalidArgument

__all__ = [
    "LARGEST_INT",
    "need_bool",
    "need_int",
    "need_items",
    "need_optional_text",
    "need_text",
    "storable",
]

#: What PostgreSQL's integer holds.
LARGEST_INT = 2**31 - 1
_SHOWN = 80


def _wrong(value: object, name: str, needed: str) -> InvalidArgument:
    shown = repr(value) if isinstance(value, str | int | float | None) else ""
    given = f"{shown[:_SHOWN]} of type {type(value).__name__}" if shown else type(value).__name__
    return InvalidArgument(
        f"{name} must be {needed}, not {given}.",
        detail={"argument": name, "type": type(value).__name__},
    )


def need_int(value: object, name: str, least: int = 1, most: int = LARGEST_INT) -> int:
    """The value as an int, if it is a whole number (numpy's too) within the limits; True is none.

    Raises: InvalidArgument.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise _wrong(value, name, "a whole number")
    number = int(value)
    if number < least or number > most:
        limits = f"{least} or more" if most == LARGEST_INT else f"{least} to {most}"
        # A number of any length may be given; Python itself refuses to write the longest.
        shown = str(number) if abs(number) < 10**18 else "what was given"
        raise InvalidArgument(
            f"{name} must be {limits}, not {shown}.",
            detail={"argument": name, "least": least, "most": most},
        )
    return number


def need_bool(value: object, name: str) -> bool:
    """The value, if it is True or False. Raises: InvalidArgument."""
    if not isinstance(value, bool):
        raise _wrong(value, name, "True or False")
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no half of a surrogate pair."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return "\0" not in text


def need_text(value: object, name: str) -> str:
    """The value, if it is a text that PostgreSQL can hold. Raises: InvalidArgument."""
    if not isinstance(value, str):
        raise _wrong(value, name, "a text")
    if not storable(value):
        raise InvalidArgument(
            f"{name} contains a NUL character or half of a surrogate pair, "
            "which PostgreSQL cannot store.",
            hint="Is it binary data?",
            detail={"argument": name},
        )
    return value


def need_optional_text(value: object, name: str) -> str | None:
    """The same, or None."""
    return None if value is None else need_text(value, name)


def need_items(value: object, name: str) -> list[Any]:
    """The elements of a list, a tuple, a generator …; a text and a mapping are none of these.

    Raises: InvalidArgument.
    """
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        raise InvalidArgument(
            f"{name} must be a list, and one {type(cast('object', value)).__name__} was given.",
            hint="Put it into a list.",
            detail={"argument": name, "type": type(cast("object", value)).__name__},
        )
    if not isinstance(value, Iterable):
        raise _wrong(value, name, "a list")
    return list(cast("Iterable[Any]", value))
