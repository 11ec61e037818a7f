"""No password goes to a host that a file names, and no password is shown."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pgvec_versions.cli import main
from pgvec_versions.cli.file_url import url_of_file
from pgvec_versions.config import load_config
from pgvec_versions.errors import ConfigError, PgvecError
from pgvec_versions.postgres.database import engine_for
from pgvec_versions.retirement.job import retiring_every
from pgvec_versions.retirement.timetable import scheduler_lines
from tests.sql.helpers import rows

SECRET = "S3cr3t-of-ours"


# The database that a file names


@pytest.fixture
def no_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PGPASSWORD", "PGSERVICE", "PGVEC_DATABASE_URL", "PGVEC_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    passfile = tmp_path / "pgpass"
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    return passfile


FILE = Path("pgvec.toml")
EVIL = "postgresql://app@evil.example/app"


@pytest.mark.parametrize(
    "url",
    [
        EVIL,
        "postgresql://app:@evil.example/app",
        "postgresql:///app?host=evil.example",
        "postgresql:///app?hostaddr=192.0.2.1",
        "postgresql:///app?host=good.example&host=evil.example",
        "postgresql:///app?host=/tmp/evil",
    ],
)
@pytest.mark.parametrize("source", ["PGPASSWORD", "PGSERVICE", "a line for any host"])
def test_a_host_that_a_file_names_gets_no_password_of_ours(
    no_passwords: Path, monkeypatch: pytest.MonkeyPatch, url: str, source: str
) -> None:
    assert url_of_file(url, FILE) == url
    if source.startswith("PG"):
        monkeypatch.setenv(source, SECRET)
    else:
        no_passwords.write_text(f"# mine\n*:*:*:*:{SECRET}\n")
    with pytest.raises(ConfigError) as caught:
        url_of_file(url, FILE)
    said = str(caught.value)
    assert source in said
    assert "pgvec.toml" in said
    assert caught.value.detail["hosts"][0] in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "query", ["service=prod", "passfile=/etc/pgpass", "gssdelegation=1", "plugin=x"]
)
def test_a_file_fetches_no_password_from_elsewhere(no_passwords: Path, query: str) -> None:
    with pytest.raises(ConfigError):
        url_of_file(f"{EVIL}?{query}", FILE)


def test_what_the_file_itself_says_and_lines_for_its_host_are_fine(
    no_passwords: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_passwords.write_text(f"db.internal:*:*:*:{SECRET}\n")
    plain = "postgresql://app@db.internal/app?sslmode=require"
    assert url_of_file(plain, FILE) == plain
    monkeypatch.setenv("PGPASSWORD", SECRET)
    for url in ("postgresql://app:own@evil.example/app", "postgresql:///app"):
        assert url_of_file(url, FILE) == url


def test_the_command_line_sends_no_password_to_the_host_of_a_file(
    no_passwords: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import socket

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as evil:
        evil.settimeout(0)
        port = evil.getsockname()[1]
        (tmp_path / "pgvec.toml").write_text(f'database_url = "postgresql://a@127.0.0.1:{port}/a"')
        monkeypatch.setattr(sys, "argv", ["pgvec", "status"])
        with pytest.raises(SystemExit) as ended:
            main()
        with pytest.raises(BlockingIOError):
            evil.accept()
    assert ended.value.code == 2
    assert "PGPASSWORD" in capsys.readouterr().err


# Passwords that are printed


def test_printed_lines_hold_no_url_and_put_none_on_a_command_line(
    database: str, db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    secret = make_url(database).set(password=SECRET).render_as_string(hide_password=False)
    monkeypatch.setenv("PGVEC_DATABASE_URL", secret)
    monkeypatch.setattr(sys, "argv", ["pgvec", "schedule", "17 * * * *"])
    with suppress(SystemExit):
        main()
    (in_sql,) = rows(db, "SELECT pgvec.schedule_retirement('17 * * * *')")[0]
    for text in (capsys.readouterr().out, in_sql, scheduler_lines("17 * * * *")):
        assert "17 * * * * pgvec retire" in text
        assert SECRET not in text
        # Everyone who can list processes reads command lines.
        assert "--database-url" not in text
        assert "$PGVEC_DATABASE_URL" not in text


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@127.0.0.1:1/x",
        f"postgresql://u:{SECRET}@x@127.0.0.1:1/x",
        f"postgresql://u:x@{SECRET}@127.0.0.1:1/x",
        f"postgresql://u:{SECRET}@no-such-host.invalid/x",
        f"postgresql://u:{SECRET}/x@127.0.0.1:1/x",
        f"postgresql://u:{SECRET}@127.0.0.1:{SECRET}/x",
        f"postgresql://u:{SECRET}@127.0.0.1:1/x?application_nam=a",
        f"postgresql://127.0.0.1:1/x?password={SECRET}",
        f"postgresql://127.0.0.1:1/x?passwort={SECRET}",
        f"postgresql://127.0.0.1:1/x?options=-c%20password={SECRET}",
        f"postgresql:///x?host=127.0.0.1&password={SECRET}&port={SECRET}",
        f"postgresql://u:{SECRET}@127.0.0.1:1/x?connect_timeout={SECRET}",
        f"host=127.0.0.1 port=1 user=u password={SECRET}",
        f"mysql://u:{SECRET}@127.0.0.1/x",
        f"{SECRET}://u@127.0.0.1/x",
    ],
)
@pytest.mark.parametrize("how", ["option", "environment", "file"])
def test_no_error_shows_the_password_of_a_url(
    no_passwords: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    caplog: pytest.LogCaptureFixture,
    url: str,
    how: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PGVEC_DEBUG", raising=False)
    arguments = ["status", "--json"]
    if how == "option":
        arguments += ["--database-url", url]
    elif how == "environment":
        monkeypatch.setenv("PGVEC_DATABASE_URL", url)
    else:
        (tmp_path / "pgvec.toml").write_text(f"database_url = {json.dumps(url)}")
        assert SECRET not in repr(load_config())
    monkeypatch.setattr(sys, "argv", ["pgvec", *arguments])
    with caplog.at_level(logging.DEBUG), pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code in (2, 5)
    assert SECRET not in printed.out + printed.err + caplog.text


def test_a_stack_trace_shows_no_password(tmp_path: Path) -> None:
    url = f"postgresql://u:{SECRET}@127.0.0.1:1/x?options=-c%20password={SECRET}"
    environment = {**os.environ, "PGVEC_DATABASE_URL": url, "PGVEC_DEBUG": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "pgvec_versions", "status"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Traceback" in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr


def test_an_engine_and_its_errors_do_not_show_the_password(database: str) -> None:
    with_password = make_url(database).set(password=SECRET)
    for url in (
        with_password.render_as_string(hide_password=False),
        make_url(database).update_query_dict({"password": SECRET}),
    ):
        engine = engine_for(url)
        assert SECRET not in repr(engine) + str(engine.url) + repr(engine.url)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_server_that_refuses_us_does_not_repeat_the_password(database: str) -> None:
    plain = make_url(database)
    for url in (
        plain.set(password=SECRET, database="nowhere"),
        plain.set(password=SECRET, username="nobody"),
        plain.update_query_dict({"options": f"-c password={SECRET}"}),
    ):
        with pytest.raises((PgvecError, Exception)) as caught, engine_for(url).connect():
            pass
        assert SECRET not in str(caught.value)


def test_a_log_line_of_a_failed_run_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    failed = threading.Event()

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            failed.set()

    logger = logging.getLogger("pgvec_versions.retirement.job")
    handler = Seen()
    logger.addHandler(handler)
    try:
        with retiring_every(f"postgresql://u:{SECRET}@127.0.0.1:1/x", 3600):
            assert failed.wait(30)
    finally:
        logger.removeHandler(handler)
    assert caplog.records
    assert SECRET not in caplog.text
