"""Every block of every page, and of the README, does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.clusters import binaries
from tests.docs.pages import ROOT, Reader, blocks, pages, same

#: Pages of plain SQL, of privileges, and the page of the day also run on the older server.
BOTH = ("sql.md", "security.md", "upgrade-runbook.md")
#: Done in test_sessions.py and test_dba.py, which also look at what they leave behind.
ELSEWHERE = ("evaluation.md", "doctor.md", "dba.md")


def name(page: Path) -> str:
    """How a page is called in the name of its test: its path, without ``docs/`` and ending."""
    return "/".join(page.relative_to(ROOT).with_suffix("").parts).removeprefix("docs/")


CASES = [
    pytest.param(page, version, id=f"{name(page)}-pg{version}")
    for page in pages()
    if page.name not in ELSEWHERE
    for version in ((18, 16) if page.name in BOTH else (18,))
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("page", "server"), CASES, indirect=["server"])
def test_a_page_does_what_it_says(
    page: Path, server: EmbeddedServer, empty_database: str, tmp_path: Path
) -> None:
    found = blocks(page)
    reader = Reader(empty_database, binaries(server) / "psql", tmp_path)
    try:
        for block in found:
            reader.read(block)
    finally:
        reader.close()


def test_every_page_is_read() -> None:
    assert {page.name for page in pages()} >= {"README.md", "index.md", "sql.md", "tutorial.md"}


@pytest.mark.parametrize(
    ("printed", "got", "fits"),
    [
        ("a\n", "a\n", True),
        ("a   b\n", "a b\n\n", True),
        ("a … c\n", "a 12 c\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "a\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_what_is_printed_is_compared(printed: str, got: str, fits: bool) -> None:
    assert same(printed, got) is fits
