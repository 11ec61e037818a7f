"""The next version: shorter vectors of the same model. It fills while the application runs."""

from __future__ import annotations

from host.embedders import SECOND
from pgvec_versions.migrate_ops import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.register_model_version("docs", "static-2", dimensions=96, embedder=SECOND)


def downgrade() -> None:
    op.abandon("docs", "static-2", unless_activated=True)
