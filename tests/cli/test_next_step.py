"""What a verb prints as the next command works when you copy it, and what it found is said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgvec_versions.cli import printing, status
from pgvec_versions.cli.next_step import next_step
from pgvec_versions.cli.workplace import Workplace
from pgvec_versions.safe_text import line
from tests.cli.conftest import Ended, Run, static

LONG = "text-embedding-3-large-of-november-2026"


def copied(ended: Ended, verb: str) -> list[str]:
    """The arguments of the printed command with that verb, as a shell would read them."""
    found = re.findall(rf"pgvec ({verb}\b.*)$", ended.out + ended.err, flags=re.MULTILINE)
    assert found, ended.out + ended.err
    return shlex.split(found[-1])


@pytest.fixture
def two(run: Run, configure: Callable[..., Path], db: psycopg.Connection) -> Run:
    """Collections docs (static-1 active, static-2 to be built) and more: a command needs -c."""
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over", "-c", "docs")
    configure("static-2", static(truncate_dim=64), static_1=static())
    run("init", "more")
    return run


def active(db: psycopg.Connection) -> str:
    row = db.execute("SELECT pgvec.active_version('docs')").fetchone()
    assert row is not None
    return str(row[0])


def test_every_printed_command_of_an_upgrade_works_when_it_is_copied(
    two: Run, db: psycopg.Connection
) -> None:
    assert two(*copied(two("upgrade"), "cut-over"), "--dry-run").code == 0
    assert two(*copied(two("status"), "cut-over")).code == 0
    assert active(db) == "static-2"
    assert two(*copied(two("status"), "roll-back")).code == 0
    assert active(db) == "static-1"
    assert two(*copied(two("upgrade"), "roll-back")).code == 0
    assert active(db) == "static-2"
    two("roll-back", "static-1")
    refused = two("roll-back", "-c", "docs")
    assert refused.code == 3
    assert two(*copied(refused, "roll-back")).code == 0
    assert active(db) == "static-2"
    two("roll-back", "static-1", "-c", "docs")
    over = two("roll-back", "static-2", "-c", "docs")
    assert over.code == 0


def test_a_cut_over_says_how_to_go_back(two: Run, db: psycopg.Connection) -> None:
    ended = two("upgrade", "--cut-over")
    assert copied(ended, "roll-back") == ["roll-back", "static-1", "-c", "docs"]
    assert two(*copied(ended, "roll-back")).code == 0
    assert active(db) == "static-1"


def test_what_is_paused_is_resumed_by_the_printed_command(two: Run, db: psycopg.Connection) -> None:
    two("upgrade")
    # An active version can be paused too: then no version is under way to guess from.
    for label in ("static-1", "static-2"):
        assert two(*copied(two("pause", label, "-c", "docs"), "resume")).code == 0
        two("pause", label, "-c", "docs")
        assert two(*copied(two("status"), "resume")).code == 0
        assert two("status", "--json").data[0]["paused_at"] is None
    two("pause", "static-1", "-c", "docs")
    assert two("resume", "-c", "docs", "--json").data["resumed"] == "static-1"
    two("pause", "static-2", "-c", "docs")
    refused = two("cut-over", "static-2", "-c", "docs")
    assert two(*copied(refused, "resume")).code == 0
    assert two("cut-over", "static-2", "-c", "docs").code == 0


def test_pause_and_resume_say_what_they_found(two: Run) -> None:
    two("upgrade")
    first = two("pause", "-c", "docs", "--reason", "rush hour")
    assert "is paused; what is claimed" in first.out
    again = two("pause", "static-2", "-c", "docs", "--reason", "another")
    assert again.code == 0
    assert "Nothing was changed: static-2 of docs is paused already, since 20" in again.out
    assert ": rush hour." in again.out
    assert "The new reason was not recorded." in again.out
    data = two("pause", "static-2", "-c", "docs", "--json").data
    assert (data["changed"], data["reason"]) == (False, "rush hour")
    goes_on = two("resume", "-c", "docs")
    assert "static-2 of docs goes on; it was paused, since 20" in goes_on.out
    assert "rush hour" in goes_on.out
    not_paused = two("resume", "static-1", "-c", "docs")
    assert "Nothing was changed: static-1 of docs was not paused; it is active." in not_paused.out
    two("pause", "static-1", "-c", "docs")
    two("pause", "static-2", "-c", "docs")
    which = two("resume", "-c", "docs")
    assert which.code == 3
    assert "paused: static-1, static-2" in which.complaint


def test_a_command_repeats_the_options_that_lead_here_and_no_password(
    two: Run, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pgvec.toml").rename(tmp_path / "my conf.toml")
    monkeypatch.delenv("PGVEC_DATABASE_URL")
    options = ("--config", "my conf.toml", "--database-url", database)
    ready = two("upgrade", "-c", "docs", *options)
    assert copied(ready, "cut-over") == ["cut-over", "static-2", "-c", "docs", *options]
    assert two(*copied(ready, "cut-over")).code == 0
    secret = database.replace("://", "://somebody:s3cret@", 1) if "@" not in database else database
    monkeypatch.setenv("PGVEC_DATABASE_URL", database)
    shown = two("status", "--config", "my conf.toml", "--database-url", secret)
    assert "s3cret" not in shown.out + shown.err


def row(**given: Any) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("paused_at", "retire_at", "retired_at", "last_error", "index_bytes", "table_bytes")
    )
    return {
        **empty,
        "collection": "docs",
        "model_version": LONG,
        "state": "active",
        "fingerprint": "agrees",
        "chunks": 75_000,
        "missing": 0,
        "share_complete": 1,
        "index_valid": True,
        "items_open": 0,
        "items_set_aside": 0,
        "follows": True,
        **given,
    }


@pytest.mark.parametrize("columns", [40, 80, 150, 200])
def test_labels_are_whole_and_the_last_column_is_readable_at_any_width(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    console = printing._PlainConsole(width=columns)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(printing, "console", console)
    monkeypatch.setattr(status, "console", console)
    failed = row(state="building", items_set_aside=3, last_error="EmbedderFailed: " + "x " * 100)
    rows = [row(), row(state="ready"), failed]
    status.print_status(rows)
    said = capsys.readouterr().out
    assert said.count(LONG) == 4, said
    assert "…" not in said
    # A command is on one line of ours: where the terminal wraps it, copying joins it again.
    assert f"complete; next: pgvec cut-over {LONG}" in " ".join(said.split(" "))
    assert any(text.rstrip().endswith("--drain --retry-failed") for text in said.splitlines())
    assert line(said.replace("\n", "")) == said.replace("\n", "")


def test_the_database_is_named_before_the_table(two: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(status, "print_status", lambda *_: order.append("table"))
    say = Workplace.say_where

    def said(here: Workplace, *what: str) -> None:
        order.append("where")
        say(here, *what)

    monkeypatch.setattr(Workplace, "say_where", said)
    two("status")
    assert order[:2] == ["where", "table"]


def test_short_labels_stand_in_a_table_where_it_fits(capsys: pytest.CaptureFixture[str]) -> None:
    status.print_status([row(model_version="v1"), row(model_version="v2", state="ready")])
    said = capsys.readouterr().out
    assert "what it means" in said
    assert re.search(r"docs +v2 +ready +75,000 +100\.0% +valid .* pgvec cut-over v2", said)


@pytest.mark.parametrize(
    ("given", "command", "says"),
    [
        ({"state": "building", "missing": 5, "index_valid": False}, ("upgrade",), "5 chunks"),
        ({"state": "building", "index_valid": False}, ("upgrade",), "without an index"),
        ({"state": "building"}, ("upgrade",), "not checked"),
        ({"state": "building", "items_open": 2}, ("upgrade",), "2 work items open"),
        ({"state": "ready"}, ("cut-over", LONG), "complete"),
        ({"state": "draining"}, ("roll-back", LONG), "retires"),
        ({"state": "active", "items_open": 7}, (), "7 chunks to follow"),
        ({"state": "abandoned"}, (), "retirement job"),
        ({"state": "abandoned", "chunks": None}, (), "given up"),
        ({"state": "retired", "chunks": None}, (), "gone since"),
        ({"fingerprint": "differs"}, (), "other vectors"),
    ],
)
def test_every_state_says_what_it_means_and_which_command_is_next(
    given: dict[str, Any], command: tuple[str, ...], says: str
) -> None:
    step = next_step(row(**given), configured=LONG)
    assert step.command == command
    assert says in step.meaning


def test_a_version_that_the_file_does_not_name_goes_on_by_sql() -> None:
    assert "SELECT pgvec.make_ready('docs'" in next_step(row(state="building"), "other").meaning
    step = next_step(row(state="building", index_valid=False), "other")
    assert step.command == ()
    assert f"SELECT pgvec.build_index('docs', '{LONG}');" in step.meaning
