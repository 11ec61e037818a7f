"""Docstrings as they are written here, for the API page: the words of the house in bold.

A docstring says the effect in one line, then ``Shape:``, ``Units:``, ``Effects:``, ``Raises:`` or
``Source:``. On the page each of them begins a paragraph.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_WORDS = re.compile(r"^(Shape|Units|Effects|Raises|Returns|Source): ", flags=re.MULTILINE)


class HouseDocstrings(griffe.Extension):
    """Gives each of the words a paragraph of its own, and takes the reST colons off examples."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Changes the text of the docstring, if there is one."""
        if obj.docstring is not None:
            text = _WORDS.sub(r"\n**\1.** ", obj.docstring.value)
            obj.docstring.value = re.sub(r"^::$", "", text, flags=re.MULTILINE)
