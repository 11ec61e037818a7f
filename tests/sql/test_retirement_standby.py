"""On a real standby the job does nothing, and says nothing."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgvec_versions.postgres.embedded import EmbeddedServer
from pgvec_versions.retirement.job import retire_due
from tests.sql.helpers import one, rows, world
from tests.sql.test_retirement import due


@pytest.fixture
def standby(server: EmbeddedServer, database: str, db: psycopg.Connection) -> Iterator[str]:
    """The URL of a streaming standby's copy of ``database``, in which v1 is due."""
    due(db)
    programs = Path(shlex.split(server.psql_command())[0]).parent
    where = conninfo_to_dict(database)
    folder = Path(tempfile.mkdtemp(prefix="pgvec-standby-"))
    folder.chmod(0o755)
    data = folder / "data"
    owner = server.pgdata.stat()
    data.mkdir(mode=0o700)
    os.chown(data, owner.st_uid, owner.st_gid)
    os.chown(folder, owner.st_uid, owner.st_gid)
    as_owner = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    primary = make_conninfo(
        "", **{k: where[k] for k in ("host", "port", "user", "password") if k in where}
    )
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]

    def do(*command: str) -> None:
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **as_owner
        )
        assert done.returncode == 0, done.stdout.decode()

    do(
        str(programs / "pg_basebackup"), "-D", str(data), "-d", primary,
        "-R", "-X", "stream", "-c", "fast", "--no-sync",
    )  # fmt: skip
    # Its own socket and no port: both servers may take the same number.
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c port=5432"
    do(*control, "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{where['user']}@/{where['dbname']}?host={folder}&port=5432"
    finally:
        do(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_on_a_standby_the_job_does_nothing(standby: str, db: psycopg.Connection) -> None:
    before = world(db)
    with psycopg.connect(standby, autocommit=True) as there:
        assert one(there, "SELECT pg_is_in_recovery()") is True
        assert one(there, "SELECT count(*) FROM pgvec.retirement_plan()") == 1
        there.execute("CALL pgvec.retire_due()")
        assert rows(there, "SELECT 1 FROM pgvec.retirement_run") == []
    assert retire_due(standby) == []
    assert world(db) == before
