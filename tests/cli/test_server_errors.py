"""What PostgreSQL refuses: one line that says what to do, and a documented exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from pgvec_versions import errors
from pgvec_versions.errors import PgvecError, error_for
from pgvec_versions.upgrade.patience import when_possible
from tests.cli.conftest import Ended, Run, static
from tests.db.helpers import raising

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def docs(run: Run, configure: Callable[..., Path]) -> Run:
    """A collection docs with static-1 active."""
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    return run


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """A role that may log in, and does not stay."""
    name = f"e_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        yield name
        db.execute(sql.SQL("DROP OWNED BY {0}").format(sql.Identifier(name)))
        db.execute(sql.SQL("DROP ROLE {0}").format(sql.Identifier(name)))


def with_setting(database: str, setting: str) -> str:
    """The URL of the database with a setting for each session."""
    return (
        make_url(database)
        .update_query_dict({"options": f"-c {setting}"})
        .render_as_string(hide_password=False)
    )


def assert_says(ended: Ended, code: int, what: str, advice: str) -> None:
    assert ended.code == code, ended.err
    assert what in ended.complaint
    assert advice in ended.complaint
    assert "unexpected" not in ended.complaint
    assert ".." not in ended.complaint.replace("...", "")


def test_a_cancelled_statement_says_that_it_can_run_again(docs: Run, database: str) -> None:
    ended = docs("status", "--database-url", with_setting(database, "statement_timeout=1"))
    if ended.code == 0:
        pytest.skip("every statement took less than a millisecond")
    assert_says(ended, 5, "statement timeout. The statement was undone", "statement_timeout")


def test_a_read_only_database_says_how_to_write(docs: Run, database: str) -> None:
    read_only = with_setting(database, "default_transaction_read_only=on")
    for verb in (["init", "more"], ["pause", "static-1"], ["gate", "--require", "recall@10>=0.5"]):
        ended = docs(*verb, "--database-url", read_only)
        assert_says(ended, 5, "read-only transaction. ", "Connect to the primary")


def test_a_role_without_a_free_connection_is_told_so(docs: Run, database: str, role: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(sql.Identifier(role)))
    url = make_url(database).set(username=role).render_as_string(hide_password=False)
    ended = docs("status", "--json", "--database-url", url)
    assert_says(ended, 5, "too many connections", "CONNECTION LIMIT")
    assert ended.data["error"] == "TooManyConnections"


def test_a_worker_that_starts_while_the_server_is_full_waits(
    docs: Run, database: str, role: str, tmp_path: Path, db: psycopg.Connection
) -> None:
    limit = sql.SQL("ALTER ROLE {} SUPERUSER; ALTER ROLE {} CONNECTION LIMIT {}")
    name = sql.Identifier(role)
    db.execute("SET client_min_messages = error")
    db.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(name))
    url = make_url(database).set(username=role).render_as_string(hide_password=False)
    worker = subprocess.Popen(
        [sys.executable, "-m", "pgvec_versions", "worker"],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PGVEC_DATABASE_URL": url, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert worker.stderr is not None
        said = worker.stderr.readline()
        assert "too many connections" in said
        assert "The worker waits and tries again." in said
        assert worker.poll() is None
        db.execute(limit.format(name, name, sql.Literal(-1)))
        # It works: it says where.
        assert "collection: docs" in worker.stderr.readline()
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=30)
        assert worker.returncode == 0
    finally:
        worker.kill()
        worker.communicate()


def test_a_worker_waits_for_a_server_that_starts_and_not_for_a_wrong_url(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = threading.Event()
    asked: list[str] = []

    def start() -> str:
        asked.append("")
        if len(asked) == 1:
            raise starting
        return "started"

    raised = psycopg.OperationalError("FATAL:  the database system is starting up")
    starting = error_for(raised)
    assert starting is not None
    assert when_possible(start, stop) == "started"
    assert "starting up. The server is stopping or starting" in caplog.text
    wrong = error_for(psycopg.OperationalError('FATAL:  database "nowhere" does not exist'))
    assert wrong is not None
    with pytest.raises(errors.DatabaseUnavailable):
        when_possible(raising(wrong), stop)
    stop.set()
    assert when_possible(start, stop) is None


def test_what_depends_on_a_version_stops_abandon(docs: Run, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("SELECT pgvec.register_version('docs', 'v2', 384)")
        db.execute("SELECT pgvec.build_index('docs', 'v2'), pgvec.make_ready('docs', 'v2')")
        db.execute("CREATE VIEW report AS SELECT content FROM docs_at_v2")
    ended = docs("abandon", "v2")
    assert_says(ended, 3, "view public.report depends on", "Drop what depends on it first.")


#: A statement, and the class, the exit code and the SQLSTATE of its error.
RAISED = [
    ("SELECT pgvec.drop_collection('docs')", "DependentObjects", 3, "2BP01"),
    ("DROP VIEW docs_at_static_1", "DependentObjects", 3, "2BP01"),
    ("SELECT pgvec.grant_read('docs', 'nobody_here')", "UnknownObject", 4, "42704"),
    ("SELECT pgvec.grant_read('docs', '-')", "UnknownObject", 4, "42704"),
    ("GRANT SELECT ON docs TO nobody_here", "UnknownObject", 4, "42704"),
    ("COPY (SELECT 1) TO '/dev/full'", "DiskFull", 5, "53100"),
    ("SELECT pg_terminate_backend(pg_backend_pid())", "DatabaseUnavailable", 5, "57P01"),
    (
        "DO $$ BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(9); END $$",
        "StatementCancelled",
        5,
        "57014",
    ),
    (
        "SELECT pg_advisory_xact_lock(n) FROM generate_series(1, 1000000) n",
        "OutOfMemory",
        5,
        "53200",
    ),
    (
        "SET LOCAL temp_file_limit = 0; SET LOCAL work_mem = '64kB';"
        "SELECT n FROM generate_series(1, 100000) n ORDER BY -n",
        "OutOfResources",
        5,
        "53400",
    ),
    # A server cannot be made to refuse these on request.
    (
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P02'; END $$",
        "DatabaseUnavailable",
        5,
        "57P02",
    ),
    (
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P03'; END $$",
        "DatabaseUnavailable",
        5,
        "57P03",
    ),
    (
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53300'; END $$",
        "TooManyConnections",
        5,
        "53300",
    ),
    ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '58030'; END $$", "ServerError", 5, "58030"),
]


@pytest.mark.parametrize(("statement", "name", "code", "state"), RAISED)
def test_each_error_of_the_server_has_its_class(
    docs: Run, database: str, statement: str, name: str, code: int, state: str
) -> None:
    with psycopg.connect(database) as db:
        db.execute("CREATE VIEW report AS SELECT content FROM docs_at_static_1")
        with pytest.raises(psycopg.Error) as caught:
            db.execute(statement.encode())
    error = error_for(caught.value)
    assert isinstance(error, PgvecError)
    assert (type(error), error.exit_code) == (getattr(errors, name), code)
    assert error.sqlstate == state
    assert error.hint
    assert "CASCADE" not in str(error)


def test_the_hint_begins_a_sentence_of_its_own() -> None:
    assert str(PgvecError("it failed", hint="Try again.")) == "it failed. Try again."
    assert str(PgvecError("it failed.", hint="Try again.")) == "it failed. Try again."
