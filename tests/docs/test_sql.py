"""docs/sql.md is one psql session, and is run as it is printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pgvec_versions.embedded import EmbeddedServer

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
BLOCK = re.compile(r"^```(\w+)(?: error=(\w+))?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
# A line of its own in what psql prints, between the blocks.
MARK = "=== block {} ==="


def blocks() -> list[tuple[str, str, str]]:
    """Language, the SQLSTATE that is promised, text; in order."""
    return [(m[1], m[2] or "", m[3]) for m in BLOCK.finditer(PAGE.read_text("utf-8"))]


def session() -> str:
    """The blocks as one script; the error codes are printed where they come."""
    parts: list[str] = []
    for number, (language, error, text) in enumerate(blocks()):
        if language == "sql":
            parts.append(f"\\echo {MARK.format(number)}\n{text}")
            parts.append("\\echo state :SQLSTATE" if error else "")
    return "\n".join(parts)


@pytest.fixture
def printed(server: EmbeddedServer, database: str) -> dict[int, list[str]]:
    """What psql prints, by number of the block."""
    psql = server.psql_command("x").split()[0]
    done = subprocess.run(
        [psql, database, "-X", "-q", "-A", "-t", "-v", "VERBOSITY=sqlstate"],
        input=session(),
        text=True,
        capture_output=True,
    )
    promised = sorted(error for _, error, _ in blocks() if error)
    assert sorted(re.findall(r"ERROR:  (\w+)", done.stderr)) == promised, done.stderr
    found: dict[int, list[str]] = {}
    number = -1
    for line in done.stdout.splitlines():
        if mark := re.fullmatch(r"=== block (\d+) ===", line):
            number = int(mark[1])
            found[number] = []
        elif line:
            found[number].append(line)
    return found


def test_the_page_is_a_session_that_does_what_it_says(printed: dict[int, list[str]]) -> None:
    checked = 0
    for number, (language, error, text) in enumerate(blocks()):
        if error:
            assert printed[number] == [f"state {error}"]
        if language == "text":
            assert printed[number - 1] == text.splitlines()
            checked += 1
    assert checked == 8


def test_the_page_shows_every_verb_a_session_needs() -> None:
    text = PAGE.read_text("utf-8")
    for verb in (
        "create_collection",
        "register_version",
        "build_index",
        "make_ready",
        "cut_over",
        "nearest",
        "missing_chunks",
        "roll_back",
        "retire_due",
        "version_status",
    ):
        assert f"pgvec.{verb}" in text, verb
