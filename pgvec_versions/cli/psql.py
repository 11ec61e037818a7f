"""``pgvec psql``."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess

import typer
from psycopg.conninfo import make_conninfo

from pgvec_versions.cli.options import ConfigOption, DatabaseUrlOption, EmbeddedOption
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.errors import ConfigError
from pgvec_versions.postgres.database import autocommitted


def psql(
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
) -> None:
    """Open psql on the database, the embedded server's too.

    Reads statements from the terminal, a file or a pipe. The embedded server runs as long as psql
    does. Exits with psql's exit code.
    """
    with workplace(database_url, config, embedded=embedded) as here:
        program = _program(here)
        with autocommitted(here.engine) as raw:
            parameters, password = raw.info.get_parameters(), raw.info.password
        here.say_where()
        code = _run([program, make_conninfo(**parameters)], password)
    raise typer.Exit(code)


def _program(here: Workplace) -> str:
    """The psql to run: the embedded server's own, else the one of this machine."""
    if here.server is not None:
        return shlex.split(here.server.psql_command())[0]
    found = shutil.which("psql")
    if found is None:
        raise ConfigError(
            "psql is not installed on this machine.",
            hint="Install PostgreSQL's client; its package is postgresql-client on Debian.",
        )
    return found


def _run(command: list[str], password: str) -> int:
    """Runs psql and returns its exit code. The password goes by the environment: ps shows none."""
    env = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    process = subprocess.Popen(command, env=env)
    # Ctrl-C is for psql: there it cancels a statement.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
