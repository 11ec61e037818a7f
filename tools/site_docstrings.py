"""Prepares docstrings for the API page: their headwords begin a paragraph, in bold.

A docstring says the effect in one line, then ``Shape:``, ``Units:``, ``Effects:``, ``Raises:`` or
``Source:``.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_WORDS = re.compile(r"^(Shape|Units|Effects|Raises|Returns|Source): ", flags=re.MULTILINE)


class HouseDocstrings(griffe.Extension):
    """Gives each headword a paragraph of its own, and removes the reST colons before examples."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Changes the text of the docstring, if there is one."""
        if obj.docstring is not None:
            text = _WORDS.sub(r"\n**\1.** ", obj.docstring.value)
            obj.docstring.value = re.sub(r"^::$", "", text, flags=re.MULTILINE)
