"""The consoles: what comes out of the database is text there, and nothing else.

Promise: no text of the database is read as rich's markup (``[red]``, ``[link=…]``, an ``[/]`` that
ends in an error, ``:smile:``), and none drives the terminal. Colours come from ``styled`` alone.
Together with ``plain`` it is the only way out: the other files of this package neither print nor
make a console or a ``Text``. A test looks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, JustifyMethod
from rich.style import Style
from rich.text import Text

from pgvec_versions.safe_text import line

__all__ = ["console", "messages", "print_lines", "styled"]


class _PlainConsole(Console):
    """A console for which a string is text: no markup, no emoji codes, no control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    # Every string that is printed, in a cell, in a title or by itself, comes through here.
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
        """The string as it stands, on one line, with control characters spelt out."""
        return Text(line(text), style=style, justify=justify, overflow=overflow)


#: Output that goes to a file or a pipe is not cut to the 80 columns that rich takes then.
console = _PlainConsole(width=None if sys.stdout.isatty() else 150)
messages = _PlainConsole(stderr=True)


def styled(*parts: str | tuple[str, str]) -> Text:
    """A line of texts and of ``(text, style)``: the style is ours, the text may be anybody's."""
    made = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        made.append(line(text), style)
    return made


def print_lines(lines: str | Iterable[str]) -> None:
    """Prints each text as one line, whatever it holds."""
    for text in [lines] if isinstance(lines, str) else lines:
        console.print(text, soft_wrap=True)
