"""Catalog version 1."""

from __future__ import annotations

from pgvec_versions.migrate_ops import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.upgrade_pgvec(version=1)


def downgrade() -> None:
    op.downgrade_pgvec(version=0)
