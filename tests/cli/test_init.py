"""``pgvec init``: the starter file that it writes, and what a second run says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pgvec_versions.config import CollectionConfig, load_config
from tests.cli.conftest import Run, static
from tests.tools import MINILM, MINILM_REVISION

STARTER = CollectionConfig(
    "docs",
    "static-1",
    {"provider": "static-tokens", "model": MINILM, "revision": MINILM_REVISION},
)


# The starter file


def test_the_first_run_writes_a_file_that_the_next_verbs_need_no_change_of(
    run: Run, tmp_path: Path
) -> None:
    ended = run("init", "docs")
    assert ended.code == 0, ended.err
    assert f"pgvec.toml: written to {tmp_path}/pgvec.toml" in ended.out
    read = load_config(tmp_path / "pgvec.toml")
    assert read.collections == {"docs": STARTER}
    assert (read.database_url, read.embedded) == (None, False)
    assert (tmp_path / "pgvec.toml").read_text().count("\n#") > 5
    (tmp_path / "a.txt").write_text("Lunch is served at noon.")
    assert run("upgrade", "--cut-over").code == 0
    assert run("add", "a.txt").code == 0
    assert "Lunch" in run("search", "food").out


@pytest.mark.parametrize(
    ("options", "reads"),
    [
        (["--retire-after", "3 weeks"], ("3 weeks", None)),
        (["--retire-after", "1 day 12:00"], ("129600 seconds", None)),
        (["--retire-after", "0.5 seconds"], ("1 seconds", None)),
        (["--database-url", "URL"], ("7 days", "URL")),
    ],
)
def test_what_you_type_stands_in_the_file(
    run: Run, tmp_path: Path, database: str, options: list[str], reads: tuple[str, str | None]
) -> None:
    ended = run("init", "notes", *(database if word == "URL" else word for word in options))
    assert ended.code == 0, ended.err
    read = load_config(tmp_path / "pgvec.toml")
    assert read.collections["notes"].retire_after == reads[0]
    assert read.database_url == (database if reads[1] else None)


def test_a_password_or_a_url_that_a_file_may_not_have_stays_out(
    run: Run, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = database.replace("postgres@", "postgres:S3cr3t@", 1)
    for url in (secret, f"{database}&password=S3cr3t"):
        assert run("init", "--database-url", url).code == 0
        assert "S3cr3t" not in (tmp_path / "pgvec.toml").read_text()
        assert load_config().database_url is None
        (tmp_path / "pgvec.toml").unlink()
    # The next verb would refuse this file: libpq would send its host a password.
    monkeypatch.setenv("PGPASSWORD", "S3cr3t")
    assert run("init", "--database-url", database).code == 0
    assert load_config().database_url is None


def test_without_a_collection_its_table_is_a_comment(run: Run, tmp_path: Path) -> None:
    ended = run("init", "--json")
    assert ended.data["config"] == str(tmp_path / "pgvec.toml")
    assert ended.data["config_written"] is True
    text = (tmp_path / "pgvec.toml").read_text()
    assert load_config().collections == {}
    assert "# [collections.docs]" in text
    (tmp_path / "pgvec.toml").write_text(
        text.replace("# [coll", "[coll", 1)
        .replace("# model_version", "model_version")
        .replace('# embedder = { provider = "static', 'embedder = { provider = "static')
        .replace("# retire_after", "retire_after")
    )
    assert load_config().collections == {"docs": STARTER}


def test_no_file_is_written_if_you_say_so(run: Run, tmp_path: Path) -> None:
    ended = run("init", "docs", "--no-config", "--json")
    assert ended.data["config"] is None
    assert list(tmp_path.iterdir()) == []
    assert "writes a starter" not in run("init", "notes", "--no-config", "--dry-run").out


def test_a_dry_run_says_that_it_would_write_one(run: Run, tmp_path: Path) -> None:
    assert f"writes a starter pgvec.toml to {tmp_path}" in run("init", "docs", "--dry-run").out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["a file", "a link", "a folder"])
def test_nothing_that_is_there_is_overwritten(run: Run, tmp_path: Path, there: str) -> None:
    file, elsewhere = tmp_path / "pgvec.toml", tmp_path / "elsewhere.toml"
    if there == "a file":
        file.write_text("# mine\n")
    elif there == "a link":
        file.symlink_to(elsewhere)
    else:
        file.mkdir()
    ended = run("init", "docs")
    assert ended.code == 0, ended.err
    assert not elsewhere.exists()
    if there == "a file":
        assert file.read_text() == "# mine\n"
        assert f"{file} is there; unchanged. It has no [collections.docs] yet" in ended.out


def test_a_file_that_you_name_is_the_one_that_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("init", "docs", "--config", "other.toml").code == 0
    assert load_config(tmp_path / "other.toml").collections == {"docs": STARTER}
    monkeypatch.setenv("PGVEC_CONFIG", str(tmp_path / "third.toml"))
    assert run("init", "notes").code == 0
    assert list(load_config().collections) == ["notes"]
    assert not (tmp_path / "pgvec.toml").exists()


def test_a_folder_that_takes_no_file_is_said_and_no_failure(run: Run, tmp_path: Path) -> None:
    ended = run("init", "docs", "--config", "nowhere/pgvec.toml")
    assert ended.code == 0
    assert f"not written to {tmp_path}/nowhere: No such file or directory." in ended.out


def test_a_run_that_is_refused_writes_no_file(run: Run, tmp_path: Path) -> None:
    assert run("init", "docs", "--distance", "hamming").code == 2
    assert run("init", "No Name").code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_collection_with_versions_gets_no_file_of_another_model(
    run: Run, tmp_path: Path, configure: Callable[..., Path]
) -> None:
    configure("mine-7", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    (tmp_path / "pgvec.toml").unlink()
    ended = run("init", "docs")
    assert "docs has versions already: take the file that they were made with" in ended.out
    assert not (tmp_path / "pgvec.toml").exists()


# A second run


def test_a_second_run_says_what_is_there(run: Run) -> None:
    run("init", "docs", "--distance", "l2", "--retire-after", "1 day")
    ended = run("init", "docs")
    assert ended.code == 0
    said = "collection docs: already there, with distance l2, storage vector, id_type uuid,"
    assert said in ended.out
    assert "retire_after 1 day, require" in ended.out
    assert "versions: none; unchanged." in ended.out
    # The same values again are no difference, however they are written.
    again = run("init", "docs", "--distance", "l2", "--retire-after", "24 hours")
    assert again.code == 0
    assert run("init", "docs", "--json").data["created"] is False


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--distance", "l2"], "distance cosine, and you asked for distance l2."),
        (["--storage", "halfvec"], "storage vector, and you asked for storage halfvec."),
        (["--id-type", "text"], "id_type uuid, and you asked for id_type text."),
        (
            ["--retire-after", "1 hour"],
            "retire_after 7 days, and you asked for retire_after 1 hour.",
        ),
        (["--no-require-query-version"], "asked for require_query_version off."),
        (["--no-follow-while-draining"], "asked for follow_while_draining off."),
        (["--distance", "hamming"], "distance cosine, and you asked for distance hamming."),
    ],
)
def test_other_values_than_those_that_stand_are_refused(
    run: Run, db: psycopg.Connection, option: list[str], says: str
) -> None:
    run("init", "docs")
    before = db.execute("SELECT to_jsonb(c) FROM pgvec.collection c").fetchall()
    ended = run("init", "docs", *option)
    assert ended.code == 3
    assert "collection docs is already there with" in ended.complaint
    assert says in ended.complaint
    assert "It was not changed." in ended.complaint
    assert db.execute("SELECT to_jsonb(c) FROM pgvec.collection c").fetchall() == before
    dry = run("init", "docs", *option, "--dry-run", "--json")
    assert dry.code == 3
    assert json.loads(dry.out)["in_the_way"][0].startswith("docs has ")
