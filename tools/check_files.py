"""Checks text files for what no linter here finds: line ends, conflict marks, private paths, width.

    python tools/check_files.py FILE…

Prints a line for each finding, and exits with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

BINARY = {".png", ".jpg", ".gif", ".ico", ".woff2", ".gz", ".zip", ".whl"}

# Built from pieces, so that this file does not find itself.
PRIVATE = re.compile(
    "|".join(
        [
            r"(?<![\w.~$/])/(?:home|Users)/[a-z][\w.-]*/",  # somebody's home
            r"(?<![\w.~$/])/(?:root|builds|work(?:spaces?)?)/\w",  # a build machine's folder
            r"https?://[^\s/@:]+:[^\s/@:]+@(?!127\.0\.0\.1|localhost|host|example)",  # a password
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        ]
    )
)
#: SQL has no formatter here that keeps PL/pgSQL readable; its width is checked instead.
SQL_COLUMNS = 120
CONFLICT = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)


def findings(path: Path) -> Iterator[str]:
    """What is wrong with a file, a line for each finding."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        yield f"{path}: not UTF-8"
        return
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    if text.endswith("\n\n"):
        yield f"{path}: empty lines at the end"
    if CONFLICT.search(text):
        yield f"{path}: a merge conflict's mark"
    for number, line in enumerate(text.split("\n"), start=1):
        if "\r" in line:
            yield f"{path}:{number}: a carriage return"
        elif line != line.rstrip() and path.suffix != ".patch":
            yield f"{path}:{number}: blanks at the end of the line"
        if path.suffix == ".sql" and len(line) > SQL_COLUMNS:
            yield f"{path}:{number}: more than {SQL_COLUMNS} columns"
        if found := PRIVATE.search(line):
            yield f"{path}:{number}: a private path or secret: {found.group()}"


def main(names: list[str]) -> int:
    """Checks the files. Returns 1 if it found anything."""
    paths = [path for name in names if (path := Path(name)).is_file() and not path.is_symlink()]
    found = [line for path in paths if path.suffix not in BINARY for line in findings(path)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
