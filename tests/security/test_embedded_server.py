"""Only its owner reaches the socket and the data folder of an embedded server."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from pgvec_versions.errors import ConfigError, DatabaseUnavailable
from pgvec_versions.postgres import embedded
from pgvec_versions.postgres.embedded import embedded_server

is_root = os.geteuid() == 0


@pytest.fixture
def place() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="pgv"))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base)


def closed_to_others(socket_folder: Path) -> bool:
    """Whether a folder on the path to the socket is closed to everyone except its owner."""
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
    # An attacker creates the old folder again, and a note that points to it.
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
