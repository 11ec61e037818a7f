"""Where pg_cron is, as its extension says."""

from __future__ import annotations

from psycopg import sql

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection

__all__ = ["cron_schema"]


def cron_schema(raw: PgConnection) -> sql.Identifier | None:
    """The schema of pg_cron's own tables in this database; a schema of that name alone is none."""
    row = raw.execute(sqlfiles.query("cron_schema")).fetchone()
    return sql.Identifier(row[0]) if row else None
