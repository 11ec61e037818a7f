"""The operations as methods of ``op``, for Alembic and for type checkers.

Importing this module registers them with Alembic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, cast

from alembic import op as _alembic_op
from alembic.autogenerate import renderers
from alembic.operations import Operations

from pgvec_versions.migrate_ops.autogenerate import render
from pgvec_versions.migrate_ops.execute import PgvecOp, perform
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

# --- Their names on op ---

P = ParamSpec("P")


class _Declared(Generic[P]):
    """An operation as a method, with the parameters of its class."""

    def __init__(self, made_by: Callable[P, PgvecOp]) -> None:
        self._made_by = made_by

    def __get__(self, operations: Operations | None, owner: type) -> Callable[P, None]:
        def invoke(*args: P.args, **kwargs: P.kwargs) -> None:
            assert operations is not None
            operations.invoke(self._made_by(*args, **kwargs))

        invoke.__doc__ = self._made_by.__doc__
        return invoke


class PgvecOperations(Operations):
    """Alembic's operations and those of pgvec: the type of this module's ``op``."""

    upgrade_pgvec = _Declared(UpgradePgvecOp)
    downgrade_pgvec = _Declared(DowngradePgvecOp)
    create_collection = _Declared(CreateCollectionOp)
    drop_collection = _Declared(DropCollectionOp)
    register_model_version = _Declared(RegisterModelVersionOp)
    abandon = _Declared(AbandonOp)
    cut_over = _Declared(CutOverOp)
    roll_back = _Declared(RollBackOp)
    refresh_collection = _Declared(RefreshCollectionOp)
    grant_read = _Declared(GrantReadOp)
    grant_write = _Declared(GrantWriteOp)
    grant_worker = _Declared(GrantWorkerOp)
    revoke_read = _Declared(RevokeReadOp)
    revoke_write = _Declared(RevokeWriteOp)
    revoke_worker = _Declared(RevokeWorkerOp)


#: Alembic's ``op`` with a type. Everything in ``alembic.op`` has the same name here.
op: PgvecOperations = cast("PgvecOperations", _alembic_op)

# --- Telling Alembic ---

_OPERATIONS: tuple[type[PgvecOp], ...] = (
    UpgradePgvecOp,
    DowngradePgvecOp,
    CreateCollectionOp,
    DropCollectionOp,
    RegisterModelVersionOp,
    AbandonOp,
    CutOverOp,
    RollBackOp,
    RefreshCollectionOp,
    GrantReadOp,
    GrantWriteOp,
    GrantWorkerOp,
    RevokeReadOp,
    RevokeWriteOp,
    RevokeWorkerOp,
)

for _operation in _OPERATIONS:
    # register_operation takes the text of help(op.…) from here.
    PgvecOp.invoked.__func__.__doc__ = _operation.__doc__
    Operations.register_operation(_operation.verb, "invoked")(_operation)
    Operations.implementation_for(_operation)(perform)
    renderers.dispatch_for(_operation)(render)
