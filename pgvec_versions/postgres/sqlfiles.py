"""The loader of ``sql/``: from the wheel, or from the checkout in an editable install."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from psycopg import sql


@cache
def sql_folder() -> Path:
    """The folder that holds the SQL files."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "sql", package.parent / "sql"):
        if (candidate / "catalog").is_dir():
            return candidate
    raise FileNotFoundError("the sql folder is missing from this installation of pgvec-versions")


def _catalog_files(direction: str) -> dict[int, Path]:
    found = (sql_folder() / "catalog").glob(f"[0-9]*.{direction}.sql")
    return {int(path.name.split(".")[0]): path for path in found}


def latest_catalog_version() -> int:
    """The newest catalog version in this package."""
    return max(_catalog_files("up"))


def catalog_up(version: int) -> str:
    """The SQL that upgrades the catalog from ``version - 1`` to ``version``."""
    return _catalog_files("up")[version].read_text("utf-8")


def catalog_down(version: int) -> str:
    """The SQL that downgrades the catalog from ``version`` to ``version - 1``."""
    return _catalog_files("down")[version].read_text("utf-8")


def objects() -> str:
    """All functions and views, to run between ``begin`` and ``end``."""
    folder = sql_folder()
    functions = sorted((folder / "functions").glob("*/*.sql"), key=lambda path: path.name)
    views = sorted((folder / "views").glob("*.sql"))
    return "\n".join(path.read_text("utf-8") for path in [*functions, *views])


def step(name: str) -> str:
    """A file of ``sql/install``: ``begin``, ``extension``, ``end`` or ``restore``."""
    return (sql_folder() / "install" / f"{name}.sql").read_text("utf-8")


def checksums() -> dict[str, str]:
    """SHA-256 of every catalog file, by file name."""
    folder = sql_folder() / "catalog"
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.sql"))
    }


@cache
def _queries() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((sql_folder() / "queries").glob("*.sql")):
        parts = re.split(r"^-- name: (\w+)[^\n]*\n", path.read_text("utf-8"), flags=re.MULTILINE)
        found.update(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
    return found


@cache
def query(name: str) -> sql.SQL:
    """The named statement of ``sql/queries``: ``{…}`` for identifiers, ``%(…)s`` for values."""
    text = re.sub(r"^\s*--.*\n?", "", _queries()[name], flags=re.MULTILINE)
    return sql.SQL(cast("LiteralString", text))
