"""Connections: one engine underneath, the caller's own transaction where one is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy import Connection as SaConnection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from pgvec_versions import vectors
from pgvec_versions.errors import ConfigError, translated

__all__ = ["Caller", "PgConnection", "autocommitted", "engine_for", "transaction"]

#: What a caller may hand in to have our statements in its own transaction.
Caller: TypeAlias = SaConnection | Session
PgConnection: TypeAlias = psycopg.Connection[Any]


def engine_for(target: str | URL | Engine) -> Engine:
    """An engine with the psycopg driver for a URL; an engine is returned as it is.

    Server-side prepared statements are off, so that transaction pooling (PgBouncer) just works.
    Raises: ConfigError for what is not a PostgreSQL URL.
    """
    if isinstance(target, Engine):
        return target
    try:
        url = make_url(target)
    except ArgumentError:
        raise ConfigError(
            "the database URL cannot be read.", hint="Write postgresql://user@host:5432/database."
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigError(
            f"the database URL is for {url.get_backend_name()}, not for PostgreSQL.",
            hint="Write postgresql://user@host:5432/database.",
        )
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"prepare_threshold": None},
        pool_pre_ping=True,
    )


def _raw(connection: SaConnection) -> PgConnection:
    raw = cast("PgConnection", connection.connection.driver_connection)
    vectors.register(raw)
    return raw


@contextmanager
def transaction(engine: Engine, caller: Caller | None = None) -> Iterator[PgConnection]:
    """A psycopg connection inside a transaction.

    Effects: without a caller, a transaction of its own, committed at the end. With one, a
    savepoint in the caller's transaction; the caller commits. Raises the package's own errors.
    """
    with translated():
        if caller is None:
            with engine.connect() as own:
                raw = _raw(own)
                with raw.transaction():
                    yield raw
            return
        connection = caller.connection() if isinstance(caller, Session) else caller
        if not connection.in_transaction():
            # SQLAlchemy must know of the transaction, or its commit() would do nothing.
            connection.begin()
        raw = _raw(connection)
        with raw.transaction():
            yield raw


@contextmanager
def autocommitted(engine: Engine) -> Iterator[PgConnection]:
    """A psycopg connection where each statement is its own transaction: one round trip each."""
    with (
        translated(),
        engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection,
    ):
        yield _raw(connection)
