"""What we write is ours alone, what we read is what was verified, and no password is shown."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pgvec_versions.cli import main
from pgvec_versions.cli.file_url import url_of_file
from pgvec_versions.config import load_config
from pgvec_versions.errors import (
    ArchiveMismatch,
    ConfigError,
    DatabaseUnavailable,
    InvalidArgument,
    PgvecError,
    UnreadableFile,
)
from pgvec_versions.new_files import new_file, write_text
from pgvec_versions.postgres import embedded
from pgvec_versions.postgres.database import engine_for
from pgvec_versions.postgres.embedded import embedded_server
from pgvec_versions.retirement import archive, checked_files
from pgvec_versions.retirement.archive import export_version, restore_version
from pgvec_versions.retirement.job import retiring_every
from pgvec_versions.retirement.timetable import scheduler_lines
from tests.sql.helpers import rows, state
from tests.sql.test_retirement import RETIRE, due

SECRET = "S3cr3t-of-ours"
is_root = os.geteuid() == 0


# Files that are written


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with new_file(tmp_path / "a") as file:
            (part,) = tmp_path.iterdir()
            assert stat.S_IMODE(part.stat().st_mode) == 0o600
            file.write(b"text")
        write_text(tmp_path / "b.html", "text")
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "b.html"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() == "text"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.html"]


def dangling(path: Path, target: Path) -> None:
    path.symlink_to(target)


def to_a_file(path: Path, target: Path) -> None:
    target.write_text("precious")
    path.symlink_to(target)


def to_a_folder(path: Path, target: Path) -> None:
    target.mkdir()
    path.symlink_to(target)


def plain(path: Path, target: Path) -> None:
    path.write_text("precious")


def a_folder(path: Path, target: Path) -> None:
    path.mkdir()


def a_pipe(path: Path, target: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("put", [dangling, to_a_file, to_a_folder, plain, a_folder, a_pipe])
@pytest.mark.parametrize("replace", [False, True])
def test_nothing_is_written_through_or_over_what_stands_there(
    tmp_path: Path, put: Callable[[Path, Path], None], replace: bool
) -> None:
    if put is plain and replace:
        return
    path, target = tmp_path / "out", tmp_path / "target"
    put(path, target)
    before = path.lstat()
    with pytest.raises(InvalidArgument), new_file(path, replace=replace) as file:
        file.write(b"ours")
    assert path.lstat().st_ino == before.st_ino
    assert not target.is_file() or target.read_text() == "precious"
    assert {p.name for p in tmp_path.iterdir()} <= {"out", "target"}


def written(path: Path, meanwhile: Callable[[], object]) -> None:
    with new_file(path) as file:
        file.write(b"ours")
        meanwhile()


@pytest.mark.parametrize("put", [dangling, to_a_file, plain])
def test_what_is_put_there_meanwhile_is_not_followed_or_replaced(
    tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    path, target = tmp_path / "out", tmp_path / "target"
    with pytest.raises(InvalidArgument, match="exists already"):
        written(path, lambda: put(path, target))
    assert not target.exists() or target.read_text() == "precious"
    assert path.is_symlink() or path.read_text() == "precious"


def test_without_hard_links_a_name_is_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "link", none)
    written(tmp_path / "a", lambda: None)
    assert (tmp_path / "a").read_bytes() == b"ours"
    with pytest.raises(InvalidArgument):
        written(tmp_path / "b", lambda: (tmp_path / "b").symlink_to(tmp_path / "target"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        written(tmp_path / "a", lambda: 1 / 0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnreadableFile), new_file(tmp_path / "no" / "a"):
        pass


@pytest.mark.parametrize("name", ["v1.copy", "v1.parquet"])
def test_an_export_goes_through_no_link(
    database: str, db: psycopg.Connection[Any], tmp_path: Path, name: str
) -> None:
    due(db)
    target = tmp_path / "target"
    for put in (dangling, to_a_file):
        put(tmp_path / name, target)
        with pytest.raises(InvalidArgument):
            export_version(database, "docs", "v1", tmp_path / name)
        assert not target.exists() or target.read_text() == "precious"
        (tmp_path / name).unlink()
    # The name that an older version wrote first.
    (tmp_path / f"{name}.part").symlink_to(target)
    export_version(database, "docs", "v1", tmp_path / name)
    assert target.read_text() == "precious"
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["report.html", "linked.html"])
def test_a_report_replaces_a_report_and_follows_no_link(
    database: str,
    db: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    due(db)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target").write_text("precious")
    (tmp_path / "linked.html").symlink_to("target")
    (tmp_path / "report.html").write_text("old")
    arguments = ["doctor", "--database-url", database, "--sample", "0", "--html", name]
    monkeypatch.setattr(sys, "argv", ["pgvec", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (tmp_path / "target").read_text() == "precious"
    if name == "linked.html":
        assert ended.value.code == 2
    else:
        assert "<html" in (tmp_path / name).read_text()


# Files that are read


class Changing:
    """Swaps what a path or its content is at the moment when the first look at it has ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
        check: Any = archive._check  # pyright: ignore[reportPrivateUsage]

        def checked(*arguments: Any) -> None:
            check(*arguments)
            act()

        monkeypatch.setattr(archive, "_check", checked)


@pytest.mark.parametrize("name", ["v1.copy", "v1.parquet"])
def test_what_is_restored_is_what_was_verified(
    database: str,
    db: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    path = tmp_path / name
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'drop')")
    export_version(database, "docs", "v1", path)
    before = rows(db, "SELECT chunk_id, content FROM docs_at_v1 ORDER BY chunk_id")
    db.execute(RETIRE.encode())
    good = path.read_bytes()
    other = good.replace(b"text 1", b"EVIL 1")

    def rewrite() -> None:
        with path.open("r+b") as file:
            file.write(b"\0" * len(good))
            file.seek(0)
            file.write(other[:-1] + b"\x01")

    with monkeypatch.context() as patch:
        Changing(patch, rewrite)
        with pytest.raises(ArchiveMismatch, match="changed while it was read"):
            restore_version(database, "docs", "v1", path)
    assert state(db, "v1") == "retired"
    path.write_bytes(good)

    def swap() -> None:
        path.unlink()
        path.write_bytes(other)

    # Another file of that name is not looked at any more.
    with monkeypatch.context() as patch:
        Changing(patch, swap)
        restore_version(database, "docs", "v1", path)
    assert rows(db, "SELECT chunk_id, content FROM docs_at_v1 ORDER BY chunk_id") == before


def test_a_file_of_many_blocks_comes_back_the_same(
    database: str, db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "BLOCK", 97)
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'drop')")
    question = "SELECT chunk_id, content, embedding::text FROM docs_at_v1 ORDER BY chunk_id"
    before = rows(db, question)
    for name in ("v1.copy", "v1.parquet"):
        export_version(database, "docs", "v1", tmp_path / name)
    db.execute(RETIRE.encode())
    restore_version(database, "docs", "v1", tmp_path / "v1.parquet")
    assert rows(db, question) == before


def test_a_pipe_is_not_waited_for(
    database: str, db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    due(db)
    db.execute("SELECT pgvec.set_retirement('docs', 'drop')")
    export_version(database, "docs", "v1", tmp_path / "v1.copy")
    db.execute(RETIRE.encode())
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UnreadableFile):
            restore_version(database, "docs", "v1", place)


# The embedded server


@pytest.fixture
def place() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="pgv"))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base)


def closed_to_others(socket_folder: Path) -> bool:
    """Whether somewhere on the way to the socket only its owner can go on."""
    owners = {os.geteuid()} | ({shutil_owner()} if is_root else set[int]())
    for folder in (socket_folder, *socket_folder.parents):
        found = folder.lstat()
        if not stat.S_IMODE(found.st_mode) & 0o077:
            return found.st_uid in owners
    return False


def shutil_owner() -> int:
    import pwd

    return pwd.getpwnam("pgserver").pw_uid


def socket_of(url: str) -> Path:
    return Path(str(make_url(url).query["host"]))


@pytest.mark.parametrize("length", [1, 120])
def test_the_socket_is_reached_by_its_owner_alone(place: Path, length: int) -> None:
    folder = place / ("d" * length)
    with embedded_server(folder) as server:
        where = socket_of(server.url())
        assert closed_to_others(where)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        if is_root:
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls"]
            assert subprocess.run([*nobody, str(where)], capture_output=True).returncode != 0
            assert subprocess.run([*nobody, str(place)], capture_output=True).returncode == 0
    assert length == 1 or not where.exists(), "its folder goes with the server"


def test_the_folder_of_a_long_path_cannot_be_taken_beforehand(place: Path) -> None:
    folder = place / ("d" * 120)
    with embedded_server(folder) as server:
        first = socket_of(server.url()).parent
    # Somebody puts the old name back, and a note that points to it.
    first.mkdir(mode=0o777)
    first.chmod(0o777)
    (folder / ".pgvec-socket-folder").write_text(str(first))
    try:
        with embedded_server(folder) as server:
            assert socket_of(server.url()).parent != first
            assert closed_to_others(socket_of(server.url()))
    finally:
        shutil.rmtree(first)


def test_a_server_whose_socket_others_reach_is_not_used(place: Path) -> None:
    folder = place / ("d" * 120)
    with embedded_server(folder) as server:
        private = socket_of(server.url()).parent
        private.chmod(0o755)
        with pytest.raises(DatabaseUnavailable, match="where others can come"):
            embedded_server(folder)
        private.chmod(0o700)


def test_a_data_folder_that_others_may_write_is_refused(place: Path) -> None:
    folder = place / "data"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "PG_VERSION").write_text("18\n")
    with pytest.raises(ConfigError, match="others may write into it"):
        embedded_server(folder)


@pytest.mark.parametrize(
    "name", [".handle_pids.json", ".pgvec-keep-running", ".pgvec-socket-folder"]
)
def test_root_writes_through_no_link_of_the_servers_user(place: Path, name: str) -> None:
    folder, precious = place / "data", place / "precious"
    embedded_server(folder).stop()
    precious.write_text("precious")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(precious)
    with pytest.raises(ConfigError, match="is a link"):
        embedded_server(folder, keep_running=True)
    assert precious.read_text() == "precious"


@pytest.mark.skipif(not is_root, reason="only root can give a folder away")
def test_a_data_folder_of_somebody_else_is_refused(place: Path) -> None:
    folder = place / "data"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    (place / "link").symlink_to(folder)
    for path in (folder, place / "link"):
        with pytest.raises(ConfigError, match="belongs to nobody"):
            embedded_server(path)
    assert list(folder.iterdir()) == []


def test_a_folder_that_all_may_write_holds_no_socket(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = place / "tmp"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    fit = embedded.sockets.is_fit_for_sockets
    assert not fit(open_to_all)
    open_to_all.chmod(0o1777)
    assert fit(open_to_all)


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
        # A command line is read by everybody who may list processes.
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
