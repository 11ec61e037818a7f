"""Checks on arguments, before anything is sent to the database. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, cast

from pgvec_versions.errors import InvalidArgument

#: The largest ``integer`` of PostgreSQL.
_LARGEST_INT = 2**31 - 1
#: How much of a wrong value an error shows. Units: characters.
SHOWN = 80
#: From here on an error does not show a number: Python refuses to print very long ones.
_TOO_LONG_TO_SHOW = 10**18


def _wrong(value: object, name: str, needed: str) -> InvalidArgument:
    shown = repr(value) if isinstance(value, str | int | float | None) else ""
    given = f"{shown[:SHOWN]} of type {type(value).__name__}" if shown else type(value).__name__
    return InvalidArgument(
        f"{name} must be {needed}, not {given}.",
        detail={"argument": name, "type": type(value).__name__},
    )


def need_int(value: object, name: str, least: int = 1, most: int = _LARGEST_INT) -> int:
    """The value as an int. Raises: InvalidArgument unless it is a whole number within the limits.

    An int of numpy is one; True is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise _wrong(value, name, "a whole number")
    number = int(value)
    if number < least or number > most:
        limits = f"{least} or more" if most == _LARGEST_INT else f"{least} to {most}"
        shown = str(number) if abs(number) < _TOO_LONG_TO_SHOW else "what was given"
        raise InvalidArgument(
            f"{name} must be {limits}, not {shown}.",
            detail={"argument": name, "least": least, "most": most},
        )
    return number


def need_bool(value: object, name: str) -> bool:
    """The value. Raises: InvalidArgument unless it is True or False."""
    if not isinstance(value, bool):
        raise _wrong(value, name, "True or False")
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL can store the text: no NUL, no half of a surrogate pair."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return "\0" not in text


def need_text(value: object, name: str) -> str:
    """The value. Raises: InvalidArgument unless it is a text that PostgreSQL can store."""
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
    """The value, which may also be None. Raises: as ``need_text``."""
    return None if value is None else need_text(value, name)


def need_items(value: object, name: str) -> list[Any]:
    """The elements of a list, a tuple, a generator and so on. Raises: InvalidArgument.

    A text or a mapping is refused: to iterate over it is nearly always a mistake.
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
