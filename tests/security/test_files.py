"""Files that we write are private and go through no link; what we read is what we verified."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgvec_versions.cli import main
from pgvec_versions.errors import ArchiveMismatch, InvalidArgument, UnreadableFile
from pgvec_versions.new_files import new_file, write_text
from pgvec_versions.retirement import archive, checked_files
from pgvec_versions.retirement.archive import export_version, restore_version
from tests.sql.helpers import rows, state
from tests.sql.test_retirement import RETIRE, due

# Files that are written


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with new_file(tmp_path / "a") as file:
            (part,) = tmp_path.iterdir()
            assert stat.S_IMODE(part.stat().st_mode) == 0o600
            file.write(b"text")
        write_text(tmp_path / "b.html", "text")
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "b.html"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() == "text"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.html"]


def dangling(path: Path, target: Path) -> None:
    path.symlink_to(target)


def to_a_file(path: Path, target: Path) -> None:
    target.write_text("precious")
    path.symlink_to(target)


def to_a_folder(path: Path, target: Path) -> None:
    target.mkdir()
    path.symlink_to(target)


def plain(path: Path, target: Path) -> None:
    path.write_text("precious")


def a_folder(path: Path, target: Path) -> None:
    path.mkdir()


def a_pipe(path: Path, target: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("put", [dangling, to_a_file, to_a_folder, plain, a_folder, a_pipe])
@pytest.mark.parametrize("replace", [False, True])
def test_nothing_is_written_through_or_over_what_stands_there(
    tmp_path: Path, put: Callable[[Path, Path], None], replace: bool
) -> None:
    if put is plain and replace:
        return
    path, target = tmp_path / "out", tmp_path / "target"
    put(path, target)
    before = path.lstat()
    with pytest.raises(InvalidArgument), new_file(path, replace=replace) as file:
        file.write(b"ours")
    assert path.lstat().st_ino == before.st_ino
    assert not target.is_file() or target.read_text() == "precious"
    assert {p.name for p in tmp_path.iterdir()} <= {"out", "target"}


def written(path: Path, meanwhile: Callable[[], object]) -> None:
    with new_file(path) as file:
        file.write(b"ours")
        meanwhile()


@pytest.mark.parametrize("put", [dangling, to_a_file, plain])
def test_what_is_put_there_meanwhile_is_not_followed_or_replaced(
    tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    path, target = tmp_path / "out", tmp_path / "target"
    with pytest.raises(InvalidArgument, match="exists already"):
        written(path, lambda: put(path, target))
    assert not target.exists() or target.read_text() == "precious"
    assert path.is_symlink() or path.read_text() == "precious"


def test_without_hard_links_a_name_is_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "link", none)
    written(tmp_path / "a", lambda: None)
    assert (tmp_path / "a").read_bytes() == b"ours"
    with pytest.raises(InvalidArgument):
        written(tmp_path / "b", lambda: (tmp_path / "b").symlink_to(tmp_path / "target"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        written(tmp_path / "a", lambda: 1 / 0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnreadableFile), new_file(tmp_path / "no" / "a"):
        pass


@pytest.mark.parametrize("name", ["v1.copy", "v1.parquet"])
def test_an_export_goes_through_no_link(
    database: str, db: psycopg.Connection[Any], tmp_path: Path, name: str
) -> None:
    due(db)
    target = tmp_path / "target"
    for put in (dangling, to_a_file):
        put(tmp_path / name, target)
        with pytest.raises(InvalidArgument):
            export_version(database, "docs", "v1", tmp_path / name)
        assert not target.exists() or target.read_text() == "precious"
        (tmp_path / name).unlink()
    # The name that an older release wrote first.
    (tmp_path / f"{name}.part").symlink_to(target)
    export_version(database, "docs", "v1", tmp_path / name)
    assert target.read_text() == "precious"
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["report.html", "linked.html"])
def test_a_report_replaces_a_report_and_follows_no_link(
    database: str,
    db: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    due(db)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target").write_text("precious")
    (tmp_path / "linked.html").symlink_to("target")
    (tmp_path / "report.html").write_text("old")
    arguments = ["doctor", "--database-url", database, "--sample", "0", "--html", name]
    monkeypatch.setattr(sys, "argv", ["pgvec", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (tmp_path / "target").read_text() == "precious"
    if name == "linked.html":
        assert ended.value.code == 2
    else:
        assert "<html" in (tmp_path / name).read_text()


# Files that are read


class Changing:
    """Changes a file, or swaps it for another, right after the first check of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
        check: Any = archive._check  # pyright: ignore[reportPrivateUsage]

        def checked(*arguments: Any) -> None:
            check(*arguments)
            act()

        monkeypatch.setattr(archive, "_check", checked)


@pytest.mark.parametrize("name", ["v1.copy", "v1.parquet"])
def test_what_is_restored_is_what_was_verified(
    database: str,
    db: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    path = tmp_path / name
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'drop')")
    export_version(database, "docs", "v1", path)
    before = rows(db, "SELECT chunk_id, content FROM docs_at_v1 ORDER BY chunk_id")
    db.execute(RETIRE.encode())
    good = path.read_bytes()
    other = good.replace(b"text 1", b"EVIL 1")

    def rewrite() -> None:
        with path.open("r+b") as file:
            file.write(b"\0" * len(good))
            file.seek(0)
            file.write(other[:-1] + b"\x01")

    with monkeypatch.context() as patch:
        Changing(patch, rewrite)
        with pytest.raises(ArchiveMismatch, match="changed while it was read"):
            restore_version(database, "docs", "v1", path)
    assert state(db, "v1") == "retired"
    path.write_bytes(good)

    def swap() -> None:
        path.unlink()
        path.write_bytes(other)

    # The path is not opened again, so another file of that name changes nothing.
    with monkeypatch.context() as patch:
        Changing(patch, swap)
        restore_version(database, "docs", "v1", path)
    assert rows(db, "SELECT chunk_id, content FROM docs_at_v1 ORDER BY chunk_id") == before


def test_a_file_of_many_blocks_comes_back_the_same(
    database: str, db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "BLOCK", 97)
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'drop')")
    question = "SELECT chunk_id, content, embedding::text FROM docs_at_v1 ORDER BY chunk_id"
    before = rows(db, question)
    for name in ("v1.copy", "v1.parquet"):
        export_version(database, "docs", "v1", tmp_path / name)
    db.execute(RETIRE.encode())
    restore_version(database, "docs", "v1", tmp_path / "v1.parquet")
    assert rows(db, question) == before


def test_a_pipe_is_not_waited_for(
    database: str, db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'drop')")
    export_version(database, "docs", "v1", tmp_path / "v1.copy")
    db.execute(RETIRE.encode())
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UnreadableFile):
            restore_version(database, "docs", "v1", place)
