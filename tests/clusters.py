"""Clusters of a test's own, from the binaries of the embedded wheel: to crash, dump, upgrade, copy.

As root everything runs as the user of the embedded server; PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from pgvec_versions.postgres.embedded import EmbeddedServer

USER = "postgres"
QUICK = ("fsync = off", "full_page_writes = off", "shared_buffers = 32MB", "max_connections = 60")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def server_user() -> dict[str, Any]:
    """Arguments of ``subprocess`` for who PostgreSQL and PgBouncer run as."""
    if os.geteuid() != 0:
        return {}
    known = pwd.getpwnam("pgserver")
    return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}


@contextmanager
def server_folder() -> Iterator[Path]:
    """An empty folder of that user, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pgvec-"))
    folder.chmod(0o755)
    who = server_user()
    if who:
        os.chown(folder, who["user"], who["group"])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def binaries(server: EmbeddedServer) -> Path:
    """The folder with the binaries of a running server's version."""
    return Path(server.psql_command("postgres").split()[0]).parent


@dataclass
class Cluster:
    """A data folder with the binaries that it is run by. It listens on 127.0.0.1 alone."""

    bin: Path
    data: Path
    port: int

    def run(self, program: str, *arguments: str, check: bool = True) -> str:
        """Runs a program of the same version; its output. Fails the test if it fails."""
        done = subprocess.run(
            [str(self.bin / program), *arguments], capture_output=True, text=True,
            cwd=self.data.parent, stdin=subprocess.DEVNULL, timeout=110,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"}, **server_user(),
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr + done.stdout
        return done.stdout

    def initdb(self, *options: str) -> Cluster:
        """Makes the data folder."""
        self.run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-N", "-E", "UTF8",
                 "--no-locale", *options)  # fmt: skip
        return self

    def configure(self, *settings: str) -> Cluster:
        """Adds lines to its configuration, for the next start."""
        socket_folder = self.data.parent
        lines = [
            "listen_addresses = '127.0.0.1'", f"port = {self.port}",
            f"unix_socket_directories = '{socket_folder}'", *QUICK, *settings,
        ]  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(["", *lines, ""]))
        return self

    def start(self) -> Cluster:
        """Starts it and waits until it answers."""
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.data.parent / "log"), "-w",
                 "-t", "60", "start")  # fmt: skip
        return self

    def stop(self, mode: str = "fast") -> None:
        """``immediate`` is what a power cut looks like to PostgreSQL."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "60", "stop")

    def crash(self) -> None:
        """An immediate shutdown, and up again: recovery included."""
        self.stop("immediate")
        self.start()

    def promote(self) -> None:
        """Makes a primary of a standby."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "promote")

    def end(self) -> None:
        """Stops it, whatever state it is in."""
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():
            self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop", check=False)
        if pid_file.exists():
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """A new empty database; its URL."""
        with psycopg.connect(self.url(), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.url(database)


@contextmanager
def clusters(*folders: tuple[Path, str]) -> Iterator[list[Cluster]]:
    """Clusters, not made yet, of the given binaries and names; all ended afterwards."""
    with server_folder() as folder:
        made = [Cluster(bin, folder / name, free_port()) for bin, name in folders]
        try:
            yield made
        finally:
            for cluster in made:
                cluster.end()
