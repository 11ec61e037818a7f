"""The splitter cuts ordinary text where it always did, and needs no more than linear time."""

from __future__ import annotations

import time
from pydoc_data.topics import topics

import pytest
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from pgvec_versions.chunks import splitting
from pgvec_versions.chunks.splitting import split_text
from pgvec_versions.errors import InvalidArgument

PROSE = "\n\n".join(topics.values())
ONE_LINE = " ".join(PROSE[:120_000].split())
TEN_MEGABYTES = 10_000_000
#: Time for ten megabytes, at most. The splitter without windows needs hours. Units: seconds.
GENEROUS = 60
UNITS = {"letter": "a", "words": "word ", "lower": "etc. and ", "lines": "a\n", "CRLF": "a\r\n"}


@pytest.mark.parametrize("size", [200, 800, 3000])
@pytest.mark.parametrize(
    "text",
    [PROSE, ONE_LINE, ONE_LINE.lower().replace(".", ""), PROSE[:30_000] + ONE_LINE + PROSE[:9000]],
    ids=["prose", "one line", "no sentences", "mixed"],
)
def test_windows_do_not_change_where_plain_text_is_cut(text: str, size: int) -> None:
    assert split_text(text, size) == TextSplitter(size).chunks(text)


def test_markdown_of_one_window_is_cut_as_always() -> None:
    text = "\n\n".join(f"# {name}\n\n{text}" for name, text in topics.items())[:90_000]
    assert split_text(text, 800, markdown=True) == MarkdownSplitter(800).chunks(text)


@pytest.mark.parametrize("markdown", [False, True], ids=["text", "Markdown"])
@pytest.mark.parametrize("name", UNITS)
def test_the_work_grows_with_the_text_and_not_with_its_square(
    name: str, markdown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts what the library is given: its own time may grow with the square of that."""
    given: list[int] = []
    longest = [0]
    kind = "MarkdownSplitter" if markdown else "TextSplitter"

    class Counting:
        def __init__(self, size: int) -> None:
            self.real = (MarkdownSplitter if markdown else TextSplitter)(size)

        def chunk_indices(self, text: str) -> list[tuple[int, str]]:
            given.append(len(text))
            longest[0] = max(longest[0], *map(len, text.split("\n")))
            return self.real.chunk_indices(text)

    monkeypatch.setattr(f"semantic_text_splitter.{kind}", Counting)
    length = 400_000
    text = (UNITS[name] * (length // len(UNITS[name]) + 1))[:length]
    pieces = split_text(text, 800, markdown=markdown)
    assert sum(map(len, pieces)) >= length - 2 * length // len(UNITS[name]) - len(pieces)
    assert max(given) <= splitting._WINDOW
    assert longest[0] <= 25 * 800
    assert sum(given) < 1.5 * length


@pytest.mark.slow
@pytest.mark.parametrize("name", ["letter", "words"])
def test_ten_megabytes_without_a_sentence_end_are_split(name: str) -> None:
    text = (UNITS[name] * (TEN_MEGABYTES // len(UNITS[name]) + 1))[:TEN_MEGABYTES]
    began = time.monotonic()
    pieces = split_text(text, 800)
    assert time.monotonic() - began < GENEROUS
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize(
    "text", ["", " ", "\n" * 250_000, " " * 250_000, "a" + " " * 250_000 + "b", "\ufeff", "\u0301"]
)
def test_little_text_and_much_space_are_split(text: str, markdown: bool) -> None:
    pieces = split_text(text, 800, markdown=markdown)
    assert [p.strip() for p in pieces] == text.split()
    assert split_text(text, 1, markdown=markdown)[:1] == [p[:1] for p in pieces[:1]]


def test_a_piece_of_no_characters_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        split_text("text", 0)
