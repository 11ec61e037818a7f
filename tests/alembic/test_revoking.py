"""A revoke takes what its grant gave, and nothing else: from the operations and from SQL."""

from __future__ import annotations

from itertools import combinations, product

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.migrate_ops import (
    CreateCollectionOp,
    CutOverOp,
    GrantReadOp,
    GrantWorkerOp,
    RegisterModelVersionOp,
    RevokeReadOp,
    RevokeWorkerOp,
)
from tests.alembic.tools import Psql, objects, one, online, script

STANDS = (
    CreateCollectionOp("docs", id_type="bigint"),
    CreateCollectionOp("other"),
    RegisterModelVersionOp("docs", "v1", dimensions=3),
    CutOverOp("docs", "v1"),
    RegisterModelVersionOp("docs", "v2", dimensions=3),
    RegisterModelVersionOp("other", "o1", dimensions=3),
)
RECORDS = list(product(("docs", "other"), ("read", "write", "worker")))


def call(url: str, verb: str, record: tuple[str, str], role: str) -> None:
    collection, privilege = record
    function = sql.Identifier("pgvec", f"{verb}_{privilege}").as_string(None)
    one(url, f"SELECT {function}(%s, quote_ident(%s)::regrole)", collection, role)


def test_after_a_revoke_all_stands_as_before_the_grant_whatever_else_is_held(
    database: str, role: str
) -> None:
    online(database, *STANDS)
    for record in RECORDS:  # Once around: an ACL that was changed never looks untouched again.
        call(database, "grant", record, role)
        call(database, "revoke", record, role)
    nothing = objects(database)
    for held in [some for size in (0, 1, 5) for some in combinations(RECORDS, size)]:
        for record in held:
            call(database, "grant", record, role)
        before = objects(database)
        for record in set(RECORDS) - set(held):
            call(database, "grant", record, role)
            assert objects(database) != before
            call(database, "revoke", record, role)
            assert objects(database) == before, (held, record)
        for record in held:
            call(database, "revoke", record, role)
        assert objects(database) == nothing, held


def test_a_leaf_that_is_hidden_again_is_taken_from_the_reader(database: str, role: str) -> None:
    online(database, *STANDS, GrantReadOp("docs", role))
    for verb in ("build_index", "make_ready"):
        one(database, f"SELECT pgvec.{verb}('docs', 'v2')")
    readable = "SELECT has_table_privilege(%s, 'pgvec_leaves.docs__v2', 'SELECT')"
    assert one(database, readable, role) is True
    one(database, "SELECT pgvec.hold_version('docs', 'v2', 'a test')")
    one(database, "SELECT pgvec.abandon('docs', 'v2')")
    online(database, RevokeReadOp("docs", role))
    assert one(database, readable, role) is False


def test_a_later_version_gives_nothing_to_a_role_that_was_revoked(database: str, role: str) -> None:
    online(database, *STANDS, GrantWorkerOp("docs", role), RevokeWorkerOp("docs", role))
    online(database, RegisterModelVersionOp("docs", "v3", dimensions=3))
    leaf = "SELECT has_table_privilege(%s, 'pgvec_leaves.docs__v3', 'SELECT')"
    assert one(database, leaf, role) is False


def test_the_owner_of_the_catalog_keeps_it(database: str, role: str) -> None:
    online(database, *STANDS)
    with psycopg.connect(database) as connection:
        for change in (
            "ALTER SCHEMA pgvec OWNER TO {}",
            "ALTER TABLE pgvec.work_item OWNER TO {}",
            "ALTER FUNCTION pgvec.nearest OWNER TO {}",
        ):
            connection.execute(sql.SQL(change).format(sql.Identifier(role)))
    online(database, GrantWorkerOp("docs", role), RevokeWorkerOp("docs", role))
    for question in (
        "SELECT has_schema_privilege(%s, 'pgvec', 'USAGE')",
        "SELECT has_table_privilege(%s, 'pgvec.work_item', 'DELETE')",
        "SELECT has_function_privilege(%s, 'pgvec.nearest'::regproc, 'EXECUTE')",
    ):
        assert one(database, question, role) is True, question
    assert one(database, "SELECT has_schema_privilege(%s, 'pgvec_leaves', 'USAGE')", role) is False


def test_what_a_host_gave_by_hand_elsewhere_stays(database: str, role: str) -> None:
    online(database, *STANDS)
    name = sql.Identifier(role).as_string(None)
    for given in ("SEQUENCE other_ids", "TABLE docs_at_v2", "TABLE pgvec.version_status"):
        kind, relation = given.split()
        if "." not in relation:
            one(database, f"CREATE {kind} {relation}{' ()' * (kind == 'TABLE')}")
        one(database, f"GRANT SELECT ON {given} TO {name}")
    online(database, GrantReadOp("docs", role), RevokeReadOp("docs", role))
    for relation in ("docs_at_v2", "pgvec.version_status"):
        assert one(database, "SELECT has_table_privilege(%s, %s, 'SELECT')", role, relation)
    assert one(database, "SELECT has_sequence_privilege(%s, 'other_ids', 'SELECT')", role)


@pytest.mark.parametrize("how", ["online", "script"])
def test_a_history_goes_down_although_the_role_is_gone(
    how: str, database: str, role: str, psql: Psql
) -> None:
    online(database, *STANDS, GrantReadOp("docs", role))
    with psycopg.connect(database) as connection:
        connection.execute('CREATE ROLE "long gone"')
        connection.execute("SELECT pgvec.grant_read('docs', '\"long gone\"')")
        connection.execute('DROP OWNED BY "long gone"; DROP ROLE "long gone"')
    if how == "online":
        online(database, RevokeReadOp("docs", "long gone"))
    else:
        psql(database, script(RevokeReadOp("docs", "long gone")))
    kept = "SELECT array_agg(grantee = quote_ident(%s)::regrole) FROM pgvec.collection_grant"
    assert one(database, kept, role) == [True]


def test_revoking_from_an_unknown_role_is_refused_in_sql(database: str) -> None:
    online(database, *STANDS)
    with pytest.raises(psycopg.errors.UndefinedObject):
        one(database, "SELECT pgvec.revoke_read('docs', 'nobody')")
