"""Alembic operations for the catalog, collections and versions, in the host's one linear history.

Once, in the host's ``env.py``::

    from pgvec_versions import migrate_ops

    context.configure(
        ...,
        include_name=migrate_ops.include_name,
        include_object=migrate_ops.include_object,
        process_revision_directives=migrate_ops.process_revision_directives,
    )

In its migrations (this ``op`` is Alembic's own, with the operations declared for type checkers;
after this import ``alembic.op`` has them too)::

    from pgvec_versions.migrate_ops import op

    def upgrade() -> None:
        op.upgrade_pgvec(version=1)
        op.create_collection("docs", distance="cosine")
        op.register_model_version("docs", "minilm-1", dimensions=384, embedder={...})
        op.cut_over("docs", "minilm-1")

    def downgrade() -> None:
        op.drop_collection("docs")
        op.downgrade_pgvec(version=0)

Every operation runs in the migration's own transaction; with ``--sql`` it writes a script for psql.
A refusal ends the command with one line (``alembic.util.CommandError``, with the package's own
error as its ``__cause__``). The URL of the migrations must name psycopg: ``postgresql+psycopg://…``.

::

    operations.py    the operations on catalog, collections and versions, each with its reverse
    privileges.py    the same for grant and revoke
    execute.py       what an operation is; running it online and offline; errors as one line
    calls.py         the operations as methods of op
    autogenerate.py  render, include_name, include_object, process_revision_directives

Nothing else in the package imports alembic.
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
