"""Who may do what: readers, writers, workers and tenants, through ten flips."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.helpers import one, put, refused, rows, second_version, work_off
from tests.tools import copy_version, live_collection, make_active

ONES = "[1,1,1,1,1,1,1,1]"


@pytest.fixture
def roles(tx: psycopg.Connection) -> None:
    for role in ("pgvec_reader", "pgvec_writer", "pgvec_worker"):
        tx.execute(f"CREATE ROLE {role}".encode())


def grant(tx: psycopg.Connection) -> None:
    for verb in ("read", "write", "worker"):
        role = {"read": "reader", "write": "writer"}.get(verb, verb)
        tx.execute(f"SELECT pgvec.grant_{verb}('docs', 'pgvec_{role}')".encode())


def secure(tx: psycopg.Connection) -> None:
    """A tenant sees its own rows; a writer writes them."""
    tx.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    tx.execute(
        "CREATE POLICY tenant ON docs USING (metadata ->> 'tenant' = current_setting('app.tenant'))"
    )
    tx.execute("SELECT pgvec.refresh_collection('docs')")


def test_tenants_see_their_own_rows_and_no_others_through_ten_flips(tx, roles) -> None:
    live_collection(tx, count=0)
    grant(tx)
    secure(tx)
    for word, tenant in (("a", "red"), ("b", "blue"), ("c", "blue")):
        put(tx, word, metadata=f'{{"tenant": "{tenant}"}}')
    previous = "v1"
    for flip in range(2, 12):
        label = f"v{flip}"
        tx.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
        copy_version(tx, "docs", previous, label)
        make_active(tx, "docs", label)
        retired = one(tx, "SELECT pinned_view FROM pgvec.model_version WHERE state = 'draining'")
        with tx.transaction(force_rollback=True):
            tx.execute("SET LOCAL ROLE pgvec_reader; SET LOCAL app.tenant = 'red'")
            tx.execute(f"SET LOCAL pgvec.query_version.docs = '{label}'".encode())
            for reader in (
                "SELECT content FROM active_docs",
                f"SELECT content FROM docs_at_{label}",
                f"SELECT content FROM pgvec_leaves.docs__{label}",
                f"SELECT content FROM pgvec.nearest('docs', '{ONES}', '{label}')",
            ):
                assert rows(tx, reader) == [("a",)], (label, reader)
            tx.execute("SET LOCAL pgvec.query_version.docs = 'any'")
            assert rows(tx, f"SELECT content FROM {retired}") == [("a",)]
            refused(tx, "42501", "SELECT content FROM docs")
        with tx.transaction(force_rollback=True):
            tx.execute("SET LOCAL ROLE pgvec_writer; SET LOCAL app.tenant = 'red'")
            assert rows(tx, "SELECT DISTINCT content FROM docs") == [("a",)]
        tx.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
        assert one(tx, "SELECT pgvec.retire_version('docs', %s)", previous) == "retired"
        previous = label


def test_a_search_runs_uncompiled_and_the_session_keeps_its_setting(tx, roles) -> None:
    live_collection(tx, count=30)
    grant(tx)
    # Who may see a row only while nothing is compiled tells what is set while nearest runs.
    tx.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    tx.execute("CREATE POLICY uncompiled ON docs USING (current_setting('jit') = 'off')")
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute("SET LOCAL ROLE pgvec_reader; SET LOCAL jit = on")
    # With k above what there is, the exact ranking answers.
    for k, found in ((10, 10), (40, 30)):
        nearest = f"SELECT content FROM pgvec.nearest('docs', '{ONES}', 'v1', {k})"
        assert len(rows(tx, nearest)) == found
    assert one(tx, "SHOW jit") == "on"
    assert rows(tx, "SELECT content FROM docs_at_v1") == []


def test_a_worker_that_does_not_see_all_tenants_stops_and_loses_none(tx, roles) -> None:
    live_collection(tx, count=0)
    grant(tx)
    secure(tx)
    for word, tenant in (("a", "red"), ("b", "blue")):
        put(tx, word, metadata=f'{{"tenant": "{tenant}"}}')
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    tx.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
    tx.execute("SET LOCAL ROLE pgvec_worker; SET LOCAL app.tenant = 'red'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
        work_off(tx, "v2")
    tx.execute("RESET ROLE; ALTER ROLE pgvec_worker BYPASSRLS; SET LOCAL ROLE pgvec_worker")
    assert work_off(tx, "v2") > 0
    tx.execute("RESET ROLE")
    filled = "SELECT content FROM docs WHERE model_version = 'v2' ORDER BY 1"
    assert rows(tx, filled) == [("a",), ("b",)]


def test_a_reader_sees_no_leaf_of_a_version_that_is_not_shown(tx, roles) -> None:
    second_version(tx, until="building")
    grant(tx)
    tx.execute("SET LOCAL ROLE pgvec_reader")
    refused(tx, "42501", "SELECT * FROM pgvec_leaves.docs__v2")
    refused(tx, "42501", "SELECT * FROM docs")
    refused(tx, "42501", "INSERT INTO docs (model_version, content) VALUES ('v1', 'x') RETURNING 1")
    refused(tx, "42501", "SELECT * FROM pgvec.work_item")
    for verb in ("cut_over('docs', 'v2')", "abandon('docs', 'v2')", "drop_collection('docs')"):
        refused(tx, "42501", f"SELECT pgvec.{verb}")
    refused(tx, "42501", "SELECT pgvec.grant_write('docs', 'pgvec_reader')")


def test_a_worker_changes_rows_and_nothing_else(tx, roles) -> None:
    second_version(tx, until="building")
    grant(tx)
    tx.execute("SET LOCAL ROLE pgvec_worker")
    for statement in (
        "CREATE TABLE pgvec.mine (id int)",
        "CREATE TABLE pgvec_leaves.mine (id int)",
        "ALTER TABLE pgvec_leaves.docs__v2 ADD COLUMN mine int",
        "DROP TABLE pgvec_leaves.docs__v1",
        "CREATE INDEX ON pgvec_leaves.docs__v2 (content)",
        "TRUNCATE pgvec_leaves.docs__v1",
        "DROP VIEW active_docs",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tx.transaction():
            tx.execute(statement.encode())
    for call in ("build_index('docs', 'v2')", "cut_over('docs', 'v2')", "abandon('docs', 'v2')"):
        refused(tx, "42501", f"SELECT pgvec.{call}")


def test_nothing_of_ours_is_for_everybody_and_definers_fix_their_path(tx, roles) -> None:
    second_version(tx, until="active")
    grant(tx)
    public = rows(
        tx,
        """SELECT p.oid::regprocedure::text FROM pg_proc p
             CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            WHERE p.pronamespace = 'pgvec'::regnamespace AND a.grantee = 0
           UNION ALL
           SELECT c.oid::regclass::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
            WHERE a.grantee = 0 AND (c.relnamespace IN ('pgvec'::regnamespace,
                  'pgvec_leaves'::regnamespace) OR c.relname ~ 'docs')
           UNION ALL
           SELECT n.nspname FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
            WHERE a.grantee = 0 AND n.nspname ~ '^pgvec'""",
    )
    # The planner takes a cast apart with them; they give a field of a row.
    assert sorted(public) == [
        ("pgvec.unboxed(pgvec.boxed,integer,boolean)",),
        ("pgvec.unboxed(pgvec.boxed_half,integer,boolean)",),
    ]
    definers = rows(
        tx,
        "SELECT proname, proconfig FROM pg_proc"
        " WHERE pronamespace = 'pgvec'::regnamespace AND prosecdef ORDER BY 1",
    )
    # The doors of the collection, the trigger, and what the lease alone gives the right to.
    assert {"follow_writes", "queue_docs", "waiting_docs"} < {name for name, _ in definers}
    for name, settings in definers:
        assert [s for s in settings if s.startswith("search_path=") and s.endswith("pg_temp")], name
