"""``pgvec check``: a line about all that a verb needs, whatever is missing; ``pgvec psql``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.doctor import quick
from pgvec_versions.postgres import embedded
from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.cli.conftest import Ended, Run, static
from tests.clusters import binaries

WHAT = ["configuration", "database", "versions", "rights", "embedder", "clock"]
NOWHERE = "postgresql://someone@127.0.0.1:1/nowhere"


def levels(ended: Ended) -> dict[str, str]:
    """The level of each line, by what it is about: its first word."""
    return {line["what"].split()[0]: line["level"] for line in ended.data}


def line(ended: Ended, what: str) -> str:
    """Evidence and advice of the first line about something."""
    found = next(each for each in ended.data if each["what"].split()[0] == what)
    return f"{found['evidence']} {found['to_do']}"


def test_where_all_is_well_there_is_a_line_each_and_nothing_changes(
    run: Run, configure: Callable[..., Path], db: psycopg.Connection
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    events = "SELECT count(*), max(event_id) FROM pgvec.version_event"
    before = db.execute(events).fetchone()
    name = db.info.dbname
    db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    ended = run("check")
    assert ended.code == 0, ended.out
    lines = ended.out.splitlines()
    assert [each.split()[0] for each in lines] == WHAT
    assert all(" ok " in each for each in lines), ended.out
    assert "PostgreSQL 18" in ended.out
    assert "catalog 1" in ended.out
    assert "named by PGVEC_DATABASE_URL" in ended.out
    assert "answers with 384 dimensions; least cosine to the fingerprint 1.0000" in ended.out
    assert db.execute(events).fetchone() == before


def test_where_nothing_is_there_it_says_what_is_missing(run: Run, empty_database: str) -> None:
    ended = run("check", "--database-url", empty_database, "--json")
    assert ended.code == 3
    assert levels(ended) == {
        "configuration": "unknown",
        "database": "ok",
        "versions": "problem",
        "rights": "ok",
        "embedder": "unknown",
        "clock": "ok",
    }
    assert "catalog none" in line(ended, "versions")
    assert line(ended, "versions").endswith("Run: pgvec init")
    assert "may install the catalog" in line(ended, "rights")
    with psycopg.connect(empty_database) as bare:
        assert bare.execute("SELECT to_regnamespace('pgvec')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (NOWHERE, "Connection refused"),
        ("mysql://h/x", "is for mysql"),
        ("", "--database-url is empty"),
    ],
)
def test_without_a_database_it_goes_on(
    run: Run, configure: Callable[..., Path], url: str, says: str
) -> None:
    configure("static-1", static())
    ended = run("check", "--database-url", url, "--json")
    assert ended.code == 3
    assert says in line(ended, "database")
    assert levels(ended) == {
        "configuration": "ok",
        "database": "problem",
        "versions": "unknown",
        "rights": "unknown",
        "embedder": "ok",
        "clock": "unknown",
    }
    assert "not compared" in line(ended, "embedder")


def test_without_any_name_of_a_database_it_offers_the_ways(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGVEC_DATABASE_URL")
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    ended = run("check", "--json")
    assert ended.code == 3
    assert "--embedded" in line(ended, "database")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[collections", "is not TOML"),
        ("colections = 1", "unknown field 'colections'"),
        ("[collections.docs]\n", "needs model_version"),
        ("embedded = true\ndatabase_url = 'postgresql://h/x'", "do not go together"),
    ],
)
def test_with_a_bad_file_it_goes_on(run: Run, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "pgvec.toml").write_text(text)
    ended = run("check", "--json")
    assert ended.code == 3
    assert says in line(ended, "configuration")
    assert levels(ended)["database"] == levels(ended)["versions"] == levels(ended)["clock"] == "ok"


def test_a_file_that_you_name_must_be_there(run: Run) -> None:
    assert "there is no file none.toml" in line(run("check", "--config", "none.toml", "--json"),
                                                "configuration")  # fmt: skip


# Rights


@pytest.fixture
def role(empty_database: str) -> Iterator[tuple[str, str, psycopg.Connection[Any]]]:
    """A role with capitals and no right, its URL, and a superuser's session in that database."""
    with psycopg.connect(empty_database, autocommit=True) as admin:
        name = f"Plain_{admin.info.dbname}"
        quoted = sql.Identifier(name)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(quoted))
        yield name, empty_database.replace("postgres@", f"{name}@", 1), admin
        admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(quoted))
        admin.execute(sql.SQL("DROP ROLE {}").format(quoted))


def test_each_missing_right_comes_with_who_gives_it_and_how(
    run: Run, role: tuple[str, str, psycopg.Connection[Any]]
) -> None:
    name, url, admin = role
    admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    ended = run("check", "--database-url", url, "--json")
    told = line(ended, "rights")
    assert levels(ended)["rights"] == "problem"
    assert f'"{name}" may not create extension vector, and may not create schemas' in told
    assert "names no schema it may use" in told
    for asks in (3, 1):  # extension vector came into a schema that is closed to this role
        asked = line(run("check", "--database-url", url, "--json"), "rights").split("Ask ")[1:]
        assert len(asked) == asks
        for request in asked:
            who, statements = re.split(r" to run[^:]*: ", request)
            assert "superuser" in who
            admin.execute(statements.encode())
    assert run("init", "docs", "--database-url", url).code == 0
    ended = run("check", "--database-url", url, "--json")
    assert line(ended, "rights").startswith(f'"{name}" owns the catalog in database')
    assert "and may create collections in schema app." in line(ended, "rights")


def test_a_role_without_a_grant_is_told_whom_to_ask(
    run: Run, database: str, db: psycopg.Connection
) -> None:
    run("init", "docs")
    guest = f"guest_{db.info.dbname}"
    db.execute(f"CREATE ROLE {guest} LOGIN".encode())
    url = database.replace("postgres@", f"{guest}@", 1)
    try:
        ended = run("check", "--database-url", url, "--json")
        assert ended.code == 3
        assert f"{guest} has no grant; postgres owns the catalog." in line(ended, "rights")
        assert "catalog not readable" in line(ended, "versions")
        assert "Ask postgres to run: SELECT pgvec.grant_read(" in line(ended, "rights")
        db.execute(f"SELECT pgvec.grant_read('docs', '{guest}')".encode())
        ended = run("check", "--database-url", url, "--json")
        assert f"{guest} has grants on docs" in line(ended, "rights")
        assert levels(ended)["rights"] == "ok"
    finally:
        db.execute(f"DROP OWNED BY {guest}; DROP ROLE {guest}".encode())


def test_a_catalog_of_another_version_is_a_problem(run: Run, db: psycopg.Connection) -> None:
    db.execute("INSERT INTO pgvec.catalog_version (version) VALUES (99)")
    ended = run("check", "--json")
    assert ended.code == 3
    assert "catalog 99" in line(ended, "versions")
    assert "pip install -U pgvec-versions" in line(ended, "versions")


# Embedders


@pytest.mark.parametrize(
    ("label", "embedder", "previous", "says"),
    [
        ("static-1", static(normalize=False), {}, "was made by another embedder"),
        ("static-2", static(truncate_dim=64), {}, "has none for the active version. Add it under"),
        ("static-1", {**static(), "revision": "sha256:" + "0" * 64}, {}, "another embedder"),
        ("static-2", {**static(), "revision": "sha256:" + "0" * 64}, {}, "sha256"),
        ("static-2", {**static(), "model": "package:no_such/model"}, {}, "no_such"),
        ("static-2", static(truncate_dim=999), {}, "truncate_dim = 999 is more than"),
        ("static-1", {"provider": "magic", "model": "m"}, {}, "unknown provider 'magic'"),
    ],
)
def test_an_embedder_that_does_not_fit_is_a_problem(
    run: Run,
    configure: Callable[..., Path],
    label: str,
    embedder: dict[str, Any],
    previous: dict[str, Any],
    says: str,
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    configure(label, embedder, **previous)
    ended = run("check", "--json")
    assert ended.code == 3
    told = [each for each in ended.data if each["what"].startswith("embedder")]
    assert any(
        says in f"{each['evidence']} {each['to_do']}" and each["level"] == "problem"
        for each in told
    ), told


def test_the_active_and_the_configured_version_are_both_tried(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    configure("static-2", static(truncate_dim=64), static_1=static())
    ended = run("check", "--json")
    assert ended.code == 0
    told = {each["what"]: each["evidence"] for each in ended.data}
    assert "64 dimensions; static-2 is not registered yet." in told["embedder static-2 of docs"]
    assert "least cosine" in told["embedder static-1 of docs"]
    # A machine that only retires needs no embedder.
    (tmp_path / "pgvec.toml").unlink()
    ended = run("check", "--json")
    assert ended.code == 0
    assert levels(ended)["embedder"] == "unknown"
    other = run("check", "-c", "other", "--json")
    assert other.code == 3
    assert "there is no collection 'other'" in line(other, "embedder")


# The clock


@pytest.mark.parametrize(("seconds", "says"), [(3600, "behind"), (-3600, "ahead of"), (5, "")])
def test_clocks_that_differ_are_a_problem(
    run: Run, monkeypatch: pytest.MonkeyPatch, seconds: int, says: str
) -> None:
    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

    monkeypatch.setattr(quick, "datetime", Shifted)
    ended = run("check", "--json")
    assert levels(ended)["clock"] == ("problem" if says else "ok")
    assert says in line(ended, "clock")


# The embedded server


def test_the_embedded_server_is_not_made_by_a_look(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGVEC_DATABASE_URL")
    monkeypatch.setenv("PGVEC_EMBEDDED_DIR", str(tmp_path / "data"))
    ended = run("check", "--embedded", "--json")
    assert ended.code == 0
    assert f"the embedded server in {tmp_path}/data was never started" in line(ended, "database")
    assert not (tmp_path / "data").exists()


def test_psql_opens_on_the_database_without_showing_its_password(
    server: EmbeddedServer, database: str, tmp_path: Path
) -> None:
    (tmp_path / "psql").write_text(f'#!/bin/sh\necho "$@"\nexec {binaries(server) / "psql"} "$@"\n')
    (tmp_path / "psql").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pgvec_versions", "psql"],
        input="SELECT 'here: ' || current_database(); SELECT no_such;",
        env={
            **os.environ,
            "PGVEC_DATABASE_URL": database.replace("postgres@", "postgres:S3cr3t@", 1),
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "here: t_" in done.stdout
    assert "S3cr3t" not in done.stdout + done.stderr
    assert "database: t_" in done.stderr
    assert done.returncode == 0


def test_psql_opens_on_the_embedded_server(
    run: Run, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def running() -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            url=lambda: server.url("postgres"),
            pgdata=server.pgdata,
            psql_command=lambda: server.psql_command("postgres"),
        )

    monkeypatch.setattr(embedded, "embedded_server", running)
    monkeypatch.setenv("PATH", "/nowhere")
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert run("psql", "--embedded").code == 0
    refused = run("psql")
    assert refused.code == 2
    assert "psql is not installed" in refused.complaint
