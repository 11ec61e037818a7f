"""Files on the command line: stable ids, what is left out, what goes, and what Ctrl-C leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.cells import cell_len

from pgvec_versions.chunks.documents import Document
from pgvec_versions.cli import search as search_verb
from pgvec_versions.cli.printing import console
from tests.cli.conftest import Run, static


@pytest.fixture
def docs(run: Run, configure: Callable[..., Path], tmp_path: Path) -> Run:
    """A collection docs on static-1, and a folder docs with two files."""
    configure("static-1", static(truncate_dim=32))
    run("init", "docs")
    run("upgrade", "--cut-over")
    write(tmp_path / "docs", {"a.md": "# A\n\nfirst", "sub/b.txt": "second"})
    return run


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def stored(db: psycopg.Connection) -> dict[str, int]:
    rows = db.execute("SELECT document_id, count(*) FROM docs GROUP BY 1 ORDER BY 1").fetchall()
    return dict(rows)


def root_of(db: psycopg.Connection) -> str | None:
    found = db.execute("SELECT document_root FROM pgvec.collection").fetchone()
    assert found is not None
    return found[0]


# --- Ids ---


def test_a_file_has_the_same_id_from_every_folder(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection
) -> None:
    assert docs("add", "docs", "--json").data["added"] == 2
    assert stored(db) == {"docs/a.md": 1, "docs/sub/b.txt": 1}
    assert root_of(db) == "."
    config = str(tmp_path / "pgvec.toml")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "docs")
    for folder, path in [
        ("docs", "."),
        ("docs/sub", ".."),
        ("docs", "a.md"),
        ("docs/sub", "../a.md"),
        ("elsewhere", "."),
        (".", str(tmp_path / "docs")),
        ("/", str(tmp_path / "docs" / "sub")),
    ]:
        monkeypatch.chdir(tmp_path / folder)
        again = docs("add", path, "--config", config, "--json").data
        assert (again["embedded"], again["added"], again["deleted"]) == (0, 0, 0), (folder, path)
    assert stored(db) == {"docs/a.md": 1, "docs/sub/b.txt": 1}


def test_the_root_is_recorded_and_another_one_is_refused(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection
) -> None:
    assert docs("add", "docs", "--root", "docs", "--json").data["added"] == 2
    assert (root_of(db), list(stored(db))) == ("docs", ["a.md", "sub/b.txt"])
    monkeypatch.chdir(tmp_path / "docs" / "sub")
    here = ("--config", str(tmp_path / "pgvec.toml"))
    assert docs("add", "b.txt", *here, "--json").data["unchanged"] == 1
    assert docs("add", "b.txt", "--root", "..", *here, "--json").data["unchanged"] == 1
    for other in (".", str(tmp_path)):
        refused = docs("add", "b.txt", "--root", other, *here)
        assert refused.code == 2
        assert "would give the same files other ids" in refused.complaint
        assert "--move-root" in refused.complaint
    outside = docs("add", str(tmp_path / "pgvec.toml"), *here)
    assert outside.code == 2
    assert "is outside" in outside.complaint
    assert list(stored(db)) == ["a.md", "sub/b.txt"]


def test_a_moved_folder_keeps_its_ids(docs: Run, tmp_path: Path, db: psycopg.Connection) -> None:
    docs("add", "docs", "--root", "docs")
    (tmp_path / "docs").rename(tmp_path / "handbook")
    lost = docs("add", "handbook")
    assert lost.code == 2
    assert "--move-root" in lost.complaint
    moved = docs("add", "handbook", "--root", "handbook", "--move-root", "--json").data
    assert (moved["unchanged"], moved["added"]) == (2, 0)
    assert root_of(db) == "handbook"
    events = db.execute(
        "SELECT detail FROM pgvec.version_event WHERE verb = 'set_document_root' ORDER BY event_id"
    ).fetchall()
    assert [detail["before"] for (detail,) in events] == [None, "docs"]


def test_a_root_elsewhere_is_recorded_as_a_path(
    docs: Run, tmp_path_factory: pytest.TempPathFactory, db: psycopg.Connection
) -> None:
    far = tmp_path_factory.mktemp("far")
    write(far, {"x.txt": "far away"})
    nowhere = docs("add", str(far / "x.txt"))
    assert nowhere.code == 2
    assert "--root" in nowhere.complaint
    assert docs("add", str(far), "--root", str(far), "--json").data["added"] == 1
    assert (root_of(db), list(stored(db))) == (str(far.resolve()), ["x.txt"])


def test_files_of_one_name_in_two_folders_are_two_documents(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    write(tmp_path, {"one/x/n.txt": "of one", "two/x/n.txt": "of two"})
    docs("add", "one/x", "two/x", "two/x/n.txt")
    assert stored(db) == {"one/x/n.txt": 1, "two/x/n.txt": 1}


WRONG_OPTIONS = {
    "there is no folder nowhere": ["--root", "nowhere"],
    "--move-root needs --root": ["--move-root"],
    "do not go together": ["--root", "docs", "--move-root", "--prune"],
    "no text encoding 'klingon'": ["--encoding", "klingon"],
    "empty pattern": ["--exclude", " "],
    "--exclude cannot be read": ["--exclude", "!"],
    "cannot be read: File name too long": ["x" * 5000],
}


def test_a_wrong_option_is_one_line(docs: Run, db: psycopg.Connection) -> None:
    for says, arguments in WRONG_OPTIONS.items():
        ended = docs("add", "docs", *arguments)
        assert ended.code == 2
        assert says in ended.complaint
    assert (stored(db), root_of(db)) == ({}, None)


# --- What is left out ---


def test_what_is_left_out_is_counted_by_reason(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    folder = tmp_path / "docs"
    write(folder, {"p.png": b"\x89PNG", "drafts/x/d.md": "draft", "drafts/e.txt": "draft"})
    (tmp_path / "linked").mkdir()
    (folder / "linked").symlink_to(tmp_path / "linked")
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere")
    (folder / "round.txt").symlink_to(folder / "round.txt")
    (folder / "out.txt").symlink_to("/etc/hostname")
    (folder / "in.TXT").symlink_to(folder / "a.md")
    os.mkfifo(folder / "pipe.txt")
    ended = docs("add", "docs", "--exclude", "drafts/", "--json").data
    assert ended["left_out"] == {
        "broken link": 2,
        "excluded": 2,
        "link out of the root": 1,
        "linked folder": 1,
        "not a file": 1,
        "other kind": 1,
    }
    assert list(stored(db)) == ["docs/a.md", "docs/in.TXT", "docs/sub/b.txt"]
    text = docs("add", "docs", "--exclude", "drafts/").out
    assert "Left out: broken link (2), excluded (2), link out of the root (1)" in text
    assert "excluded (2)" in docs("add", "docs", "--exclude", "drafts/", "--dry-run").out


def test_a_folder_inside_an_excluded_one_is_excluded(docs: Run, tmp_path: Path) -> None:
    write(tmp_path / "docs", {"drafts/deep/d.md": "draft"})
    ended = docs("add", "docs/drafts/deep", "--exclude", "docs/drafts")
    assert ended.code == 2
    assert "has no files to add" in ended.complaint
    assert "excluded (1)" in ended.complaint


def test_all_bad_files_are_named_and_skipped_on_demand(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    write(
        tmp_path / "docs",
        {
            "bin.txt": b"\xff\xfe\x00\x01",
            "nul.MD": b"a\0b",
            "bad.csv": b'a\n"x',
            "cp.txt": b"\xfcx",
        },
    )
    os.close(os.open(os.fsencode(tmp_path) + b"/docs/\xff.txt", os.O_CREAT))
    refused = docs("add", "docs")
    assert (refused.code, stored(db)) == (2, {})
    assert "5 files cannot be read" in refused.complaint
    for name in ("bin.txt", "nul.MD", "bad.csv", "cp.txt", r"\udcff.txt"):
        assert name in refused.complaint
    assert len(docs("add", "docs", "--json").data["detail"]["bad"]) == 5
    skipped = docs("add", "docs", "--skip-bad")
    assert (skipped.code, list(stored(db))) == (0, ["docs/a.md", "docs/sub/b.txt"])
    assert "Not added, 5 bad:" in skipped.out
    assert len(skipped.out.split("Not added")[1].splitlines()) == 6
    (tmp_path / "docs" / "nul.MD").rename(tmp_path / "nul.MD")
    alone = docs("add", "nul.MD", "--skip-bad")
    assert alone.code == 2
    assert "it contains NUL" in alone.complaint


def test_an_encoding_is_used_for_every_text_file(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    write(tmp_path, {"cp.txt": "Zürich".encode("cp1252"), "wide.txt": "Zürich".encode("utf-16")})
    assert "--encoding" in docs("add", "cp.txt").complaint
    assert "--encoding utf-16" in docs("add", "wide.txt").complaint
    docs("add", "cp.txt", "--encoding", "cp1252")
    docs("add", "wide.txt", "--encoding", "utf-16")
    assert db.execute("SELECT DISTINCT content FROM docs").fetchall() == [("Zürich",)]


def test_names_may_hold_anything_that_utf8_can(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    write(tmp_path / "odd", {"new\nline.txt": "one", "%s {x}.TXT": "two", " ": "no ending"})
    assert docs("add", "odd", "--json").data["added"] == 2
    assert list(stored(db)) == ["odd/%s {x}.TXT", "odd/new\nline.txt"]
    assert docs("delete", "odd/new\nline.txt", "--json").data["deleted"] == 1


# --- What goes ---


def test_prune_deletes_what_left_the_folder_and_asks_first(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    write(tmp_path / "docs", {"c.md": "third", "bad.txt": "was good"})
    write(tmp_path / "docs-old", {"o.md": "old"})
    docs("add", "docs", "docs-old")
    (tmp_path / "docs/c.md").unlink()
    (tmp_path / "docs-old/o.md").unlink()
    write(tmp_path / "docs", {"bad.txt": b"\0", "new.md": "new"})
    before = stored(db)
    asked = docs("add", "docs", "--prune", "--skip-bad")
    assert (asked.code, stored(db)) == (3, before)
    assert "gone: docs/c.md (1 chunks)" in asked.err
    assert "--yes" in asked.complaint
    assert docs("add", "docs", "--prune", "--skip-bad", "--json").data["detail"] == {
        "gone": ["docs/c.md"]
    }
    plan = docs("add", "docs", "--prune", "--skip-bad", "--dry-run")
    assert "would: deletes docs/c.md" in plan.out
    assert stored(db) == before
    done = docs("add", "docs", "--prune", "--skip-bad", "--yes", "--exclude", "a.md", "--json").data
    assert done["pruned"] == ["docs/c.md"]
    assert done["deleted"] == 1
    # Excluded and bad files have not left the folder; other folders were not named.
    assert list(stored(db)) == [
        "docs-old/o.md",
        "docs/a.md",
        "docs/bad.txt",
        "docs/new.md",
        "docs/sub/b.txt",
    ]
    assert docs("add", "docs", "--prune", "--skip-bad", "--json").data["pruned"] == []


def test_prune_keeps_what_was_not_added_from_a_file(
    docs: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    docs("add", "docs")
    db.execute(
        "INSERT INTO docs (model_version, document_id, content, embedding)"
        " SELECT model_version, 'docs/by hand', 'by hand', embedding FROM docs LIMIT 1"
    )
    docs("add", "docs", "--prune", "--yes")
    assert "docs/by hand" in stored(db)


@pytest.mark.parametrize("left", [{}, {"x.png": b"\x89PNG"}, {"other.txt": "another folder"}])
def test_an_empty_or_wrong_folder_deletes_nothing(
    docs: Run, tmp_path: Path, db: psycopg.Connection, left: dict[str, str | bytes]
) -> None:
    docs("add", "docs")
    before = stored(db)
    (tmp_path / "docs").rename(tmp_path / "unmounted")
    (tmp_path / "docs").mkdir()
    write(tmp_path / "docs", left)
    ended = docs("add", "docs", "--prune", "--yes")
    assert ended.code in (2, 3)
    assert stored(db) == before
    assert docs("add", "unmounted", "--root", "unmounted", "--prune", "--yes").code == 2
    assert docs("add", "unmounted", "--prune", "--yes", "--json").data["pruned"] == []


def test_prune_without_a_folder_is_refused(docs: Run) -> None:
    ended = docs("add", "docs/a.md", "--prune", "--yes")
    assert ended.code == 2
    assert "--prune needs a folder" in ended.complaint


# --- pgvec delete ---


def test_delete_takes_ids_and_paths(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection
) -> None:
    docs("add", "docs")
    plan = docs("delete", "docs/a.md", "--dry-run")
    assert "would: deletes docs/a.md (1 chunks)" in plan.out
    assert len(stored(db)) == 2
    assert docs("delete", "docs/a.md", "--json").data == {"documents": ["docs/a.md"], "deleted": 1}
    monkeypatch.chdir(tmp_path / "docs/sub")
    (tmp_path / "docs/sub/b.txt").unlink()
    config = ("--config", str(tmp_path / "pgvec.toml"))
    assert "1 documents, 1 chunks deleted" in docs("delete", "./b.txt", *config).out
    assert stored(db) == {}


def test_delete_names_every_wrong_id_and_deletes_nothing(docs: Run, db: psycopg.Connection) -> None:
    docs("add", "docs")
    ended = docs("delete", "docs/a.md", "nothing", "b.txt", "docs/a.md/")
    assert (ended.code, len(stored(db))) == (4, 2)
    for name in ("'nothing'", "'b.txt'", "'docs/a.md/'"):
        assert name in ended.complaint
    for wrong in ("", " ", "\udcff"):
        assert docs("delete", wrong).code == 2
    assert docs("delete", "/").code == 4
    assert docs("delete").code == 2


def test_delete_of_a_folder_needs_a_yes(docs: Run, db: psycopg.Connection) -> None:
    docs("add", "docs")
    for folder in ("docs/sub", "docs/", "."):
        asked = docs("delete", folder)
        assert (asked.code, len(stored(db))) == (3, 2)
        assert "delete: docs/sub/b.txt" in asked.err
    assert docs("delete", "docs/sub/", "--yes", "--json").data["documents"] == ["docs/sub/b.txt"]
    assert docs("delete", ".", "--yes", "--json").data["documents"] == ["docs/a.md"]


def test_a_name_that_means_two_documents_is_refused(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection
) -> None:
    write(tmp_path, {"a.md": "at the top"})
    docs("add", "docs", "a.md")
    monkeypatch.chdir(tmp_path / "docs")
    config = ("--config", str(tmp_path / "pgvec.toml"))
    ended = docs("delete", "a.md", *config)
    assert (ended.code, len(stored(db))) == (2, 3)
    assert "is both" in ended.complaint
    assert docs("delete", "./a.md", *config, "--json").data["documents"] == ["docs/a.md"]


# --- What you see ---


def test_ctrl_c_says_what_is_stored(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection
) -> None:
    folder = tmp_path / "many"
    write(
        folder, {f"{n:02}.txt": "\n\n".join(f"text {n} {i}" for i in range(600)) for n in range(4)}
    )
    real = Document.chunks

    def chunks(self: Document, chunk_chars: int) -> Any:
        if self.path.name == "03.txt":
            raise KeyboardInterrupt
        return real(self, chunk_chars)

    with monkeypatch.context() as patched:
        patched.setattr(Document, "chunks", chunks)
        ended = docs("add", "many", "--chunk-chars", "12")
    assert ended.code == 130
    # The first batch is committed: two documents; the third one was on its way.
    assert stored(db) == {"many/00.txt": 600, "many/01.txt": 600}
    assert "Stored: 1200 chunks of 2 documents" in ended.complaint
    assert "2 documents are as they were" in ended.complaint
    again = docs("add", "many", "--chunk-chars", "12", "--json").data
    assert (again["unchanged"], again["added"]) == (1200, 1200)


def test_a_file_that_turns_bad_on_the_way_is_left_as_it_was(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection
) -> None:
    docs("add", "docs")
    real = Document.chunks

    def chunks(self: Document, chunk_chars: int) -> Any:
        if self.path.name == "a.md":
            self.path.write_bytes(b"\0")
        return real(self, chunk_chars)

    monkeypatch.setattr(Document, "chunks", chunks)
    ended = docs("add", "docs", "--skip-bad", "--json").data
    assert [bad["path"] for bad in ended["bad"]] == ["docs/a.md"]
    assert (ended["documents"], len(stored(db))) == (1, 2)
    write(tmp_path / "docs", {"a.md": "good again"})
    assert "has just changed" in docs("add", "docs").complaint


NAMES = [
    "short.md",
    "a folder/with/a rather long path/to the file/holidays.md",
    "handbook/" + "deep/" * 40 + "canteen.md",
    "東京/" * 12 + "休暇.md",
]


def test_search_shows_the_file_name_at_80_columns(
    docs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, dict.fromkeys(NAMES, "Lunch is served from noon to two in the hall. " * 6))
    docs("add", *NAMES)
    monkeypatch.setattr(console, "_width", 80)
    out = docs("search", "lunch").out
    for name in NAMES:
        assert name.rsplit("/", 1)[-1] in out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert out.count("Lunch is served from") >= len(NAMES)


def test_a_file_name_that_is_too_long_for_the_table_is_folded() -> None:
    name = "n" * 60 + ".md"
    assert search_verb._file_name_kept(f"folder/{name}") == name
