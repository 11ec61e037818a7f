"""Which database a verb works on: the one that you name, or none, and it says which."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.engine import URL, make_url

from pgvec_versions.cli import app
from pgvec_versions.errors import ConfigError
from pgvec_versions.postgres import embedded
from pgvec_versions.postgres.database import engine_for
from pgvec_versions.retirement.timetable import scheduler_lines
from tests.cli.conftest import Run, static

LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGPASSWORD")
SERVER_ONLY = ("retire", "schedule")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of libpq, and an embedded server that fails the test if a verb starts it."""
    for name in (*LIBPQ, "PGSERVICEFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(embedded, "embedded_server", lambda: pytest.fail("it was started"))


@pytest.fixture
def nowhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line where nothing names a database."""
    monkeypatch.delenv("PGVEC_DATABASE_URL")
    return run


@pytest.fixture
def private(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded server that is there already."""

    @contextmanager
    def server() -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(url=lambda: database, pgdata=Path("/private/data"))

    monkeypatch.setattr(embedded, "embedded_server", server)


def parts(database: str) -> dict[str, str]:
    """Host, port, database and user as the variables of libpq."""
    url = make_url(database)
    host, port = url.query["host"], url.query["port"]
    assert isinstance(host, str)
    assert isinstance(port, str)
    return {
        "PGHOST": host,
        "PGPORT": port,
        "PGDATABASE": str(url.database),
        "PGUSER": str(url.username),
    }


def where(database: str) -> str:
    """The database as a verb names it."""
    known = parts(database)
    return (
        f"database: {known['PGDATABASE']} on {known['PGHOST']}:{known['PGPORT']}"
        f" as {known['PGUSER']};"
    )


# An empty URL


@pytest.mark.parametrize("verb", ["init", "status", *SERVER_ONLY])
@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize("source", ["--database-url", "PGVEC_DATABASE_URL", "pgvec.toml"])
def test_an_empty_url_is_an_error_wherever_it_stands(
    nowhere: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    empty: str,
    verb: str,
) -> None:
    arguments = [verb]
    if source == "--database-url":
        arguments += [source, empty]
    elif source == "pgvec.toml":
        (tmp_path / source).write_text(f'database_url = "{empty}"')
    else:
        monkeypatch.setenv(source, empty)
    ended = nowhere(*arguments)
    assert ended.code == 2
    assert source in ended.complaint
    assert "is empty" in ended.complaint


def test_an_empty_url_is_an_error_though_another_source_names_a_database(
    nowhere: Run, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in parts(database).items():
        monkeypatch.setenv(name, value)
    assert nowhere("status", "--database-url", "").code == 2
    monkeypatch.setenv("PGVEC_DATABASE_URL", "")
    (tmp_path / "pgvec.toml").write_text("embedded = true")
    assert "PGVEC_DATABASE_URL is empty" in nowhere("status").complaint
    assert nowhere("status", "--database-url", database).code == 0


def test_an_empty_url_is_an_error_in_python_too() -> None:
    for empty in ("", " "):
        with pytest.raises(ConfigError, match="the database URL is empty"):
            engine_for(empty)


# No URL


@pytest.mark.parametrize("verb", ["init", "status", "doctor", *SERVER_ONLY])
def test_without_a_database_a_verb_stops_and_offers_the_embedded_server(
    nowhere: Run, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    # These say how to connect, not where.
    monkeypatch.setenv("PGPASSWORD", "x")
    monkeypatch.setenv("PGHOST", "")
    ended = nowhere(verb)
    assert ended.code == 2
    assert "no database is named" in ended.complaint
    assert "PGVEC_DATABASE_URL" in ended.complaint
    assert ("--embedded" in ended.complaint) == (verb not in SERVER_ONLY)


def test_the_variables_of_libpq_name_a_database(
    nowhere: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in parts(database).items():
        monkeypatch.setenv(name, value)
    for verb in (["init", "docs"], ["status"], ["retire"]):
        ended = nowhere(*verb)
        assert ended.code == 0, ended.err
        assert where(database) in ended.err


def test_a_service_names_a_database(
    nowhere: Run, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = parts(database)
    (tmp_path / "services").write_text(
        f"[mine]\nhost={known['PGHOST']}\nport={known['PGPORT']}\n"
        f"dbname={known['PGDATABASE']}\nuser={known['PGUSER']}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert nowhere("status").code == 2
    monkeypatch.setenv("PGSERVICE", "mine")
    ended = nowhere("status")
    assert ended.code == 0, ended.err
    assert where(database) in ended.err
    monkeypatch.setenv("PGSERVICE", "other")
    assert nowhere("status").code == 5


# The embedded server


def test_the_embedded_server_is_used_when_you_ask_for_it(
    nowhere: Run, private: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "database: the embedded server in /private/data; "
    assert said + "collection: docs" in nowhere("init", "docs", "--embedded").err
    monkeypatch.setenv("PGVEC_DATABASE_URL", "postgresql://127.0.0.1:1/x")
    assert said in nowhere("status", "--embedded").err
    monkeypatch.delenv("PGVEC_DATABASE_URL")
    (tmp_path / "pgvec.toml").write_text("embedded = true")
    assert said in nowhere("status").err
    (tmp_path / "pgvec.toml").write_text("embedded = false")
    assert nowhere("status").code == 2


@pytest.mark.parametrize("verb", SERVER_ONLY)
def test_retirement_never_uses_the_embedded_server(
    nowhere: Run, tmp_path: Path, database: str, verb: str
) -> None:
    refused = nowhere(verb, "--embedded")
    (tmp_path / "pgvec.toml").write_text("embedded = true")
    for ended in (refused, nowhere(verb), nowhere(verb, "--dry-run")):
        assert ended.code == 2
        assert f"{verb} does not use the embedded server: a job that lost" in ended.complaint
    assert nowhere(verb, "--database-url", database).code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('embedded = true\ndatabase_url = "postgresql://h/x"', "do not go together"),
        ('embedded = "yes"', "must be true or false"),
        ("database_url = 5", "must be a text"),
    ],
)
def test_a_file_names_one_database(nowhere: Run, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "pgvec.toml").write_text(text)
    ended = nowhere("status")
    assert ended.code == 2
    assert says in ended.complaint


def test_a_url_and_the_embedded_server_do_not_go_together(run: Run, database: str) -> None:
    for url in (database, ""):
        ended = run("status", "--embedded", "--database-url", url)
        assert ended.code == 2
        assert "do not go together" in ended.complaint


def test_every_verb_on_a_database_can_use_the_embedded_server() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        takes = inspect.signature(command.callback).parameters
        assert ("database_url" in takes) == ("embedded" in takes), command.name
        if "embedded" in takes:
            assert "embedded=embedded" in inspect.getsource(command.callback), command.name


# What the output says


def test_every_verb_says_where_it_works_and_shows_no_password(
    run: Run,
    database: str,
    configure: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url: URL = make_url(database).set(password="S3cr3t")
    monkeypatch.setenv("PGVEC_DATABASE_URL", url.render_as_string(hide_password=False))
    configure("static-1", static())
    (tmp_path / "a.txt").write_text("Lunch is served at noon.")
    for arguments, what in (
        (["init"], "the catalog"),
        (["init", "docs", "--dry-run"], "collection: docs"),
        (["init", "docs"], "collection: docs"),
        (["upgrade", "--cut-over"], "collection: docs"),
        (["add", "a.txt"], "collection: docs"),
        (["search", "food"], "collection: docs"),
        (["worker", "--drain"], "collection: docs"),
        (["gate"], "collection: docs"),
        (["status"], "all collections"),
        (["status", "-c", "docs"], "collection: docs"),
        (["hold", "static-1", "--reason", "x"], "collection: docs"),
        (["retire"], "all collections"),
        (["retire", "--dry-run"], "all collections"),
        (["schedule"], "all collections"),
        (["doctor", "--sample", "0"], "all collections"),
    ):
        ended = run(*arguments)
        assert ended.code in (0, 3), ended.err
        assert ended.err.count("database: ") == 1, ended.err
        assert f"{where(database)} {what}\n" in ended.err, arguments
        assert "S3cr3t" not in ended.out + ended.err


def test_json_stays_json(run: Run, database: str) -> None:
    ended = run("init", "docs", "--json")
    assert ended.data["collection"] == "docs"
    assert where(database) in ended.err


def test_printed_lines_of_schedulers_name_what_they_cannot_do_without() -> None:
    lines = scheduler_lines("17 * * * *")
    assert "the job fails with exit code 2" in lines
    assert "EnvironmentFile=/etc/pgvec.env" in lines
    assert "secretKeyRef" in lines
    assert "envFrom" not in lines
