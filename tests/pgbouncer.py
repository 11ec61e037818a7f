"""PgBouncer in transaction mode in front of a test's database: Debian's package, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.clusters import free_port, server_folder, server_user

#: Units: seconds.
PATIENCE = 20.0


def program() -> str:
    """Where PgBouncer is. Without it: skipped, or in CI failed."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        reason = "no pgbouncer: apt-get install pgbouncer"
        if os.environ.get("PGVEC_REQUIRE_PGBOUNCER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def pooled(database: str, pool_size: int = 4) -> Iterator[str]:
    """A PgBouncer of its own before the database, and the URL through it.

    ``pool_size``: server connections; with 1 every client meets what the one before it left.
    """
    url = make_url(database)
    binary = program()
    port = free_port()
    with server_folder() as folder:
        host = url.query.get("host", url.host)
        server_port = url.query.get("port", url.port)
        (folder / "pgbouncer.ini").write_text(
            "\n".join(
                [
                    "[databases]",
                    f"app = host={host} port={server_port} dbname={url.database} user=postgres",
                    "[pgbouncer]",
                    "listen_addr = 127.0.0.1",
                    f"listen_port = {port}",
                    "unix_socket_dir =",
                    "auth_type = any",
                    "pool_mode = transaction",
                    f"default_pool_size = {pool_size}",
                    "max_client_conn = 300",
                    # As in most places: what a client sets stays, unless it is local.
                    "server_reset_query =",
                    "ignore_startup_parameters = extra_float_digits",
                    "",
                ]
            )
        )
        log = (folder / "log").open("w")
        running = subprocess.Popen(
            [binary, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, **server_user()
        )
        through = f"postgresql://postgres@127.0.0.1:{port}/app"
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    psycopg.connect(through, connect_timeout=5).close()
                    break
                except psycopg.OperationalError:
                    assert running.poll() is None, (folder / "log").read_text()
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.05)
            yield through
        finally:
            running.terminate()
            running.wait(PATIENCE)
            log.close()
