"""PgBouncer in front of a test server: transaction pooling, one server connection for everybody."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

CONFIG = """
[databases]
* = host={socket} port={server_port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 1
max_client_conn = 300
logfile = {folder}/log
"""
PATIENCE_SECONDS = 30.0


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """The URL of the same database through a PgBouncer of its own."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        reason = "no pgbouncer: apt-get install pgbouncer"
        if os.environ.get("PGVEC_REQUIRE_CRON"):  # What CI sets.
            pytest.fail(reason)
        pytest.skip(reason)
    behind = make_url(url)
    data = Path(str(behind.query["host"]))
    owner = data.stat().st_uid
    folder = Path(tempfile.mkdtemp(prefix="pgvec-pooler-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "pgbouncer.ini").write_text(
        CONFIG.format(
            socket=data, server_port=behind.query.get("port", 5432), port=port, folder=folder
        )
    )
    (folder / "users.txt").write_text('"postgres" ""\n')
    os.chown(folder, owner, -1)
    # It refuses to run as root, and only the server's owner reaches its socket.
    running = subprocess.Popen([program, folder / "pgbouncer.ini"], user=owner, cwd=folder)
    try:
        pooled = f"postgresql://postgres@127.0.0.1:{port}/{behind.database}"
        _wait_for(pooled, running)
        yield pooled
    finally:
        running.terminate()
        running.wait(PATIENCE_SECONDS)
        shutil.rmtree(folder)


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            assert running.poll() is None, "pgbouncer ended"
            assert time.monotonic() < deadline, "pgbouncer does not answer"
