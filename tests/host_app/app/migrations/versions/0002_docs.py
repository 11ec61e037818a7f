"""Chunks of documents, and the first version."""

from __future__ import annotations

from host.embedders import FIRST
from pgvec_versions.migrate_ops import op

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.upgrade_pgvec(version=1)
    op.create_collection("docs")
    op.register_model_version("docs", "static-1", dimensions=384, embedder=FIRST)
    op.cut_over("docs", "static-1")


def downgrade() -> None:
    op.drop_collection("docs")
    op.downgrade_pgvec(version=0)
