"""Printing with rich: text from the database stays text.

Promise: rich reads no text from the database as markup (``[red]``, ``[link=…]``, ``:smile:``, or an
``[/]`` that would raise), and no such text controls the terminal. Only ``styled`` makes colours.
The verbs print through this module and ``plain`` alone: they neither print, nor make a console or a
``Text``. A test checks that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.style import Style
from rich.text import Text

from pgvec_versions.cli.plain import print_json
from pgvec_versions.safe_text import line


class _PlainConsole(Console):
    """A console that prints a string as it is: no markup, no emoji codes, no control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    # Every string comes through here: in a cell, in a title or on its own.
    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: Any = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: Any = None,
    ) -> Text:
        """The string on one line, with control characters made visible."""
        return Text(line(text), style=style, justify=justify, overflow=overflow)


#: rich would cut output to a file or a pipe at 80 columns. Units: columns.
_WIDTH_OF_A_FILE = 150
console = _PlainConsole(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
messages = _PlainConsole(stderr=True)


def styled(*parts: str | tuple[str, str]) -> Text:
    """A line made of texts and ``(text, style)`` pairs. The texts may come from anywhere."""
    made = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        made.append(line(text), style)
    return made


def stacked(pieces: Iterable[RenderableType]) -> Group:
    """The pieces one below another, for a picture that changes."""
    return Group(*pieces)


def print_line(text: str | Text) -> None:
    """Prints one line. The terminal may wrap it, but nothing is cut off or broken for copying."""
    console.print(text, soft_wrap=True)


def print_lines(lines: str | Iterable[str]) -> None:
    """Prints each text as one line."""
    for text in [lines] if isinstance(lines, str) else lines:
        print_line(text)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def emit(
    data: Mapping[str, Any] | list[Any], as_json: bool, text: str | Iterable[str] = ""
) -> None:
    """Prints the data as JSON, or else the text: one line, or several."""
    if as_json:
        print_json(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))
    elif text:
        print_lines(text)


def emit_line(data: Mapping[str, Any]) -> None:
    """Prints the data as JSON on one line, at once: for a program that reads while we go on."""
    print_json(json.dumps(data, default=_plain, ensure_ascii=False))
    sys.stdout.flush()
