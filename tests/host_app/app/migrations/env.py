"""The application's migrations. ``-x schemas`` compares every schema of the database."""

from __future__ import annotations

import logging

from alembic import context
from sqlalchemy import Connection, create_engine

from host.models import Base
from host.settings import database_url
from pgvec_versions import migrate_ops

logging.getLogger("alembic").addHandler(logging.NullHandler())


def configure(connection: Connection | None) -> None:
    """Alembic's options: the application's own, and the three of pgvec."""
    context.configure(
        connection=connection,
        dialect_name=None if connection is not None else "postgresql",
        target_metadata=Base.metadata,
        literal_binds=connection is None,
        compare_server_default=True,
        include_schemas="schemas" in context.get_x_argument(as_dictionary=True),
        include_name=migrate_ops.include_name,
        include_object=migrate_ops.include_object,
        process_revision_directives=migrate_ops.process_revision_directives,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    configure(None)
elif (given := context.config.attributes.get("connection")) is not None:
    with given.connect() as connection:
        configure(connection)
else:
    engine = create_engine(database_url())
    with engine.connect() as connection:
        configure(connection)
    engine.dispose()
