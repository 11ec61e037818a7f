"""Retirement on the command line: dry runs, holds, files, and a version that comes back."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pgvec_versions.retirement import parquet
from pgvec_versions.retirement.job import retiring_every
from tests.cli.conftest import Run
from tests.sql.helpers import one, rows, state
from tests.sql.test_retirement import due
from tests.tools import abandon_keeping_leaf, live_collection

CONTENTS = (
    "SELECT chunk_id, document_id, position, content, metadata, embedding::text, written_at, lang"
    "  FROM docs WHERE model_version = 'v1' ORDER BY chunk_id"
)


@pytest.fixture
def two(db: psycopg.Connection) -> psycopg.Connection:
    """v2 active, v1 draining and due."""
    due(db)
    return db


def test_a_dry_run_says_what_would_go(run: Run, two: psycopg.Connection) -> None:
    assert "v1 of docs: would retire" in run("retire", "--dry-run").out
    (planned,) = run("retire", "--dry-run", "--json").data
    assert planned["bytes"] > 0
    assert state(two, "v1") == "draining"
    (gone,) = run("retire", "--json").data
    assert (gone["outcome"], gone["bytes"]) == ("retired", planned["bytes"])


def test_a_hold_is_said_and_ended(run: Run, two: psycopg.Connection) -> None:
    assert run("hold", "v1").code == 2
    assert run("hold", "v1", "--reason", " ").code == 2
    assert run("hold", "v1", "--reason", "audit").out.strip() == "v1 of docs is held: audit"
    out = run("retire").out
    assert "stays, it is held" in out
    assert "audit" in out
    assert out.rstrip().endswith("What helps: pgvec release v1")
    again = run("hold", "v1", "--reason", "another audit").out
    assert re.search(r"it replaces a hold by \S+ since 20.*: audit$", again.rstrip())
    assert "held" in run("doctor", "--json").out
    assert run("release", "v1").out.strip() == "v1 of docs is released."
    assert run("release", "v1").out.strip() == "v1 of docs was not held."
    assert "retired" in run("retire").out


def test_what_becomes_of_versions_is_said_and_shown(run: Run, two: psycopg.Connection) -> None:
    assert run("on-retire", "--json").data == {
        "collection": "docs",
        "on_retire": "drop",
        "read_window": 3600.0,
    }
    assert run("on-retire", "burn").code == 2
    run("on-retire", "archive", "--read-window", "2 hours")
    assert run("on-retire", "--json").data["read_window"] == 7200.0
    assert "kept in schema pgvec_archive" in run("retire").out
    assert "draining again" in run("restore", "v1").out
    assert run("restore", "v1").code == 3
    assert state(two, "v1") == "draining"


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@pytest.mark.parametrize("name", ["v1.parquet", "v1.copy"])
def test_an_exported_version_comes_back_bit_for_bit(
    run: Run, db: psycopg.Connection, tmp_path: Path, name: str, storage: str
) -> None:
    db.execute("SET TimeZone = 'Asia/Kathmandu'")
    due(db, storage=storage)
    db.execute("ALTER TABLE docs ADD COLUMN lang text")
    db.execute("SELECT pgvec.refresh_collection('docs')")
    db.execute(
        "UPDATE docs SET lang = %s, document_id = NULL, metadata = %s"
        " WHERE model_version = 'v1' AND position < 5",
        ("a\tb\\ü\n", Jsonb({"q": 'x"\\N'})),
    )
    before = rows(db, CONTENTS)
    run("on-retire", "export")
    said = run("retire").out
    assert "the collection wants a file first" in said
    assert said.rstrip().endswith("What helps: pgvec export v1 v1.copy")
    made = run("export", "v1", name, "--json").data
    assert made["chunks"] == 20
    assert made["bytes"] == (tmp_path / name).stat().st_size
    assert run("export", "v1", name).code == 2, "a file is not written over"
    assert "exported before" in run("retire").out
    assert run("restore", "v1").code == 3
    assert run("restore", "v1", "--from", name).code == 0
    assert state(db, "v1") == "draining"
    assert rows(db, CONTENTS) == before
    assert one(db, "SELECT index_valid FROM pgvec.version_status WHERE model_version = 'v1'")
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("name", ["v1.parquet", "v1.copy"])
def test_a_file_that_was_changed_is_not_restored(
    run: Run, two: psycopg.Connection, tmp_path: Path, name: str
) -> None:
    run("export", "v1", name)
    run("retire")
    path = tmp_path / name
    path.write_bytes(path.read_bytes().replace(b"text 7", b"text 8"))
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    ended = run("restore", "v1", "--from", name)
    assert ended.code == 3
    assert "SHA-256" in ended.complaint
    assert run("restore", "v1", "--from", "nowhere").code == 2
    assert state(two, "v1") == "retired"
    assert rows(two, "SELECT kind FROM pgvec.archive") == [("file",)]


def test_a_file_that_cannot_be_written_leaves_no_record(
    run: Run, two: psycopg.Connection, tmp_path: Path
) -> None:
    assert run("export", "v1", "no/such/folder/v1.copy").code == 2
    assert run("export", "v9", "v9.copy").code == 4
    assert run("export", "v1", "v1.x", "--format", "zip").code == 2
    assert rows(two, "SELECT 1 FROM pgvec.archive") == []
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_parquet_says_what_to_install(
    run: Run, two: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(parquet, "import_module", missing)
    ended = run("export", "v1", "v1.parquet")
    assert ended.code == 2
    assert "pgvec-versions[archive]" in ended.complaint
    assert run("export", "v1", "v1.copy").code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["v1.copy"]


def test_without_pg_cron_the_lines_are_ready_to_paste(run: Run, two: psycopg.Connection) -> None:
    out = run("schedule", "5 3 * * *").out
    assert "\n5 3 * * * pgvec retire\n" in out
    assert "OnCalendar=*-*-* 03:05:00" in out
    assert "kind: CronJob" in out
    assert run("schedule", "--off").out.strip() == "there was no job."


def test_status_says_when_retirement_last_succeeded(run: Run, two: psycopg.Connection) -> None:
    assert "retirement has never run; no pg_cron job in this database" in run("status").out
    run("retire")
    assert "retirement last succeeded" in run("status").out
    checks = run("doctor", "--json").data
    assert "last succeeded" in " ".join(
        c["evidence"] for c in checks if c["what"] == "retirement run"
    )


def test_a_worker_can_run_the_job_itself(run: Run, two: psycopg.Connection, database: str) -> None:
    live_collection(two, "notes", count=1)
    two.execute("SELECT pgvec.register_version('notes', 'v2', 8)")
    abandon_keeping_leaf(two, "notes", "v2")
    never = threading.Event()
    with retiring_every(database, 0.01):
        while one(two, "SELECT count(*) FROM pgvec.retirement_run WHERE ended_at IS NOT NULL") < 3:
            never.wait(0.01)
    assert state(two, "v1") == "retired"
    assert one(two, "SELECT count(*) FROM pgvec.retirement_run WHERE ended_at IS NULL") == 0
    with retiring_every(database, None):
        pass
    assert "--retire-every" in run("worker", "--help").out
