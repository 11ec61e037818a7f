"""Bad input: one line, a documented exit code, no stack trace, nothing half-done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgvec_versions import errors
from tests.cli.conftest import Run, static
from tests.faults.looks import wait_until
from tests.tools import MINILM, MINILM_REVISION


@pytest.fixture
def ready(run: Run, configure: Callable[..., Path], tmp_path: Path) -> Run:
    """A collection docs on static-1 with a few chunks."""
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    (tmp_path / "with.txt").write_text(topics["with"])
    run("add", "with.txt")
    return run


def everything(db: psycopg.Connection) -> list[Any]:
    return [
        db.execute("SELECT * FROM pgvec.collection ORDER BY 1").fetchall(),
        db.execute("SELECT * FROM pgvec.model_version ORDER BY 1, 2").fetchall(),
        db.execute(
            "SELECT chunk_id, model_version, md5(content), written_at FROM docs ORDER BY 1, 2"
        ).fetchall(),
        db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text "
            "IN ('public', 'pgvec_leaves') ORDER BY 1"
        ).fetchall(),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["search", "x", "-c", "nodocs"], 4, "no collection 'nodocs'"),
        (["cut-over", "static-9"], 4, "no version 'static-9'"),
        (["abandon", "static-9"], 4, "no version 'static-9'"),
        (["cut-over", "static-1"], 3, "is active"),
        (["cut-over"], 3, "no version that is ready"),
        (["roll-back"], 3, "no draining version"),
        (["abandon", "static-1"], 3, "Cut over to another version first"),
        (["init", "Bad Name"], 2, "cannot be the name of a collection"),
        (["init", 'x"; DROP TABLE docs; --'], 2, "cannot be the name"),
        (["init", ""], 2, "cannot be the name"),
        (["init", "ü"], 2, "cannot be the name"),
        (["init", "c" * 70], 2, "cannot be the name"),
        (["init", "other", "--distance", "manhattan"], 2, "unknown distance"),
        (["init", "other", "--storage", "bit"], 2, "unknown storage"),
        (["init", "other", "--id-type", "int"], 2, "unknown id_type"),
        (["search", "   "], 2, "empty"),
        (["search", "x", "-k", "0"], 2, "k must be 1 or more"),
        (["search", "x", "--ef-search", "5000"], 2, "ef_search must be 1 to 1000"),
        (["search", "x", "--where", "{"], 2, "not JSON"),
        (["search", "x", "--where", "[1]"], 2, "must be a JSON object"),
        (["search", "x", "--version", "static-9"], 4, "static-9"),
        (["add", "nowhere.txt"], 2, "no file or folder"),
        (["add", "with.txt", "--chunk-chars", "0"], 2, "must be 1 or more"),
        (["status", "-c", "nodocs"], 4, "no collection 'nodocs'"),
        (["status", "--database-url", "mysql://localhost/x"], 2, "not for PostgreSQL"),
        (["status", "--database-url", "nonsense"], 2, "cannot be read"),
        (["status", "--database-url", "postgresql://127.0.0.1:1/x"], 5, "cannot use the database"),
        (["status", "--config", "missing.toml"], 2, "there is no file"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_a_wrong_command_is_one_line_and_changes_nothing(
    ready: Run, db: psycopg.Connection, arguments: list[str], code: int, says: str
) -> None:
    before = everything(db)
    ended = ready(*arguments)
    assert says in ended.complaint
    assert ended.code == code
    assert everything(db) == before


def test_json_mode_gives_the_error_as_data(ready: Run) -> None:
    ended = ready("cut-over", "static-9", "--json")
    assert ended.code == 4
    assert ended.data["sqlstate"] == "PV002"
    assert ended.data["detail"]["model_version"] == "static-9"


@pytest.mark.parametrize("label", ["", "x" * 70, 'a"b', "ümlaut", "with space", "-dash"])
def test_a_label_that_does_not_fit_is_refused_whole(
    ready: Run, configure: Callable[..., Path], db: psycopg.Connection, label: str
) -> None:
    before = everything(db)
    path = configure("PLACE", static(truncate_dim=64), static_1=static())
    path.write_text(path.read_text().replace('"PLACE"', "'" + label + "'"))
    ended = ready("upgrade")
    assert ended.code == 2
    assert "label" in ended.complaint or "model_version" in ended.complaint
    assert everything(db) == before


def test_a_label_that_was_used_before_is_refused(
    ready: Run, configure: Callable[..., Path], db: psycopg.Connection
) -> None:
    configure("static-2", static(truncate_dim=64), static_1=static())
    ready("upgrade")
    ready("abandon", "static-2")
    ready("retire")
    before = everything(db)
    ended = ready("upgrade")
    assert ended.code == 3
    assert "abandoned" in ended.complaint
    assert everything(db) == before


def test_another_embedder_under_the_same_label_is_refused_field_by_field(
    ready: Run, configure: Callable[..., Path], db: psycopg.Connection
) -> None:
    before = everything(db)
    configure("static-1", static(normalize=False, query_prefix="query: "))
    for verb in (["search", "x"], ["add", "with.txt"], ["upgrade"], ["worker", "--drain"]):
        ended = ready(*verb)
        assert ended.code == 6
        assert "options.normalize" in ended.complaint
        assert "options.query_prefix" in ended.complaint
    assert everything(db) == before


def test_a_file_that_is_not_text_stops_the_whole_call_before_anything_is_added(
    ready: Run, tmp_path: Path, db: psycopg.Connection
) -> None:
    (tmp_path / "good.txt").write_text("a good text")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00binary")
    before = everything(db)
    ended = ready("add", "good.txt", "bad.txt")
    assert ended.code == 2
    assert "bad.txt is not a text file" in ended.complaint
    assert everything(db) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[collections.docs\n", "not TOML"),
        ("[collections.docs]\nmodel_version = 'a'\n", "needs embedder"),
        ("[collections.docs]\nmodle_version = 'a'\n", "unknown field 'modle_version'"),
        (
            "[collections.docs]\nmodel_version = 'static-1'\n"
            "retire_after = 'soon'\nembedder = {}\n",
            "is not an interval",
        ),
        (
            "[collections.docs]\nmodel_version = 'static-1'\nembedder = { provider = 'magic' }\n",
            "magic",
        ),
        (
            "[collections.other]\nmodel_version = 'a'\nembedder = { provider = 'static-tokens' }\n",
            "no collection 'docs'",
        ),
    ],
)
def test_a_wrong_configuration_says_which_field(
    ready: Run, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "pgvec.toml").write_text(text)
    ended = ready("search", "x")
    assert ended.code == 2
    assert says in ended.complaint


def test_without_a_catalog_the_command_to_run_is_named(run: Run, empty_database: str) -> None:
    for verb in (["status"], ["search", "x"], ["retire"], ["schedule"], ["cut-over"]):
        ended = run(*verb, "--database-url", empty_database)
        assert ended.code == 5
        assert "pgvec init" in ended.complaint


def test_without_a_privilege_nothing_is_installed(run: Run, empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as admin:
        role = f"weak_{os.getpid()}_{time.monotonic_ns()}"
        admin.execute("CREATE EXTENSION vector")
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        try:
            ended = run(
                "init", "docs", "--database-url", empty_database.replace("postgres@", f"{role}@", 1)
            )
            assert ended.code == 5
            assert "may not create schemas in database" in ended.complaint
            assert "Ask the owner of the database (postgres) or a superuser" in ended.complaint
            assert admin.execute("SELECT to_regnamespace('pgvec')").fetchone() == (None,)
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_usage_errors_end_with_two(run: Run) -> None:
    assert run("nonsense").code == 2
    assert run("search").code == 2
    assert run("init", "--no-such-option").code == 2


def test_a_defect_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgvec_versions.cli.retire.retire_due", lambda engine, **options: 1 / 0)
    ended = run("retire")
    assert ended.code == 1
    assert "unexpected ZeroDivisionError" in ended.complaint


def test_every_exit_code_is_documented(run: Run) -> None:
    codes = {
        cls.exit_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.PgvecError)
    }
    text = " ".join(run("--help").out.split())
    for code in codes | {0, 130}:
        assert f"{code} " in text.split("Exit codes:")[1]


@pytest.mark.slow
def test_ctrl_c_in_a_backfill_loses_nothing_and_the_same_command_goes_on(
    ready: Run,
    configure: Callable[..., Path],
    tmp_path: Path,
    db: psycopg.Connection,
    database: str,
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in list(topics)[:10]:
        (folder / f"{name}.txt").write_text(topics[name][:4000])
    ready("add", "texts")
    minilm = {"provider": "sentence-transformers", "model": MINILM, "revision": MINILM_REVISION}
    configure("minilm-1", minilm, static_1=static())
    environment = {
        **os.environ,
        "PGVEC_DATABASE_URL": database,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "pgvec_versions", "upgrade"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    claimed = "SELECT EXISTS (SELECT FROM pgvec.work_item WHERE lease IS NOT NULL)"
    wait_until(lambda: db.execute(claimed).fetchone() == (True,) or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=60)
    assert running.returncode == 130, complaint
    assert "Go on with: pgvec upgrade" in complaint
    assert db.execute(claimed).fetchone() == (False,)
    assert db.execute(
        "SELECT state FROM pgvec.model_version WHERE model_version = 'minilm-1'"
    ).fetchone() == ("building",)
    ended = ready("upgrade", "--json")
    assert ended.data["state"] == "ready"
    assert db.execute(
        "SELECT count(*) FROM pgvec.missing_chunks('docs', 'minilm-1')"
    ).fetchone() == (0,)
