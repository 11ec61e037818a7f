"""Short ways to run migrations, as a person would, and to see everything they leave behind."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from pgvec_versions.migrate_ops import PgvecOp
from pgvec_versions.postgres.database import engine_for

ROOT = Path(__file__).resolve().parents[2]

Listing: TypeAlias = set[tuple[Any, ...]]
NewDatabase: TypeAlias = Callable[..., str]
Psql: TypeAlias = Callable[[str, str], None]

HERE = Path(__file__).resolve().parent


def objects(url: str) -> Listing:
    """Every object in the database: definitions, sources, comments, privileges."""
    with psycopg.connect(url) as connection:
        return set(connection.execute((HERE / "objects.sql").read_bytes()).fetchall())


def everything(url: str) -> Listing:
    """The objects, and what the catalog says."""
    with psycopg.connect(url) as connection:
        return objects(url) | set(connection.execute((HERE / "rows.sql").read_bytes()).fetchall())


def one(url: str, query: str, *values: Any) -> Any:
    """The first value of a query."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), values)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def states(url: str) -> dict[str, str]:
    """The state of every version, by label."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute("SELECT model_version, state FROM pgvec.model_version").fetchall()
        )


def online(url: str, *operations: PgvecOp, **options: Any) -> None:
    """Runs operations in one transaction, as a migration does. ``options``: of the engine."""
    engine = engine_for(url)
    try:
        with engine.execution_options(**options).begin() as connection:
            invoker = Operations(MigrationContext.configure(connection))
            for operation in operations:
                invoker.invoke(operation)
    finally:
        engine.dispose()


def script(*operations: PgvecOp) -> str:
    """What ``--sql`` writes for the operations."""
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    invoker = Operations(context)
    with context.begin_transaction():
        for operation in operations:
            invoker.invoke(operation)
    return written.getvalue()


def run_psql(command_line: str, text: str) -> None:
    """Feeds a script to psql, which stops at the first error."""
    done = subprocess.run(
        [
            *shlex.split(command_line),
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--set=ON_ERROR_STOP=1",
        ],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def catalog_config(url: str | None, written: io.StringIO | None = None) -> Config:
    """The checkout's own alembic.ini, with ``-x url=…``."""
    config = Config(ROOT / "alembic.ini", output_buffer=written or io.StringIO())
    if url is not None:
        config.cmd_opts = type("Options", (), {"x": [f"url={url}"]})()
    return config


def upgrade(url: str, to: str = "head") -> None:
    """``alembic upgrade`` from the checkout."""
    command.upgrade(catalog_config(url), to)


def downgrade(url: str, to: str = "base") -> None:
    """``alembic downgrade`` from the checkout."""
    command.downgrade(catalog_config(url), to)


def alembic(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command, run from the root of the checkout."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("alembic")), *arguments],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k != "PGVEC_DATABASE_URL"}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
