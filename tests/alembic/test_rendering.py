"""What autogenerate writes for an operation is the operation."""

from __future__ import annotations

import inspect
from datetime import timedelta

import alembic.op
import pytest
from alembic.autogenerate import render_python_code
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext

from pgvec_versions import migrate_ops
from pgvec_versions.migrate_ops import (
    AbandonOp,
    CreateCollectionOp,
    CutOverOp,
    DowngradePgvecOp,
    DropCollectionOp,
    GrantReadOp,
    GrantWorkerOp,
    GrantWriteOp,
    PgvecOp,
    PgvecOperations,
    RefreshCollectionOp,
    RegisterModelVersionOp,
    RevokeReadOp,
    RevokeWorkerOp,
    RevokeWriteOp,
    RollBackOp,
    UpgradePgvecOp,
)

SOURCES: list[tuple[PgvecOp, str]] = [
    (UpgradePgvecOp(), "op.upgrade_pgvec()"),
    (UpgradePgvecOp(7), "op.upgrade_pgvec(version=7)"),
    (DowngradePgvecOp(3), "op.downgrade_pgvec(version=3)"),
    (CreateCollectionOp("docs"), "op.create_collection('docs')"),
    (
        CreateCollectionOp(
            "docs",
            distance="l2",
            storage="halfvec",
            id_type="text",
            retire_after="1 mon",
            require_query_version=False,
            follow_while_draining=False,
        ),
        "op.create_collection('docs', distance='l2', storage='halfvec', id_type='text', "
        "retire_after='1 mon', require_query_version=False, follow_while_draining=False)",
    ),
    (DropCollectionOp("docs"), "op.drop_collection('docs')"),
    (
        RegisterModelVersionOp("docs", "v1", dimensions=384),
        "op.register_model_version('docs', 'v1', dimensions=384)",
    ),
    (
        RegisterModelVersionOp(
            "docs", "v1", dimensions=3, embedder={"model": "a\"'b"}, m=8, ef_construction=32
        ),
        "op.register_model_version('docs', 'v1', dimensions=3, "
        """embedder={'model': 'a"\\'b'}, m=8, ef_construction=32)""",
    ),
    (AbandonOp("docs", "v1"), "op.abandon('docs', 'v1')"),
    (
        AbandonOp("docs", "v1", unless_activated=True),
        "op.abandon('docs', 'v1', unless_activated=True)",
    ),
    (CutOverOp("docs", "v1"), "op.cut_over('docs', 'v1')"),
    (RollBackOp("docs"), "op.roll_back('docs')"),
    (RollBackOp("docs", cut_over_to="v2"), "op.roll_back('docs', cut_over_to='v2')"),
    (RefreshCollectionOp("docs"), "op.refresh_collection('docs')"),
    (GrantReadOp("docs", "app"), "op.grant_read('docs', 'app')"),
    (GrantWriteOp("docs", "app"), "op.grant_write('docs', 'app')"),
    (GrantWorkerOp("docs", "app"), "op.grant_worker('docs', 'app')"),
    (RevokeReadOp("docs", "app"), "op.revoke_read('docs', 'app')"),
    (RevokeWriteOp("docs", "app"), "op.revoke_write('docs', 'app')"),
    (RevokeWorkerOp("docs", "app"), "op.revoke_worker('docs', 'app')"),
]


class Recorder(Operations):
    """An ``op`` that keeps what it is asked to do."""

    def __init__(self) -> None:
        super().__init__(MigrationContext.configure(dialect_name="postgresql"))
        self.asked: list[object] = []

    def invoke(self, operation: object) -> None:  # type: ignore[override]
        self.asked.append(operation)


def rendered(operation: PgvecOp, **options: str) -> str:
    code = render_python_code(ops.UpgradeOps([operation]), **options)  # type: ignore[arg-type]
    return "\n".join(
        line for line in code.splitlines() if not line.lstrip().startswith("#")
    ).strip()


@pytest.mark.parametrize(
    ("operation", "source"), SOURCES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_rendered_call_is_the_operation_again(operation: PgvecOp, source: str) -> None:
    assert rendered(operation) == source
    recorder = Recorder()
    exec(source, {"op": recorder})
    assert recorder.asked == [operation]
    assert operation.to_diff_tuple()[0] == operation.verb


def test_a_timedelta_is_rendered_as_an_interval() -> None:
    assert (
        rendered(CreateCollectionOp("docs", retire_after=timedelta(days=7)))
        == "op.create_collection('docs')"
    )
    longer = CreateCollectionOp("docs", retire_after=timedelta(days=1, minutes=2, microseconds=3))
    assert (
        rendered(longer)
        == "op.create_collection('docs', retire_after='1 days 120 seconds 3 microseconds')"
    )


def test_the_hosts_own_prefix_is_kept() -> None:
    assert (
        rendered(RefreshCollectionOp("docs"), alembic_module_prefix="alembic.op.")
        == "alembic.op.refresh_collection('docs')"
    )


def test_every_operation_is_rendered_declared_and_on_op() -> None:
    made = {
        value
        for name, value in vars(migrate_ops).items()
        if inspect.isclass(value)
        and issubclass(value, PgvecOp)
        and hasattr(value, "verb")
        and not name.startswith("_")
    }
    assert {type(operation) for operation, _ in SOURCES} == made
    for operation in made:
        assert callable(getattr(alembic.op, operation.verb))
        assert operation.verb in vars(PgvecOperations)
        assert operation.__name__ in migrate_ops.__all__
        assert operation.__doc__
        assert getattr(alembic.op, operation.verb).__doc__ == operation.__doc__


def test_op_of_this_module_is_the_op_of_alembic() -> None:
    assert migrate_ops.op is alembic.op  # type: ignore[comparison-overlap]
