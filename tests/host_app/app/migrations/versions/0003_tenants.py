"""Columns of the application's own on the chunk table."""

from __future__ import annotations

import sqlalchemy as sa

from pgvec_versions.migrate_ops import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.add_column("docs", sa.Column("tenant", sa.Text(), server_default="public", nullable=False))
    op.add_column("docs", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("docs", sa.Column("source_id", sa.Integer(), nullable=True))
    op.create_foreign_key("docs_source_id_fkey", "docs", "documents", ["source_id"], ["id"])
    op.create_index("docs_tenant", "docs", ["tenant"])
    op.refresh_collection("docs")


def downgrade() -> None:
    op.drop_index("docs_tenant", "docs")
    op.refresh_collection("docs", without=["tenant", "language", "source_id"])
    for column in ("source_id", "language", "tenant"):
        op.drop_column("docs", column)
