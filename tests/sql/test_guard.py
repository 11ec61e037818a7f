"""The one rule: a query is compared only with vectors that its own model version produced."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.sql.helpers import chunks, one, put, refused, rows, second_version
from tests.tools import copy_version, live_collection, make_active

READERS = {
    "view": "SELECT count(*) FROM active_docs",
    "pinned": "SELECT count(*) FROM docs_at_v2",
    "nearest": "SELECT count(*) FROM pgvec.nearest('docs', '[1,1,1,1,1,1,1,1]', 'v2', 100)",
}


def declare(connection, version, collection="docs"):
    connection.execute(f"SET pgvec.query_version.{collection} = '{version}'".encode())


# --- The declaration ---


def test_a_session_that_declares_the_active_version_reads(tx):
    second_version(tx, until="active")
    declare(tx, "v2")
    assert one(tx, READERS["view"]) == 20


def test_a_session_that_declares_another_version_is_refused_and_told_both(tx):
    second_version(tx, until="active")
    declare(tx, "v1")
    refusal = refused(tx, "PV011", READERS["view"])
    assert refusal.detail["query_version"] == "v1"
    assert refusal.detail["active"] == "v2"
    assert "v1" in refusal.message
    assert "v2" in refusal.message


@pytest.mark.parametrize("collection", ["docs", "order", "_x"])
def test_an_undeclared_session_is_refused_with_the_line_that_helps(tx, collection):
    live_empty(tx, collection)
    read = f'SELECT count(*) FROM "active_{collection}"'
    refusal = refused(tx, "PV012", read)
    assert refusal.detail == {"collection": collection, "active": "v1", "query_version": None}
    lines = [line.split(";")[0] for line in refusal.hint.split(": ") if line.startswith("SET ")]
    assert len(lines) == 2
    for line in lines:
        with tx.transaction(force_rollback=True):
            tx.execute(line.encode())
            assert one(tx, read) == 0
    refused(tx, "PV012", read)


def live_empty(tx, collection):
    """An active version without chunks, in a collection that may be named by a reserved word."""
    tx.execute("SELECT pgvec.create_collection(%s)", (collection,))
    tx.execute("SELECT pgvec.register_version(%s, 'v1', 8)", (collection,))
    make_active(tx, collection, "v1")


def test_any_says_that_no_vectors_are_compared(tx):
    second_version(tx, until="active")
    declare(tx, "any")
    assert one(tx, READERS["view"]) == 20
    assert one(tx, READERS["pinned"]) == 20


def test_a_declaration_that_ended_with_its_transaction_is_no_declaration(db):
    live_collection(db, count=1)
    with db.transaction():
        db.execute("SET LOCAL pgvec.query_version.docs = 'v1'")
        assert one(db, READERS["view"]) == 1
    assert one(db, "SELECT current_setting('pgvec.query_version.docs')") == ""
    refused(db, "PV012", READERS["view"])


def test_a_declaration_for_one_collection_says_nothing_about_another(tx):
    live_collection(tx, count=1)
    live_collection(tx, "notes", count=1)
    declare(tx, "v1", "notes")
    refused(tx, "PV012", READERS["view"])


def test_a_collection_may_do_without_declarations_but_not_with_wrong_ones(tx):
    live_collection(tx, count=1, require_query_version=False)
    assert one(tx, READERS["view"]) == 1
    declare(tx, "v0")
    refused(tx, "PV011", READERS["view"])


def test_a_pinned_view_says_by_its_name_what_it_holds(tx):
    second_version(tx, until="active")
    assert one(tx, "SELECT count(*) FROM docs_at_v1") == 20
    assert rows(tx, "SELECT DISTINCT model_version FROM docs_at_v1") == [("v1",)]
    declare(tx, "v2")
    refusal = refused(tx, "PV011", "SELECT count(*) FROM docs_at_v1")
    assert (refusal.detail["model_version"], refusal.detail["query_version"]) == ("v1", "v2")


def test_a_stale_query_of_the_same_dimension_is_refused_everywhere(tx):
    second_version(tx, until="active")
    query = "'[1,1,1,1,1,1,1,1]'"
    declare(tx, "v1")
    refused(tx, "PV011", f"SELECT content FROM active_docs ORDER BY embedding <=> {query} LIMIT 1")
    refusal = refused(tx, "PV011", f"SELECT * FROM pgvec.nearest('docs', {query}, 'v2')")
    assert (refusal.detail["declared"], refusal.detail["query_version"]) == ("v1", "v2")
    refusal = refused(
        tx, "PV011", f"SELECT * FROM pgvec.nearest('docs', {query}, 'v1', expect_active => true)"
    )
    assert (refusal.detail["active"], refusal.detail["query_version"]) == ("v2", "v1")
    found = rows(tx, f"SELECT model_version FROM pgvec.nearest('docs', {query}, 'v1', 50)")
    assert found == [("v1",)] * 20


def test_the_hint_of_a_mismatch_in_nearest_can_be_run(tx):
    live_empty(tx, "order")
    nearest = "SELECT * FROM pgvec.nearest('order', '[1,1,1,1,1,1,1,1]', 'v1')"
    declare(tx, "v0", '"order"')
    line = refused(tx, "PV011", nearest).hint.split(";")[0]
    tx.execute(line.encode())
    assert rows(tx, nearest) == []


# --- The routing view ---


def columns(tx, relation):
    return rows(
        tx,
        "SELECT attname, format_type(atttypid, atttypmod), attcollation FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        relation,
    )


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
def test_before_the_first_cut_over_the_view_is_empty_and_has_every_column(tx, storage):
    tx.execute("SELECT pgvec.create_collection('docs', storage => %s)", (storage,))
    tx.execute('ALTER TABLE docs ADD COLUMN tenant text COLLATE "C", ADD COLUMN "Übung" numeric')
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    put(tx, "a", "v1")
    assert columns(tx, "active_docs") == columns(tx, "docs")
    assert rows(tx, "SELECT * FROM active_docs") == []
    make_active(tx, "docs", "v1")
    assert columns(tx, "active_docs") == columns(tx, "docs")
    declare(tx, "v1")
    assert len(rows(tx, "SELECT * FROM active_docs")) == 1


def test_the_hosts_own_views_survive_a_change_of_dimension(tx):
    live_collection(tx, count=10)
    tx.execute("CREATE VIEW titles AS SELECT document_id, content, embedding FROM active_docs")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 5)")
    copy_version(tx, "docs", "v1", "v2", 5)
    make_active(tx, "docs", "v2")
    declare(tx, "v2")
    assert rows(tx, "SELECT DISTINCT vector_dims(embedding) FROM titles") == [(5,)]
    tx.execute("SELECT pgvec.roll_back('docs')")
    declare(tx, "v1")
    assert rows(tx, "SELECT DISTINCT vector_dims(embedding) FROM titles") == [(8,)]


def test_ten_flips_lose_neither_the_grants_nor_the_invoker(tx, role):
    second_version(tx)
    tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    tx.execute(f"GRANT INSERT ON active_docs TO {role}".encode())
    tx.execute("SELECT pgvec.cut_over('docs', 'v2')")
    granted = one(tx, "SELECT relacl::text FROM pg_class WHERE oid = 'active_docs'::regclass")
    assert f"{role}=ar/" in granted
    for _ in range(10):
        active = one(tx, "SELECT pgvec.roll_back('docs')")
        options, acl = rows(
            tx,
            "SELECT reloptions, relacl::text FROM pg_class WHERE oid = 'active_docs'::regclass",
        )[0]
        assert options == ["security_invoker=true"]
        assert acl == granted
        with tx.transaction(force_rollback=True):
            tx.execute(f"SET ROLE {role}".encode())
            declare(tx, active)
            assert one(tx, READERS["view"]) == 20


# --- Old snapshots ---


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_older_than_the_cut_over_is_told_to_run_again(db, connect, isolation, reader):
    second_version(db, until="building")
    old = connect()
    old.execute("SET pgvec.query_version.docs = 'v2'")
    old.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    assert one(old, "SELECT count(*) FROM pgvec.model_version") == 2
    make_active(db, "docs", "v2")
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        old.execute(READERS[reader].encode())
    assert json.loads(caught.value.diag.message_detail or "")["model_version"] == "v2"
    old.execute("ROLLBACK")
    old.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    assert one(old, READERS[reader]) == 20


def test_a_snapshot_never_sees_a_version_that_was_registered_after_it(db, connect):
    live_collection(db, count=20)
    old = connect()
    old.execute("SET pgvec.query_version.docs = 'v2'")
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert one(old, "SELECT count(*) FROM pgvec.model_version") == 1
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(db, "docs", "v1", "v2")
    make_active(db, "docs", "v2")
    refused(old, "40001", READERS["view"])
    refused(old, "40001", READERS["pinned"])


def test_read_committed_readers_go_on_through_a_cut_over(db, connect):
    second_version(db)
    reader = connect()
    reader.execute("BEGIN")
    reader.execute("SET LOCAL pgvec.query_version.docs = 'any'")
    assert one(reader, "SELECT min(model_version) FROM docs_at_v1") == "v1"
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    assert one(reader, "SELECT min(model_version) FROM active_docs") == "v2"


# --- Row-level security ---


@pytest.fixture
def role(tx):
    """A role that owns nothing, gone with the transaction."""
    tx.execute("CREATE ROLE pgvec_reader")
    return "pgvec_reader"


POLICIES = {
    "plain": "USING (metadata ->> 'tenant' = current_setting('app.tenant'))",
    "with a subquery that names the table": (
        "USING (EXISTS (SELECT FROM tenants t WHERE t.name = docs.metadata ->> 'tenant'"
        " AND t.name = current_setting('app.tenant') AND t.id = md5(docs.chunk_id::text)))"
    ),
    "on the table itself": (
        "USING (current_setting('app.tenant') IN (SELECT docs.metadata ->> 'tenant'"
        " FROM (VALUES (1)) this(n) WHERE docs.content IS NOT NULL))"
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("when", ["before the versions", "after them"])
def test_row_level_security_holds_through_every_way_of_reading(tx, role, policy, when):
    tx.execute("SELECT pgvec.create_collection('docs')")
    secure = [
        "CREATE TABLE tenants (id text, name text)",
        f"GRANT SELECT ON tenants TO {role}",
        "ALTER TABLE docs ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON docs FOR SELECT {POLICIES[policy]}",
    ]
    if when == "before the versions":
        for statement in secure:
            tx.execute(statement.encode())
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    put(tx, "a", metadata='{"tenant": "red"}')
    put(tx, "b", metadata='{"tenant": "blue"}')
    make_active(tx, "docs", "v1")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(tx, "docs", "v1", "v2")
    make_active(tx, "docs", "v2")
    if when == "after them":
        for statement in secure:
            tx.execute(statement.encode())
        tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute("INSERT INTO tenants SELECT md5(chunk_id::text), metadata ->> 'tenant' FROM docs")
    tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    tx.execute(f"SET LOCAL ROLE {role}".encode())
    tx.execute("SET app.tenant = 'red'")
    declare(tx, "v2")
    nearest = READERS["nearest"].replace("count(*)", "content")
    for reader in ("SELECT content FROM active_docs", "SELECT content FROM docs_at_v2", nearest):
        assert rows(tx, reader) == [("a",)]
    tx.execute("RESET pgvec.query_version.docs")
    assert rows(tx, "SELECT content FROM docs_at_v1") == [("a",)]
    refused(tx, "42501", "SELECT content FROM docs")


def test_a_tenant_with_few_rows_gets_all_of_them_from_nearest(tx, role):
    live_collection(tx, count=400)
    tx.execute("UPDATE docs SET metadata = '{\"tenant\": \"red\"}' WHERE content LIKE 'text 10%'")
    tx.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    tx.execute("CREATE POLICY tenant ON docs USING (metadata ->> 'tenant' = 'red')")
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    tx.execute(f"SET LOCAL ROLE {role}".encode())
    tx.execute("SET enable_sort = off; SET hnsw.max_scan_tuples = 1")
    nearest = "SELECT count(*) FROM pgvec.nearest('docs', '[1,1,1,1,1,1,1,1]', 'v1', 11)"
    assert one(tx, nearest) == 11


def test_a_collection_named_like_anothers_leaf_has_its_own_policies(tx):
    tx.execute("SELECT pgvec.create_collection('docs'), pgvec.create_collection('docs__v1')")
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    tx.execute("SELECT pgvec.register_version('docs__v1', 'x', 8)")
    for name in ("docs", "docs__v1"):
        tx.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY".encode())
        tx.execute(f"CREATE POLICY mine ON {name} USING ({name}.content <> '')".encode())
        tx.execute("SELECT pgvec.refresh_collection(%s)", (name,))
    assert rows(
        tx, "SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'mine' ORDER BY 1"
    ) == [("docs",), ("docs__v1",), ("pgvec_leaves.docs__v1_2",), ("pgvec_leaves.docs__v1__x",)]


def test_a_granted_reader_may_read_the_view_before_anything_is_active(tx, role):
    tx.execute("SELECT pgvec.create_collection('docs')")
    tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    with tx.transaction(force_rollback=True):
        tx.execute(f"SET LOCAL ROLE {role}".encode())
        assert rows(tx, "SELECT * FROM active_docs") == []


def test_a_grant_holds_for_versions_that_come_after_it(tx, role):
    tx.execute("SELECT pgvec.create_collection('docs')")
    tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    for version in ("v1", "v2"):
        tx.execute("SELECT pgvec.register_version('docs', %s, 8)", (version,))
        put(tx, "a", version)
        make_active(tx, "docs", version)
        with tx.transaction(force_rollback=True):
            tx.execute(f"SET LOCAL ROLE {role}".encode())
            declare(tx, version)
            for reader in READERS.values():
                assert one(tx, reader.replace("v2", version)) == 1


def test_a_reader_cannot_make_our_trigger_work_for_a_table_of_his_own(tx, role):
    live_collection(tx, count=3)
    tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    before = chunks(tx, "v1")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    # A reader may not name it; a role that the host lets name it gets no further.
    tx.execute(f"GRANT EXECUTE ON FUNCTION pgvec.follow_writes TO {role}".encode())
    tx.execute(f"SET LOCAL ROLE {role}".encode())
    tx.execute(
        "CREATE TEMP TABLE mine (chunk_id uuid, model_version text, content text,"
        " metadata jsonb, written_at timestamptz)"
    )
    for chunk_id in before:
        tx.execute("INSERT INTO mine VALUES (%s, 'x')", (chunk_id,))
    tx.execute(
        "CREATE TRIGGER t AFTER DELETE ON mine REFERENCING OLD TABLE AS old_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes('docs')"
    )
    refused(tx, "PV007", "DELETE FROM mine RETURNING 1")
    tx.execute("RESET ROLE")
    assert chunks(tx, "v1") == before
