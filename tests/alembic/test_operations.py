"""Each operation, online and as a script, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from alembic.operations import MigrateOperation, ops
from alembic.util import CommandError
from psycopg import sql

from pgvec_versions.errors import (
    AlreadyExists,
    CatalogNotInstalled,
    NotReady,
    UnknownCollection,
    UnknownVersion,
    WrongState,
)
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
    RefreshCollectionOp,
    RegisterModelVersionOp,
    RevokeReadOp,
    RevokeWorkerOp,
    RevokeWriteOp,
    RollBackOp,
    UpgradePgvecOp,
)
from tests.alembic.tools import HERE, NewDatabase, Psql, everything, one, online, script, states
from tests.tools import fill

CREATE = CreateCollectionOp("docs")
EMBEDDER = {
    "provider": "http",
    "model": 'o\'neil/50% :name ::text \\d $$ "é" {x} %(collection)s',
    "revision": "1",
    "options": {"normalize": True, "scale": 0.5, "nothing": None},
}
V1 = RegisterModelVersionOp("docs", "v1", dimensions=8, embedder=EMBEDDER, m=8, ef_construction=32)
V2 = RegisterModelVersionOp("docs", "v2", dimensions=4)
FIRST = (CREATE, V1, CutOverOp("docs", "v1"))
SECOND = (*FIRST, V2, CutOverOp("docs", "v2"))

# What stands there before, and the operation.
CASES: dict[str, tuple[tuple[PgvecOp, ...], PgvecOp]] = {
    "create_collection": ((), CREATE),
    "create_collection_with_options": (
        (),
        CreateCollectionOp(
            "docs",
            distance="inner_product",
            storage="halfvec",
            id_type="bigint",
            retire_after=timedelta(days=3, hours=2),
            require_query_version=False,
            follow_while_draining=False,
        ),
    ),
    "drop_collection": (SECOND, DropCollectionOp("docs")),
    "register_model_version": ((CREATE,), V1),
    "abandon": ((CREATE, V1), AbandonOp("docs", "v1")),
    "cut_over_to_the_first": ((CREATE, V1), CutOverOp("docs", "v1")),
    "cut_over_to_the_second": ((*FIRST, V2), CutOverOp("docs", "v2")),
    "roll_back": (SECOND, RollBackOp("docs")),
    "roll_back_of_a_cut_over": (SECOND, RollBackOp("docs", cut_over_to="v2")),
    "refresh_collection": (FIRST, RefreshCollectionOp("docs")),
}
#: Their reverse brings back what was there before, to the last object.
EXACT = {"create_collection", "create_collection_with_options", "refresh_collection"}


@pytest.mark.parametrize("case", CASES)
def test_a_script_does_what_the_operation_does_and_so_does_its_reverse(
    case: str, new_database: NewDatabase, psql: Psql
) -> None:
    before, operation = CASES[case]
    direct, scripted = new_database(), new_database()
    online(direct, *before)
    if before:
        psql(scripted, script(*before))
    if case == "refresh_collection":
        for url in (direct, scripted):
            one(url, "ALTER TABLE docs ADD COLUMN tenant text")
    start = everything(direct)
    assert everything(scripted) == start

    online(direct, operation)
    psql(scripted, script(operation))
    after = everything(direct)
    assert after != start
    assert everything(scripted) == after

    if case in ("drop_collection", "abandon"):
        with pytest.raises(NotImplementedError):
            operation.reverse()
        return
    back = operation.reverse()
    assert isinstance(back, PgvecOp)
    online(direct, back)
    psql(scripted, script(back))
    assert everything(scripted) == everything(direct)
    if case in EXACT - {"refresh_collection"}:
        assert everything(direct) == start
    # And the reverse of the reverse is the operation again.
    assert back.reverse() == operation


@pytest.mark.parametrize("operation", [UpgradePgvecOp(1), DowngradePgvecOp(0)])
def test_the_reverse_of_a_catalog_version_is_the_one_before(
    operation: UpgradePgvecOp | DowngradePgvecOp,
) -> None:
    back = operation.reverse()
    assert (type(back), back.version) == (
        (DowngradePgvecOp, 0) if operation.version else (UpgradePgvecOp, 1)
    )
    assert back.reverse() == operation


def test_defaults_are_those_of_the_sql_functions(new_database: NewDatabase) -> None:
    ours, plain = new_database(), new_database()
    online(ours, CREATE, RegisterModelVersionOp("docs", "v1", dimensions=3))
    one(plain, "SELECT pgvec.create_collection('docs')")
    one(plain, "SELECT pgvec.register_version('docs', 'v1', 3)")
    assert everything(ours) == everything(plain)


@pytest.mark.parametrize("how", ["online", "script"])
def test_an_embedder_arrives_as_it_was_written(how: str, database: str, psql: Psql) -> None:
    if how == "online":
        online(database, CREATE, V1)
    else:
        psql(database, script(CREATE, V1))
    assert one(database, "SELECT embedder FROM pgvec.model_version") == EMBEDDER


# --- A history goes down and up again ---


def test_a_version_goes_from_registered_to_active_in_one_migration(database: str) -> None:
    online(database, *FIRST)
    assert states(database) == {"v1": "active"}
    online(database, *SECOND[3:])
    assert states(database) == {"v1": "draining", "v2": "active"}


def test_a_cut_over_that_was_downgraded_is_upgraded_again(database: str) -> None:
    online(database, *SECOND)
    cut = CutOverOp("docs", "v2")
    for _ in range(2):
        online(database, cut.reverse())
        assert states(database) == {"v1": "active", "v2": "draining"}
        online(database, cut)
        assert states(database) == {"v1": "draining", "v2": "active"}


def test_the_first_cut_over_has_nothing_before_it_and_stays(database: str) -> None:
    online(database, *FIRST)
    history: list[MigrateOperation] = [operation.reverse() for operation in reversed(FIRST)]
    for back in history[:2]:
        online(database, back)  # type: ignore[arg-type]
        assert states(database) == {"v1": "active"}
    online(database, V1, CutOverOp("docs", "v1"))
    assert states(database) == {"v1": "active"}
    # Nor is a version that was never active something to go back to.
    online(database, V2, CutOverOp("docs", "v1").reverse())
    assert states(database) == {"v1": "active", "v2": "building"}
    online(database, *history)  # type: ignore[arg-type]
    assert one(database, "SELECT count(*) FROM pgvec.collection") == 0
    online(database, *FIRST)
    assert states(database) == {"v1": "active"}


def test_a_whole_history_reverses_as_alembic_does_it(database: str) -> None:
    before = everything(database)
    whole = ops.UpgradeOps([*SECOND])
    online(database, *whole.ops)
    online(database, *whole.reverse().ops)
    assert everything(database) == before


def test_a_downgraded_registration_is_abandoned_and_its_label_used_up(database: str) -> None:
    online(database, CREATE, V1)
    online(database, V1.reverse())
    assert states(database) == {"v1": "abandoned"}
    with pytest.raises(CommandError, match="PV004") as raised:
        online(database, V1)
    assert isinstance(raised.value.__cause__, AlreadyExists)


def test_a_version_that_is_registered_already_is_left_as_it_is(database: str) -> None:
    online(database, CREATE, V1)
    before = everything(database)
    online(database, V1)
    assert everything(database) == before
    for other in (
        RegisterModelVersionOp(
            "docs", "v1", dimensions=9, embedder=EMBEDDER, m=8, ef_construction=32
        ),
        RegisterModelVersionOp(
            "docs",
            "v1",
            dimensions=8,
            embedder={**EMBEDDER, "revision": "2"},
            m=8,
            ef_construction=32,
        ),
        RegisterModelVersionOp(
            "docs", "v1", dimensions=8, embedder=EMBEDDER, m=16, ef_construction=32
        ),
        RegisterModelVersionOp(
            "docs", "v1", dimensions=8, embedder=EMBEDDER, m=8, ef_construction=64
        ),
    ):
        with pytest.raises(CommandError, match="PV004"):
            online(database, other)


def test_cut_over_refuses_while_a_chunk_is_missing(database: str) -> None:
    online(database, *FIRST)
    with psycopg.connect(database) as connection:
        fill(connection, "docs", "v1", 3)
    online(database, RegisterModelVersionOp("docs", "v2", dimensions=8))
    with pytest.raises(CommandError, match="PV006") as raised:
        online(database, CutOverOp("docs", "v2"))
    assert isinstance(raised.value.__cause__, NotReady)
    assert states(database) == {"v1": "active", "v2": "building"}


@pytest.mark.parametrize(
    ("before", "operation", "error"),
    [
        ((), V1, UnknownCollection),
        ((), DropCollectionOp("docs"), UnknownCollection),
        ((CREATE,), CREATE, AlreadyExists),
        ((CREATE,), CutOverOp("docs", "v1"), UnknownVersion),
        ((CREATE,), RollBackOp("docs"), WrongState),
        (FIRST, RollBackOp("docs"), WrongState),
        (FIRST, AbandonOp("docs", "v1"), WrongState),
        ((CREATE,), RollBackOp("docs", cut_over_to="v1"), UnknownVersion),
        ((CREATE,), AbandonOp("docs", "v1", unless_activated=True), UnknownVersion),
        ((CREATE,), GrantReadOp("nodocs", "postgres"), UnknownCollection),
        ((CREATE,), RevokeReadOp("nodocs", "postgres"), UnknownCollection),
    ],
)
def test_a_refusal_is_one_line_and_changes_nothing(
    before: tuple[PgvecOp, ...], operation: PgvecOp, error: type[Exception], database: str
) -> None:
    online(database, *before)
    stands = everything(database)
    with pytest.raises(CommandError) as raised:
        online(database, operation)
    assert isinstance(raised.value.__cause__, error)
    assert "\n" not in str(raised.value)
    assert everything(database) == stands


def test_without_a_catalog_the_error_says_so(empty_database: str) -> None:
    with pytest.raises(CommandError) as raised:
        online(empty_database, CREATE)
    assert isinstance(raised.value.__cause__, CatalogNotInstalled)


# --- Privileges ---

GRANTS: list[tuple[Callable[[str, str], PgvecOp], Callable[[str, str], PgvecOp]]] = [
    (GrantReadOp, RevokeReadOp),
    (GrantWriteOp, RevokeWriteOp),
    (GrantWorkerOp, RevokeWorkerOp),
]


def privileges(url: str, role: str) -> set[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        query = (HERE / "privileges.sql").read_bytes()
        return set(connection.execute(query, {"role": role}).fetchall())


@pytest.mark.parametrize("how", ["online", "script"])
def test_what_is_granted_is_revoked_and_the_rest_is_kept(
    how: str, database: str, role: str, psql: Psql
) -> None:
    def run(*operations: PgvecOp) -> None:
        online(database, *operations) if how == "online" else psql(database, script(*operations))

    run(*FIRST, CreateCollectionOp("other"))
    nothing = privileges(database, role)
    alone: list[set[tuple[Any, ...]]] = []
    for grant, revoke in GRANTS:
        operation = grant("docs", role)
        assert operation.reverse() == revoke("docs", role)
        assert revoke("docs", role).reverse() == operation
        run(operation)
        alone.append(privileges(database, role))
        run(revoke("docs", role))
        assert privileges(database, role) == nothing
    assert all(held > nothing for held in alone)
    assert ("active_docs", "SELECT") in alone[0]
    assert ("docs", "INSERT") in alone[1]
    assert ("pgvec.queue_docs(text,jsonb)", "EXECUTE") in alone[2]
    assert not any(name == "pgvec.work_item" for held in alone for name, _ in held)

    run(*(grant("docs", role) for grant, _ in GRANTS), GrantReadOp("other", role))
    run(RevokeWriteOp("docs", role), RevokeWorkerOp("docs", role))
    assert privileges(database, role) == alone[0] | {("active_other", "SELECT")}
    run(RevokeReadOp("docs", role))
    assert ("active_other", "SELECT") in privileges(database, role)
    assert ("active_docs", "SELECT") not in privileges(database, role)


def test_revoking_from_the_owner_takes_nothing_from_it(database: str, role: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            sql.SQL("GRANT CREATE ON SCHEMA public TO {0}").format(sql.Identifier(role))
        )
    online(database, *FIRST)
    with psycopg.connect(database) as connection:
        for kind, name in (("TABLE", "docs"), ("VIEW", "active_docs")):
            change = sql.SQL("ALTER {} {} OWNER TO {}")
            connection.execute(
                change.format(sql.SQL(kind), sql.Identifier(name), sql.Identifier(role))
            )
    before = {held for held in privileges(database, role) if held[0] in ("docs", "active_docs")}
    assert ("docs", "DELETE") in before
    online(database, GrantWriteOp("docs", role), RevokeWriteOp("docs", role))
    assert {
        held for held in privileges(database, role) if held[0] in ("docs", "active_docs")
    } == before


def test_revoking_what_was_never_granted_does_nothing(database: str, role: str) -> None:
    online(database, *FIRST)
    one(database, f"GRANT SELECT ON active_docs TO {sql.Identifier(role).as_string(None)}")
    before = everything(database)
    online(database, RevokeReadOp("docs", role))
    assert everything(database) == before


def test_a_default_isolation_is_named_with_its_way_out(new_database: NewDatabase) -> None:
    url = new_database()
    online(url, CREATE, V1)
    with psycopg.connect(url, autocommit=True) as db:
        name = sql.Identifier(db.info.dbname)
        setting = sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'")
        db.execute(setting.format(name))
    with pytest.raises(CommandError, match=r'isolation_level="READ COMMITTED"\)\. \(PV007\)'):
        online(url, CutOverOp("docs", "v1"))
    # As env.py then has it.
    online(url, CutOverOp("docs", "v1"), isolation_level="READ COMMITTED")
    assert states(url) == {"v1": "active"}
