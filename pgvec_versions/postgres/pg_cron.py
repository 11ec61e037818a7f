"""Where pg_cron is: asked of its extension, not guessed from a name."""

from __future__ import annotations

from psycopg import sql

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.rows import read_value


def cron_schema(raw: PgConnection) -> sql.Identifier | None:
    """The schema of pg_cron's own tables in this database, or None without pg_cron.

    A schema that is only named ``cron`` does not count.
    """
    schema = read_value(raw, sqlfiles.query("cron_schema"))
    return sql.Identifier(schema) if schema is not None else None
