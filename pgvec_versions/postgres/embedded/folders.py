"""The data folder of an embedded server: which one it is, and the checks before it is used.

They find what would make an unclear error later: a folder that the server's user cannot enter,
one that belongs to somebody else, one with other files or with data of another PostgreSQL version.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import stat
from pathlib import Path

from pgvec_versions.errors import ConfigError

#: The system user of root's server: PostgreSQL does not run as root.
SERVER_USER = "pgserver"
#: The hint where the folder itself is the problem.
OTHER_FOLDER = "Name another folder in PGVEC_EMBEDDED_DIR."


def default_path(postgres_version: int = 18) -> Path:
    """The data folder when you name none.

    ``PGVEC_EMBEDDED_DIR`` if it is set; for root ``/var/lib/pgvec/pg18``, because the server's own
    user cannot enter root's home; else ``pgvec/pg18`` in ``XDG_DATA_HOME`` or ``~/.local/share``.
    """
    if named := os.environ.get("PGVEC_EMBEDDED_DIR"):
        return Path(named).expanduser()
    if is_root():
        return Path("/var/lib/pgvec") / f"pg{postgres_version}"
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "pgvec" / f"pg{postgres_version}"


# --- Files of ours in the data folder ---


def keep_mark(pgdata: Path) -> Path:
    """Tells the processes that join a server not to end it."""
    return pgdata / ".pgvec-keep-running"


def socket_note(pgdata: Path) -> Path:
    """Says where the socket lies when it does not lie in the data folder."""
    return pgdata / ".pgvec-socket-folder"


def _process_list(pgdata: Path) -> Path:
    """The library's own list of the processes that use the server."""
    return pgdata / ".handle_pids.json"


# --- Users ---


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def owners() -> set[int]:
    """The users who may own the server's files: this one, and for root the server's own."""
    found = {os.geteuid()}
    if is_root():
        with contextlib.suppress(KeyError):
            found.add(pwd.getpwnam(SERVER_USER).pw_uid)
    return found


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


# --- Checks ---


def prepare_folder(path: Path) -> Path:
    """Creates the data folder if it is absent, and returns its absolute path.

    Raises: ConfigError for a folder that the server cannot use.
    """
    pgdata = path.expanduser().resolve()
    _check_passable(pgdata)
    try:
        pgdata.parent.mkdir(parents=True, exist_ok=True)
        pgdata.mkdir(mode=0o700, exist_ok=True)
        _require_own(pgdata)
        if not is_root() and not os.access(pgdata, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError("it cannot be read and written")
    except OSError as error:
        raise ConfigError(
            f"cannot use {pgdata} for the embedded server: {error.strerror or error}.",
            hint=OTHER_FOLDER,
        ) from error
    _check_passable(pgdata)  # the new folders too: a umask may have closed them
    return pgdata


def _check_passable(pgdata: Path) -> None:
    """Raises ConfigError for a parent, such as root's home, that the library would open to all."""
    parents = [parent for parent in reversed(pgdata.parents) if parent.exists()]
    closed = [parent for parent in parents if not parent.stat().st_mode & stat.S_IXOTH]
    if is_root() and closed:
        raise ConfigError(
            f"the embedded server runs as user pgserver, which cannot enter {closed[0]}"
            f" on the way to {pgdata}.",
            hint=OTHER_FOLDER,
        )


def _require_own(folder: Path) -> None:
    """Refuses a folder of another user, and one that others may write; closes it if it is empty.

    Raises: PermissionError, NotADirectoryError.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError("it is not a folder")
    if found.st_uid not in owners():
        raise PermissionError(f"it belongs to {_name_of(found.st_uid)}")
    if stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        if any(folder.iterdir()):
            raise PermissionError("others may write into it")
        folder.chmod(0o700)


def check_contents(pgdata: Path, postgres_version: int) -> None:
    """Raises ConfigError unless the folder is empty, or holds our data of that version."""
    for path in (_process_list(pgdata), keep_mark(pgdata), socket_note(pgdata)):
        # Root writes these into a folder of the server's user, who could make one a link to
        # another file.
        if path.is_symlink():
            raise ConfigError(f"{path} is a link.", hint=f"Remove it. Or: {OTHER_FOLDER}")
    version_file = pgdata / "PG_VERSION"
    if not version_file.exists():
        if any(pgdata.iterdir()):
            raise ConfigError(
                f"{pgdata} is neither empty nor the data folder of a server.", hint=OTHER_FOLDER
            )
        return
    found = version_file.read_text().strip()
    if found != str(postgres_version):
        raise ConfigError(
            f"{pgdata} holds data of PostgreSQL {found}, and you asked for PostgreSQL"
            f" {postgres_version}.",
            hint=f"{OTHER_FOLDER} To keep the data: dump it with {found}, load it there.",
        )
    if is_root() and (owner := version_file.owner()) != SERVER_USER:
        # The library would take the folder away from its owner, and then not start.
        raise ConfigError(
            f"{pgdata} belongs to {owner}, and root's embedded server runs as pgserver.",
            hint=f"Run this as {owner}. Or: {OTHER_FOLDER}",
        )


def is_running(pgdata: Path) -> bool:
    """Whether a server runs on the folder.

    Raises: ConfigError when ``postmaster.pid`` names a process that is not PostgreSQL. After a
    crash and a restart of the machine another program may have that number, and the library would
    take that program for the server.
    """
    import psutil

    pid_file = pgdata / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split(maxsplit=1)[0])
        name = psutil.Process(pid).name()
    except (OSError, ValueError, IndexError, psutil.Error):
        return False
    if not name.startswith("postgres"):
        raise ConfigError(
            f"{pid_file} is left over from a crash: process {pid} is {name}, not PostgreSQL.",
            hint="If no other machine uses this folder, remove that file.",
        )
    return True


class FolderLock:
    """Lets one process, and one thread, at a time work on a data folder: a lock on the folder.

    It replaces the library's lock, which is one file in /tmp for all folders and users: only the
    user who created it can open it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        # The library takes the lock once more when Python ends; the folder may be gone by then.
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
