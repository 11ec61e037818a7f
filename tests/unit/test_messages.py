"""Every message that we write ends as a sentence, so that the hint after it can be read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgvec_versions import errors
from pgvec_versions.errors import ConfigError, NotPermitted

ROOT = Path(__file__).parents[2]
ENDS = (".", "?", "!")
ERRORS = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}

# SQL: a text, perhaps in several pieces, perhaps in format(…).
_PIECE = r"E?'(?:[^']|'')*'"
_TEXT = rf"(?P<text>{_PIECE}(?:\s+{_PIECE})*)"
_EXPRESSION = rf"\s*(?:format\(\s*)?{_TEXT}"
#: The message of RAISE EXCEPTION, of its MESSAGE, and after a SQLSTATE: raise_error, refusals.
_MESSAGES = (
    re.compile(rf"RAISE\s+EXCEPTION{_EXPRESSION}"),
    re.compile(rf"MESSAGE\s*={_EXPRESSION}"),
    re.compile(rf"'(?:PV|[0-9]{{2}})[0-9A-Z]{{3}}',{_EXPRESSION}"),
)
_COMMENT = re.compile(rf"{_PIECE}|(?P<comment>--[^\n]*)")


def sql_messages(text: str) -> Iterator[str]:
    """The texts of the messages in a file of SQL."""
    bare = _COMMENT.sub(lambda found: "" if found["comment"] else found[0], text)
    for pattern in _MESSAGES:
        for found in pattern.finditer(bare):
            yield "".join(re.findall(_PIECE, found["text"])).replace("''", "")


def python_messages(path: Path) -> Iterator[tuple[int, str | None]]:
    """The ends of our errors' messages in a file, with their lines; None: it is not a text."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in ERRORS:
                yield from ((node.lineno, end) for end in ends(node.args[0]))


def ends(node: ast.expr) -> Iterator[str | None]:
    """How a text can end."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from ends(node.values[-1])
    elif isinstance(node, ast.BinOp):
        yield from ends(node.right)
    elif isinstance(node, ast.IfExp):
        yield from (*ends(node.body), *ends(node.orelse))
    else:
        yield None


FILES = sorted((ROOT / "sql").rglob("*.sql"))
MODULES = sorted((ROOT / "pgvec_versions").rglob("*.py"))


def test_each_message_of_the_database_ends_as_a_sentence() -> None:
    found = [(path.name, text) for path in FILES for text in sql_messages(path.read_text("utf-8"))]
    assert len(found) > 130
    assert [each for each in found if not each[1].rstrip("'").endswith(ENDS)] == []


def test_each_message_of_python_and_the_command_line_ends_as_a_sentence() -> None:
    found = [
        (f"{path.relative_to(ROOT)}:{line}", end)
        for path in MODULES
        for line, end in python_messages(path)
    ]
    assert len(found) > 150
    assert [each for each in found if each[1] is not None and not each[1].endswith(ENDS)] == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("permission denied for table docs", "permission denied for table docs. Ask."),
        ("it is not.", "it is not. Ask."),
    ],
)
def test_a_message_of_postgresql_gets_the_stop_that_it_lacks(message: str, shown: str) -> None:
    assert str(NotPermitted(message, hint="Ask.")) == shown
    assert str(ConfigError(message)) == message
