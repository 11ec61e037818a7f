"""Alembic operations for the catalog, collections and versions: one linear history, the host's.

In a host's ``env.py``, once::

    from pgvec_versions import migrate_ops

    context.configure(
        ...,
        include_name=migrate_ops.include_name,
        include_object=migrate_ops.include_object,
        process_revision_directives=migrate_ops.process_revision_directives,
    )

In its migrations (this ``op`` is Alembic's own, with the operations declared for type checkers;
after the import, ``alembic.op`` has them too)::

    from pgvec_versions.migrate_ops import op

    def upgrade() -> None:
        op.upgrade_pgvec(version=1)
        op.create_collection("docs", distance="cosine")
        op.register_model_version("docs", "minilm-1", dimensions=384, embedder={...})
        op.cut_over("docs", "minilm-1")

    def downgrade() -> None:
        op.drop_collection("docs")
        op.downgrade_pgvec(version=0)

Every operation runs in the migration's own transaction, or writes what psql needs under ``--sql``.
Refusals end the command with one line (``alembic.util.CommandError``, whose ``__cause__`` is the
package's own error). The URL of the migrations names psycopg: ``postgresql+psycopg://…``.

::

    operations.py    catalog, collections, versions: the operations, each with its reverse
    privileges.py    grant and revoke, the same way
    execute.py       what an operation is; online and offline execution; errors as one line
    calls.py         their names on op, declared and registered
    autogenerate.py  render, include_name, include_object, process_revision_directives

The only place that imports alembic.
"""

from __future__ import annotations

from pgvec_versions.migrate_ops.autogenerate import (
    VERSION_TABLE,
    include_name,
    include_object,
    process_revision_directives,
)
from pgvec_versions.migrate_ops.calls import PgvecOperations, op
from pgvec_versions.migrate_ops.execute import PgvecOp as PgvecOp
from pgvec_versions.migrate_ops.execute import one_line_errors
from pgvec_versions.migrate_ops.operations import (
    AbandonOp,
    CreateCollectionOp,
    CutOverOp,
    DowngradePgvecOp,
    DropCollectionOp,
    RefreshCollectionOp,
    RegisterModelVersionOp,
    RollBackOp,
    UpgradePgvecOp,
)
from pgvec_versions.migrate_ops.privileges import (
    GrantReadOp,
    GrantWorkerOp,
    GrantWriteOp,
    RevokeReadOp,
    RevokeWorkerOp,
    RevokeWriteOp,
)

__all__ = [
    "VERSION_TABLE",
    "AbandonOp",
    "CreateCollectionOp",
    "CutOverOp",
    "DowngradePgvecOp",
    "DropCollectionOp",
    "GrantReadOp",
    "GrantWorkerOp",
    "GrantWriteOp",
    "PgvecOperations",
    "RefreshCollectionOp",
    "RegisterModelVersionOp",
    "RevokeReadOp",
    "RevokeWorkerOp",
    "RevokeWriteOp",
    "RollBackOp",
    "UpgradePgvecOp",
    "include_name",
    "include_object",
    "one_line_errors",
    "op",
    "process_revision_directives",
]
