"""pause, resume, --dry-run and cut-over --when-ready, as an operator types them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pgvec_versions import Transition
from pgvec_versions.embedders import build_embedder
from tests.cli.conftest import Run, static


def test_an_operator_looks_ahead_holds_and_lets_go(
    run: Run,
    configure: Callable[..., Path],
    tmp_path: Path,
    database: str,
    db: psycopg.Connection,
) -> None:
    configure("static-1", static())
    assert run("init", "docs", "--dry-run", "--json").data["dry_run"] is True
    assert db.execute("SELECT count(*) FROM pgvec.collection").fetchone() == (0,)
    run("init", "docs")
    assert "creates an empty leaf" in run("upgrade", "--dry-run").out
    assert db.execute("SELECT count(*) FROM pgvec.model_version").fetchone() == (0,)
    run("upgrade", "--cut-over")
    (tmp_path / "note.md").write_text("# A note\n\nof two words")
    assert "of 1 documents" in run("add", "note.md", "--dry-run").out
    assert db.execute("SELECT count(*) FROM docs").fetchone() == (0,)
    run("add", "note.md")

    configure("static-2", static(truncate_dim=192), static_1=static())
    looked = run("upgrade", "--dry-run", "--cut-over", "--json")
    assert looked.code == 0
    assert looked.data["does"][-1] == "cuts docs over to static-2"
    Transition(database, "docs", "static-2", build_embedder(static(truncate_dim=192))).begin()
    looked = run("cut-over", "--dry-run", "--json")
    assert looked.code == 3
    assert any("building" in line for line in looked.data["in_the_way"])
    assert run("abandon", "static-2", "--dry-run").code == 0
    assert run("pause", "--dry-run").code == 0
    assert run("pause", "--reason", "rush hour", "--json").data["changed"] is True
    assert "paused since" in run("status").out
    assert run("worker", "--dry-run").code == 3
    assert run("cut-over", "static-2", "--when-ready", "--timeout-s", "0").code == 3
    assert run("resume", "--json").data["resumed"] == "static-2"
    assert "static-2 of docs was not paused; it is building" in run("resume").out
    assert run("pause", "nobody").code == 4
    states = db.execute("SELECT model_version, state FROM pgvec.model_version ORDER BY 1")
    assert states.fetchall() == [("static-1", "active"), ("static-2", "building")]
    given_up = run("abandon", "static-2", "--json").data
    assert given_up == {"collection": "docs", "abandoned": "static-2", "leaf_dropped": True}


def test_a_cut_over_that_waits_goes_through_at_once_when_nothing_is_in_the_way(
    run: Run, configure: Callable[..., Path], db: psycopg.Connection
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    configure("static-2", static(truncate_dim=192), static_1=static())
    assert run("upgrade", "--rows-per-second", "1000").code == 0
    done = run("cut-over", "--when-ready", "--longest-pause-ms", "1000", "--json").data
    assert (done["active"], done["previous"]) == ("static-2", "static-1")
    looked = run("roll-back", "--dry-run", "--json")
    assert looked.code == 0
    assert any("active_docs shows static-1" in line for line in looked.data["does"])
    assert run("retire", "--dry-run").out.strip() == "nothing is due."
    assert "puts CALL pgvec.retire_due()" in run("schedule", "--dry-run").out
    assert run("worker", "--rows-per-second", "0").code == 2
    assert db.execute("SELECT pgvec.active_version('docs')").fetchone() == ("static-2",)


def test_a_repeated_roll_back_does_not_make_the_bad_version_active_again(
    run: Run, configure: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    configure("static-2", static(truncate_dim=192), static_1=static())
    run("upgrade", "--cut-over")
    assert run("roll-back", "--json").data == {
        "collection": "docs",
        "active": "static-1",
        "changed": True,
    }
    refused = run("roll-back")
    assert refused.code == 3
    assert "rolled back from static-2" in refused.complaint
    assert "pgvec roll-back static-2" in refused.complaint
    assert "--toggle" in refused.complaint
    assert run("roll-back", "static-1", "--json").data["changed"] is False
    assert "Nothing to do: static-1 is the active version" in run("roll-back", "static-1").out
    assert run("roll-back", "static-1", "--dry-run").code == 0
    assert run("roll-back", "nobody").code == 4
    asked = io.StringIO("n\ny\n")
    monkeypatch.setattr(asked, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", asked)
    assert run("roll-back").code == 3
    assert "back on static-2" in run("roll-back").out
    run("roll-back", "static-1")
    assert "back on static-2" in run("roll-back", "--toggle").out
    assert "back on static-1" in run("roll-back", "static-1").out


def test_a_roll_back_says_whose_work_it_waits_for_and_the_ways_out(
    run: Run, configure: Callable[..., Path], tmp_path: Path, db: psycopg.Connection
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    configure("static-2", static(truncate_dim=192), static_1=static())
    run("upgrade", "--cut-over")
    (tmp_path / "text.txt").write_text("Written since.")
    run("add", "text.txt")
    claimed = db.execute(
        "SELECT count(*) FROM pgvec.claim_work('docs', '{static-1}', 5, '3 seconds')"
    ).fetchone()
    assert claimed == (1,)
    ended = run("roll-back", "static-1")
    assert ended.code == 0
    (waiting,) = [line for line in ended.err.splitlines() if line.startswith("waiting:")]
    assert f"claimed by process {db.info.backend_pid} (" in waiting
    assert "To take them over now: pgvec roll-back static-1 --take-over." in waiting
    assert "pgvec roll-back static-1 --allow-missing." in waiting
    run("add", "text.txt")
    (tmp_path / "text.txt").write_text("Written later.")
    run("add", "text.txt")
    db.execute("SELECT count(*) FROM pgvec.claim_work('docs', '{static-2}', 5, '1 hour')")
    assert "back on static-2" in run("roll-back", "static-2", "--take-over").out
