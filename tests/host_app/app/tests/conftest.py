"""The database is given, and empty; each test leaves it empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine

from host.settings import database_url


@pytest.fixture
def alembic_engine() -> Iterator[Engine]:
    engine = create_engine(database_url())
    yield engine
    engine.dispose()


@pytest.fixture
def alembic_config() -> Config:
    return Config("alembic.ini")


@pytest.fixture(autouse=True)
def empty_at_the_end(alembic_config: Config) -> Iterator[None]:
    yield
    command.downgrade(alembic_config, "base")


@pytest.fixture
def migrated(alembic_config: Config) -> Config:
    command.upgrade(alembic_config, "head")
    return alembic_config
