"""One more kind of database for the SQL tests: shared by all, and rolled back after each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.embedded import EmbeddedServer
from tests.conftest import TEMPLATE

SHARED = "pgvec_shared"


@pytest.fixture(scope="session")
def shared_database(server: EmbeddedServer) -> str:
    """The URL of a database with the catalog that no test may commit to."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(SHARED), sql.Identifier(TEMPLATE)
            )
        )
    return server.url(SHARED)


@pytest.fixture
def tx(shared_database: str) -> Iterator[psycopg.Connection[Any]]:
    """One connection in one transaction, rolled back at the end: for whatever needs no commit."""
    connection: psycopg.Connection[Any] = psycopg.connect(shared_database)
    yield connection
    connection.rollback()
    connection.close()
