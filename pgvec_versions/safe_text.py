"""Makes text of unknown origin safe to print: spells out control characters. Pure.

Names, ids, texts, reasons and errors come from a database that many people write to. Some of their
characters are commands to a terminal (ESC, its one-byte forms 0x80 to 0x9F, BEL, CR); others
reverse the order in which you read them (the bidi signs) or cannot be seen at all.
"""

from __future__ import annotations

import re

#: Control characters, signs of text direction, line and paragraph separators, invisible signs, and
#: halves of surrogate pairs. Not the joiners (U+200C, U+200D): some scripts and emoji need them.
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_TEXT = re.compile(f"[{_UNSEEN}]")
_LINE = re.compile(f"[\n{_UNSEEN}]")
#: Every writer of JSON escapes the control characters below 0x20.
_JSON = re.compile(f"[{_UNSEEN}]".replace("\x00-\x08\x0b-\x1f", ""))
_SHORT = {"\n": r"\n", "\r": r"\r"}


def _spelt(found: re.Match[str]) -> str:
    sign = found[0]
    number = ord(sign)
    if sign in _SHORT:
        return _SHORT[sign]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def visible(text: str) -> str:
    r"""The text with control characters spelt out, such as ``\x1b``. Lines and tabs stay."""
    return _TEXT.sub(_spelt, text)


def line(text: str) -> str:
    """The same on one line, so that a text cannot pass for a line of our output."""
    return _LINE.sub(_spelt, text)


def json_visible(text: str) -> str:
    """The JSON text, with the same characters written as JSON escapes."""

    def spelt(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass")
        return "".join(
            f"\\u{int.from_bytes(units[i : i + 2]):04x}" for i in range(0, len(units), 2)
        )

    return _JSON.sub(spelt, text)
