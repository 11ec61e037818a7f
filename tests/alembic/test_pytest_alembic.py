"""What pytest-alembic asks of every history, asked of our own migrations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.config import Config
from pytest_alembic.tests import (  # noqa: F401
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Engine

from pgvec_versions.postgres.database import engine_for
from tests.alembic.tools import catalog_config


@pytest.fixture
def alembic_config(empty_database: str) -> Config:
    return catalog_config(empty_database)


@pytest.fixture
def alembic_engine(empty_database: str) -> Iterator[Engine]:
    engine = engine_for(empty_database)
    yield engine
    engine.dispose()
