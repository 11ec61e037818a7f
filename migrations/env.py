"""Runs the catalog's migrations, online or as a script (--sql).

Takes the database from ``-x url=…``, else from PGVEC_DATABASE_URL, else from sqlalchemy.url in
alembic.ini. A script needs no database.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import MetaData, Table
from sqlalchemy.schema import DropTable

from pgvec_versions.migrate_ops import VERSION_TABLE, include_name, include_object, one_line_errors
from pgvec_versions.postgres.database import engine_for

# The command prints FAILED: … itself; without a handler, Python would print the line again.
logging.getLogger("alembic").addHandler(logging.NullHandler())

version_table = Table(VERSION_TABLE, MetaData())
options: dict[str, Any] = {
    "version_table": VERSION_TABLE,
    "include_name": include_name,
    "include_object": include_object,
}


def database_url() -> str:
    """The URL of the database. Raises: CommandError if nothing names one, or it is empty."""
    given: dict[str, str | None] = {
        "-x url": context.get_x_argument(as_dictionary=True).get("url"),
        "PGVEC_DATABASE_URL": os.environ.get("PGVEC_DATABASE_URL"),
        "sqlalchemy.url": context.config.get_main_option("sqlalchemy.url"),
    }
    for source, url in given.items():
        if url is None:
            continue
        # An empty one is a variable that is missing somewhere: not a reason to try the next.
        if not url.strip():
            raise CommandError(f"{source} is empty. Write postgresql://user@host:5432/database.")
        return url
    raise CommandError(
        "no database is named. Write: alembic -x url=postgresql://user@host:5432/database …, "
        "or set PGVEC_DATABASE_URL."
    )


def run_offline() -> None:
    """Writes the script. At base it drops the version table too, so that nothing is left."""
    reached: list[set[str]] = []

    def note(heads: set[str], **_: Any) -> None:
        reached.append(heads)

    context.configure(
        dialect_name="postgresql", literal_binds=True, on_version_apply=note, **options
    )
    with context.begin_transaction():
        context.run_migrations()
        if reached and not reached[-1]:
            context.execute(DropTable(version_table, if_exists=True))


def run_online() -> None:
    """Runs everything in one transaction, including the drop of the version table at base."""
    with one_line_errors():
        engine = engine_for(database_url())
        try:
            with engine.connect() as connection:
                context.configure(connection=connection, **options)
                with context.begin_transaction():
                    context.run_migrations()
                    if not context.get_context().get_current_heads():
                        version_table.drop(connection, checkfirst=True)
        finally:
            engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
