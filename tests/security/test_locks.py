"""Who may only connect, or only read, holds nobody up: each wait has a privilege or an end."""

from __future__ import annotations

import psycopg
import pytest

from pgvec_versions.catalog import read_collection
from pgvec_versions.chunks.statements import ChunkTable
from pgvec_versions.errors import LockTimeout
from pgvec_versions.postgres.install import install, installed_version
from tests.sql.helpers import (
    in_background,
    leaf,
    one,
    put,
    refused,
    rows,
    second_version,
    state,
    wait_until_blocked,
    work_off,
)
from tests.tools import live_collection

IMPATIENT = "SET statement_timeout = '30s'"
# Every key of the advisory locks that once kept builds, writers, runs and installations apart.
OLD_KEYS = """
    SELECT pg_advisory_lock(1885824358, 3), pg_advisory_lock(1885824360, 0);
    SELECT pg_advisory_lock(k, c.oid::integer)
      FROM pg_class c, unnest(ARRAY[1885824358, 1885824359]) k
     WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'pgvec_leaves')"""
# Parsing a statement locks its tables, before anybody looks at privileges.
WEAK_LOCK = "PREPARE idle AS DELETE FROM {}"


@pytest.fixture
def stranger(connect, db):
    """A session of a role that may connect, and nothing else."""
    db.execute("DROP ROLE IF EXISTS pgvec_stranger; CREATE ROLE pgvec_stranger")
    session = connect()
    session.execute("SET ROLE pgvec_stranger")
    yield session
    session.close()
    db.execute("DROP OWNED BY pgvec_stranger; DROP ROLE pgvec_stranger")


def open_lock(session, relation):
    """The session's transaction stays open with a weak lock on a table that it may not write."""
    session.execute("BEGIN")
    session.execute(WEAK_LOCK.format(relation).encode())


def test_no_promise_rests_on_a_lock_that_anybody_can_take(tx):
    assert (
        rows(tx, "SELECT proname FROM pg_proc WHERE prosrc ~ 'advisory' AND prosrc ~ 'pgvec'") == []
    )


def test_whoever_may_only_connect_stops_nothing(db, stranger):
    second_version(db, until="active")
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    stranger.execute(OLD_KEYS)
    db.execute(IMPATIENT)
    put(db, "a", "v2")
    assert work_off(db, "v1", "v3") >= 1
    assert one(db, "SELECT pgvec.build_index('docs', 'v3')") is True
    a = one(db, "SELECT md5('a')::uuid::text")
    assert ChunkTable(read_collection(db, "docs")).delete(db, "rows_of_chunks", ids=[a]) == 1
    assert rows(db, "SELECT FROM docs WHERE chunk_id = md5('a')::uuid") == []
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    db.execute("CALL pgvec.retire_due()")
    assert state(db, "v1") == "retired"
    assert install(db) == (1, 1)
    assert rows(stranger, "SELECT FROM pg_locks WHERE locktype = 'advisory'") != []


def test_the_first_installation_does_not_wait_for_strangers_either(empty_database):
    with (
        psycopg.connect(empty_database, autocommit=True) as stranger,
        psycopg.connect(empty_database, autocommit=True) as owner,
    ):
        stranger.execute(OLD_KEYS)
        owner.execute(IMPATIENT)
        assert install(owner) == (0, 1)


def test_the_row_that_makes_a_run_the_only_one_is_the_owners(db, stranger):
    live_collection(db)
    db.execute("SELECT pgvec.grant_read('docs', 'pgvec_stranger')")
    db.execute("SELECT pgvec.grant_write('docs', 'pgvec_stranger')")
    db.execute("SELECT pgvec.grant_worker('docs', 'pgvec_stranger')")
    refused(stranger, "42501", "SELECT FROM pgvec.retirement_lock FOR UPDATE")
    open_lock(stranger, "pgvec.retirement_lock")
    db.execute("CALL pgvec.retire_due()")
    assert one(db, "SELECT outcome FROM pgvec.retirement_run ORDER BY run_id DESC LIMIT 1") == (
        "succeeded"
    )


# --- Builds ---


def test_a_build_waits_for_a_writer_no_longer_than_it_is_told(db, connect):
    second_version(db, until="building")
    writer = connect(autocommit=False)
    writer.execute("UPDATE docs SET position = 1 WHERE model_version = 'v1'")
    said = refused(db, "55P03", "SELECT pgvec.build_index('docs', 'v2', lock_timeout => '200 ms')")
    assert str(writer.info.backend_pid) in said.message
    assert said.hint
    assert one(db, "SHOW lock_timeout") == "0"
    writer.commit()
    assert one(db, "SELECT pgvec.build_index('docs', 'v2', lock_timeout => '30 s')") is True
    refused(db, "PV007", "SELECT pgvec.build_index('docs', 'v2', lock_timeout => '0')")


def test_a_reader_who_keeps_a_build_waiting_is_named(db, stranger):
    second_version(db, until="building")
    db.execute("GRANT USAGE ON SCHEMA pgvec_leaves TO pgvec_stranger")
    open_lock(stranger, leaf(db, "v2"))
    said = refused(db, "55P03", "SELECT pgvec.build_index('docs', 'v2', lock_timeout => '200 ms')")
    assert str(stranger.info.backend_pid) in said.message


def test_of_two_builds_that_wait_one_builds(db, connect):
    second_version(db, until="building")
    writer, first, second = connect(autocommit=False), connect(), connect()
    writer.execute("UPDATE docs SET position = 1 WHERE model_version = 'v1'")
    with in_background(rows, first, "SELECT pgvec.build_index('docs', 'v2')") as built:
        wait_until_blocked(db, first)
        said = refused(second, "PV009", "SELECT pgvec.build_index('docs', 'v2')")
        assert said.detail["processes"] == [first.info.backend_pid]
        writer.commit()
        assert built.result() == [(True,)]
    assert one(second, "SELECT pgvec.build_index('docs', 'v2')") is False


def test_a_build_that_came_second_finds_the_index(db, connect):
    """It saw nobody, then waited for the session that was quicker."""
    second_version(db, until="building")
    other, late = connect(), connect()
    other.execute("BEGIN")
    # A lock that keeps a build out, and cannot be seen to be one.
    other.execute(f"LOCK TABLE ONLY {leaf(db, 'v2')} IN SHARE UPDATE EXCLUSIVE MODE".encode())
    with in_background(rows, late, "SELECT pgvec.build_index('docs', 'v2')") as built:
        wait_until_blocked(db, late)
        other.execute(
            "CREATE INDEX docs__v2_hnsw ON pgvec_leaves.docs__v2 USING hnsw"
            " ((embedding::vector(8)) vector_cosine_ops) WHERE model_version = 'v2'"
        )
        other.execute("COMMIT")
        assert built.result() == [(False,)]


def test_nothing_is_claimed_for_a_leaf_that_a_build_waits_for(db, connect):
    second_version(db, until="building")
    writer, builder = connect(autocommit=False), connect()
    writer.execute(
        "UPDATE docs SET content = 'x', embedding = '[1,1,1,1,1,1,1,1]'"
        " WHERE model_version = 'v1' AND document_id = 'doc-0'"
    )
    put(db, "news")
    with in_background(rows, builder, "SELECT pgvec.build_index('docs', 'v2')") as built:
        wait_until_blocked(db, builder)
        assert rows(db, "SELECT FROM pgvec.claim_work('docs', '{v2}')") == []
        writer.commit()
        assert built.result() == [(True,)]
    assert work_off(db, "v2") >= 1


def test_free_versions_is_lent_to_a_writer_and_keeps_builds_off(db, connect, stranger):
    second_version(db, until="building")
    db.execute("SELECT pgvec.grant_write('docs', 'pgvec_stranger')")
    free = "SELECT model_version FROM pgvec.free_versions('docs') ORDER BY 1"
    refused(stranger, "42501", f"LOCK TABLE {leaf(db, 'v2')} IN ROW EXCLUSIVE MODE")
    with stranger.transaction():
        assert rows(stranger, free) == [("v1",), ("v2",)]
        refused(db, "55P03", "SELECT pgvec.build_index('docs', 'v2', lock_timeout => '100 ms')")
    builder = connect(autocommit=False)
    builder.execute("SELECT pgvec.build_index('docs', 'v2')")
    assert rows(stranger, free) == [("v1",)]


def test_a_leaf_that_is_gone_is_not_shared(tx):
    assert one(tx, "SELECT pgvec.try_share_leaf(NULL)") is False


# --- Verbs ---


@pytest.mark.parametrize(
    "verb",
    [
        "SELECT pgvec.register_version('docs', 'v3', 8)",
        "SELECT pgvec.abandon('docs', 'v2')",
        "SELECT pgvec.refresh_collection('docs')",
        "SELECT pgvec.cut_over('docs', 'v2', '50 ms', 2)",
        "SELECT pgvec.drop_collection('docs')",
    ],
)
def test_a_verb_that_a_stranger_holds_up_ends_and_names_him(db, stranger, verb):
    second_version(db)
    db.execute("GRANT USAGE ON SCHEMA public TO pgvec_stranger")
    open_lock(stranger, "public.docs")
    db.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.Error) as caught:
        db.execute(verb.encode())
    assert caught.value.sqlstate == "55P03"
    said = f"{caught.value.diag.message_primary} {caught.value.diag.message_detail}"
    assert str(stranger.info.backend_pid) in said
    assert one(db, "SHOW lock_timeout") == "200ms"


def test_where_no_lock_timeout_is_in_force_a_wait_ends_all_the_same(tx):
    tx.execute("SET LOCAL lock_timeout = 0")
    assert one(tx, "SELECT pgvec.default_lock_wait()") == "0"
    assert one(tx, "SHOW lock_timeout") == "10s"
    tx.execute("SET LOCAL lock_timeout = '7min'")
    assert one(tx, "SELECT pgvec.default_lock_wait()") == "7min"
    assert one(tx, "SHOW lock_timeout") == "7min"


def test_a_verb_leaves_the_lock_timeout_as_it_was(db):
    with db.transaction():
        second_version(db, until="active")
        db.execute("SELECT pgvec.refresh_collection('docs')")
        assert one(db, "SHOW lock_timeout") == "0"
        db.execute("SELECT pgvec.drop_collection('docs')")
        assert one(db, "SHOW lock_timeout") == "0"


# --- Installing ---


def test_two_first_installations_at_once_both_end_well(empty_database):
    with (
        psycopg.connect(empty_database, autocommit=True) as first,
        psycopg.connect(empty_database, autocommit=True) as second,
        psycopg.connect(empty_database, autocommit=True) as look,
    ):
        look.execute("CREATE EXTENSION vector")
        first.execute("BEGIN")
        install(first)
        with in_background(install, second) as installed:
            wait_until_blocked(look, second)
            first.execute("COMMIT")
            assert installed.result() == (1, 1)
        assert installed_version(look) == 1


def test_two_sessions_that_bring_pgvector_do_not_stumble(empty_database):
    with (
        psycopg.connect(empty_database, autocommit=True) as first,
        psycopg.connect(empty_database, autocommit=True) as second,
        psycopg.connect(empty_database, autocommit=True) as look,
    ):
        first.execute("BEGIN")
        install(first)
        with in_background(install, second) as installed:
            wait_until_blocked(look, second)
            first.execute("COMMIT")
            assert installed.result() == (1, 1)


@pytest.mark.parametrize("there", [True, False])
def test_an_installation_that_does_not_end_is_waited_for_and_named(empty_database, there):
    with (
        psycopg.connect(empty_database, autocommit=True) as first,
        psycopg.connect(empty_database, autocommit=True) as second,
    ):
        first.execute("CREATE EXTENSION vector")
        if there:
            install(first)
        first.execute("BEGIN")
        install(first)
        second.execute("SET lock_timeout = '200ms'")
        with pytest.raises(LockTimeout) as caught:
            install(second)
        assert caught.value.hint
        if there:
            assert caught.value.detail == {"processes": [first.info.backend_pid]}
        first.execute("ROLLBACK")
        assert install(second) == (1 if there else 0, 1)
        assert one(second, "SHOW lock_timeout") == "200ms"
