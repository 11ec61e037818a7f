"""Which files a folder gives, and which ids they get. No database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgvec_versions.chunks.documents import find_documents
from pgvec_versions.chunks.roots import Root
from pgvec_versions.chunks.stored_documents import StoredDocument, gone_documents
from pgvec_versions.errors import InvalidArgument, UnreadableFile, WrongState


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for name in ("a.md", "sub/b.txt", "sub/deep/c.TXT"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Root(tmp_path.resolve(), ".")


def test_an_id_is_relative_to_the_root_by_whatever_way_you_reach_it(root: Root) -> None:
    folder = root.folder
    (folder / "docs/link").symlink_to(folder / "docs/sub")
    (folder.parent / f"{folder.name}-door").symlink_to(folder)
    door = folder.parent / f"{folder.name}-door"
    assert root.id_of(folder) == root.id_of(door) == ""
    assert root.id_of(door / "docs/a.md") == "docs/a.md"
    assert root.id_of(folder / "docs/link/b.txt") == "docs/link/b.txt"
    assert root.id_of(folder / "docs/../docs/./a.md") == "docs/a.md"
    assert root.id_of(folder / "not/there.md") == "not/there.md"
    assert root.id_of(folder.parent) is None
    assert Root(Path("/"), "/").id_of(folder / "a") == f"{folder}/a".removeprefix("/")


def test_a_path_that_goes_up_from_a_link_names_the_file_of_its_id(root: Root) -> None:
    other = root.folder / "elsewhere/inner"
    other.mkdir(parents=True)
    (root.folder / "elsewhere/a.md").write_text("another file")
    (root.folder / "docs/out").symlink_to(other)
    (found,) = find_documents([root.folder / "docs/out/../a.md"], root).documents
    assert (found.document_id, found.content().text) == ("docs/a.md", "a.md")


def test_a_folder_and_a_file_in_it_give_the_file_once(root: Root) -> None:
    docs = root.folder / "docs"
    found = find_documents([docs, docs / "a.md", docs / "sub"], root, exclude=["deep/"])
    assert sorted(d.document_id for d in found.documents) == ["docs/a.md", "docs/sub/b.txt"]
    assert found.reasons == {"excluded": 1}
    assert found.folders == ["docs", "docs/sub"]


def test_a_folder_that_cannot_be_read_is_bad_unless_it_is_excluded(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests run as root, whom no mode keeps out."""
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if os.fspath(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    docs = root.folder / "docs"
    found = find_documents([docs], root)
    assert [Path(bad.path).name for bad in found.bad] == ["deep"]
    with pytest.raises(UnreadableFile, match=r"deep cannot be read: Permission denied\."):
        found.refuse_bad()
    assert find_documents([docs], root, exclude=["deep/"]).bad == []


def test_a_file_that_cannot_be_read_is_bad(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        if self.name == "a.md":
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    found = find_documents([root.folder / "docs"], root)
    assert [bad.reason for bad in found.bad] == [
        f"{root.folder}/docs/a.md cannot be read: Permission denied."
    ]
    assert len(found.documents) == 2


@pytest.mark.parametrize("name", ["nowhere", "docs/a.md/x", "pipe", "n" * 300])
def test_what_is_no_file_is_named(root: Root, name: str) -> None:
    os.mkfifo(root.folder / "pipe")
    with pytest.raises(UnreadableFile, match=name):
        find_documents([root.folder / name], root)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.txt"], ["a.md", "sub/deep/c.TXT"]),
        (["sub"], ["a.md"]),
        (["sub/*"], ["a.md"]),
        (["docs/sub/"], ["a.md"]),
        (["/a.md", "b.t?t", "[a-z].TXT", "!b.txt"], ["sub/b.txt"]),
        (["sub/**/c.TXT"], ["a.md", "sub/b.txt"]),
        (["A.md", "ub/", "#a.md"], ["a.md", "sub/b.txt", "sub/deep/c.TXT"]),
    ],
    ids=" ".join,
)
def test_patterns_are_those_of_a_gitignore_file(
    root: Root, patterns: list[str], left: list[str]
) -> None:
    found = find_documents([root.folder / "docs"], root, exclude=patterns)
    assert [d.document_id for d in found.documents] == [f"docs/{name}" for name in left]


def test_a_pattern_that_cannot_be_read_is_refused(root: Root) -> None:
    with pytest.raises(InvalidArgument, match="--exclude"):
        find_documents([root.folder / "docs"], root, exclude=["!"])


# --- What left the folder ---


def stored(*names: str, from_file: bool = True) -> Iterator[StoredDocument]:
    return (StoredDocument(name, 1, from_file) for name in names)


def test_gone_is_what_no_longer_exists_and_nothing_else(root: Root) -> None:
    (root.folder / "docs/link.md").symlink_to("nowhere")
    (root.folder / "docs/now-a-folder.md").mkdir()
    kept = ["docs/a.md", "docs/link.md", "/docs/abs.md", "../x.md", "docs/../y.md", "docs//z.md"]
    left = ["docs/gone.md", "docs/a.md/inner.md", "docs/now-a-folder.md"]
    by_hand = stored("docs/by hand", from_file=False)
    gone = gone_documents([*stored(*kept, *left), *by_hand], {"docs/a.md"}, root)
    assert [document.document_id for document in gone] == left


def test_a_folder_where_nothing_is_left_is_a_wrong_one(root: Root) -> None:
    with pytest.raises(WrongState, match="right folder"):
        gone_documents(list(stored("docs/x", "docs/y")), {"docs/a.md"}, root)
    assert len(gone_documents(list(stored("docs/x")), {"docs/a.md"}, root)) == 1
    assert gone_documents([], set(), root) == []


def test_what_cannot_be_looked_at_is_not_gone(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def lstat(path: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", lstat)
    assert gone_documents(list(stored("docs/x")), set(), root) == []
