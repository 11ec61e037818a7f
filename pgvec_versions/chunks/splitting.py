"""Text in, pieces out, in time that grows with the text and not with its square. Pure.

The library looks at everything that is left of a text, or of its line, for each piece. So it gets
the text in windows. The last pieces of a window depend on the text behind it: they are cut again,
from the next window. Plain text gives the same pieces as without windows. So does Markdown that
fits into one window.
"""

from __future__ import annotations

from typing import Protocol

from pgvec_versions.errors import ConfigError, InvalidArgument

#: The longest text that the library gets at once. Units: characters.
_WINDOW = 100_000
#: The most of one line that the library gets at once, in pieces: a line may have no sentence end.
_LINE_IN_PIECES = 8
#: The same for Markdown. Its structure is read anew in each window, so fewer windows are better.
_MARKDOWN_LINE_IN_PIECES = 25
#: The same at least, where pieces are small. Units: characters.
_SHORTEST_LINE = 1000
#: How many pieces at the end of a window are cut again.
_CUT_AGAIN = 2


class _Splitter(Protocol):
    def chunk_indices(self, text: str) -> list[tuple[int, str]]: ...


def split_text(text: str, chunk_chars: int = 800, *, markdown: bool = False) -> list[str]:
    """Pieces of at most ``chunk_chars`` characters, cut where the text allows it; none is empty.

    Raises: ConfigError without the extra ``split``, InvalidArgument.
    """
    if chunk_chars < 1:
        raise InvalidArgument("chunk_chars must be 1 or more.")
    try:
        from semantic_text_splitter import MarkdownSplitter, TextSplitter
    except ImportError:
        raise ConfigError(
            "splitting files needs an extra that is not installed.",
            hint="Run: pip install 'pgvec-versions[split]'",
        ) from None
    splitter: _Splitter = MarkdownSplitter(chunk_chars) if markdown else TextSplitter(chunk_chars)
    per_line = _MARKDOWN_LINE_IN_PIECES if markdown else _LINE_IN_PIECES
    longest_line = max(per_line * chunk_chars, _SHORTEST_LINE)
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = _window_end(text, start, longest_line)
        found = splitter.chunk_indices(text[start:end])
        kept = len(found) if end == len(text) else _settled(found)
        pieces += [piece for _, piece in found[:kept] if piece.strip()]
        if kept < len(found):
            start += found[kept][0]
        elif end < len(text) and found:
            start += found[-1][0] + len(found[-1][1])
        else:
            start = end
    return pieces


def _settled(found: list[tuple[int, str]]) -> int:
    """How many pieces of a window are final: at least one, if it begins where the window does."""
    begins_here = bool(found) and found[0][0] == 0
    return max(len(found) - _CUT_AGAIN, int(begins_here))


def _window_end(text: str, start: int, longest_line: int) -> int:
    """Where the window ends that begins at ``start``: after some whole lines, or in a long one."""
    stop = min(start + max(_WINDOW, longest_line), len(text))
    line = start
    while line < stop:
        end = text.find("\n", line, line + longest_line + 1)
        if end < 0:
            return min(line + longest_line, stop)
        line = end + 1
    return stop
