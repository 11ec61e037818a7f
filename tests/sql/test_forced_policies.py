"""Row-level security that holds the owner too (FORCE), while writes are carried."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.postgres.install import install
from tests.sql.helpers import refused, rows
from tests.tools import copy_version, make_active

OWNER, RED, BLUE = "pgvec_forced_owner", "pgvec_red", "pgvec_blue"
TENANTS = (RED, BLUE)
ONES = "[1,1,1,1,1,1,1,1]"
POLICIES = {
    "a setting": "USING (metadata ->> 'tenant' = current_setting('app.tenant', true))",
    "the user": "USING (metadata ->> 'tenant' = current_user)",
    "a role": f"TO {RED}, {BLUE} USING (metadata ->> 'tenant' = current_user)",
}


@pytest.fixture
def owned(empty_database: str) -> Iterator[psycopg.Connection]:
    """A database whose catalog belongs to a role without any privilege of its own."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        for role in (OWNER, *TENANTS):
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        connection.execute(f"GRANT CREATE ON DATABASE {connection.info.dbname} TO {OWNER}".encode())
        connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}".encode())
        connection.execute(f"SET ROLE {OWNER}".encode())
        install(connection)
        yield connection
        connection.execute("RESET ROLE")
        for role in (*TENANTS, OWNER):
            connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
            connection.execute(f"DROP ROLE {role}".encode())


@pytest.fixture
def forced(owned: psycopg.Connection, policy: str) -> psycopg.Connection:
    """A collection on v1 with chunks of two tenants, whose policy holds everybody."""
    owned.execute("SELECT pgvec.create_collection('docs')")
    owned.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    make_active(owned, "docs", "v1")
    for tenant in TENANTS:
        for verb in ("read", "write"):
            owned.execute(f"SELECT pgvec.grant_{verb}('docs', %s::regrole)".encode(), (tenant,))
    owned.execute(f"CREATE POLICY tenant ON docs {policy}".encode())
    owned.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    owned.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    owned.execute("SELECT pgvec.refresh_collection('docs')")
    for word, tenant in (("a", RED), ("b", RED), ("c", BLUE)):
        become(owned, tenant)
        put(owned, word, tenant, "v1")
    become(owned, OWNER)
    return owned


def put(db: psycopg.Connection, word: str, tenant: str, version: str) -> None:
    db.execute(
        "INSERT INTO docs (model_version, content, metadata, embedding)"
        " VALUES (%s, %s, jsonb_build_object('tenant', %s::text), '[1,1,1,1,1,1,1,1]')",
        (version, word, tenant),
    )


def become(db: psycopg.Connection, role: str) -> None:
    db.execute(f"RESET ROLE; SET ROLE {role}; SET app.tenant = '{role}'".encode())


def seen(db: psycopg.Connection, source: str) -> list[str]:
    return sorted(word for (word,) in rows(db, f"SELECT content FROM {source}"))


def everything(db: psycopg.Connection, version: str) -> list[tuple[str, str]]:
    """Content and tenant, past all policies."""
    db.execute("RESET ROLE")
    return rows(
        db,
        "SELECT content, metadata ->> 'note' FROM docs WHERE model_version = %s ORDER BY 1",
        version,
    )


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_with_an_owner_who_sees_all_writes_follow_and_tenants_stay_apart_through_flips(
    forced: psycopg.Connection, policy: str
) -> None:
    forced.execute(f"RESET ROLE; ALTER ROLE {OWNER} BYPASSRLS; SET ROLE {OWNER}".encode())
    for flip in range(2, 6):
        old, new = f"v{flip - 1}", f"v{flip}"
        forced.execute("SELECT pgvec.register_version('docs', %s, 8)", (new,))
        copy_version(forced, "docs", old, new)
        make_active(forced, "docs", new)
        for tenant, words in ((RED, ["a", "b"]), (BLUE, ["c"])):
            become(forced, tenant)
            forced.execute(f"SET pgvec.query_version.docs = '{new}'".encode())
            assert seen(forced, "active_docs") == words
            assert seen(forced, f"docs_at_{new}") == words
            assert seen(forced, f"pgvec.nearest('docs', '{ONES}', '{new}')") == words
            forced.execute("SET pgvec.query_version.docs = 'any'")
            assert seen(forced, f"docs_at_{old}") == words
        become(forced, OWNER)
        if flip > 3:
            forced.execute(
                "UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'"
            )
            forced.execute("SELECT pgvec.retire_version('docs', %s)", (f"v{flip - 2}",))
    become(forced, RED)
    forced.execute("DELETE FROM docs WHERE content = 'a' AND model_version = 'v5'")
    forced.execute(
        'UPDATE docs SET metadata = metadata || \'{"note": "x"}\''
        " WHERE content = 'b' AND model_version = 'v5'"
    )
    for version in ("v4", "v5"):
        assert everything(forced, version) == [("b", "x"), ("c", None)]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_an_owner_who_does_not_see_all_gets_no_second_version(
    forced: psycopg.Connection, policy: str
) -> None:
    refusal = refused(forced, "42501", "SELECT pgvec.register_version('docs', 'v2', 8)")
    assert refusal.hint == f"Ask a superuser to run: ALTER ROLE {OWNER} BYPASSRLS;"


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_write_that_would_not_reach_every_version_does_not_happen(
    forced: psycopg.Connection, policy: str
) -> None:
    forced.execute(f"RESET ROLE; ALTER ROLE {OWNER} BYPASSRLS; SET ROLE {OWNER}".encode())
    forced.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(forced, "docs", "v1", "v2")
    forced.execute(f"RESET ROLE; ALTER ROLE {OWNER} NOBYPASSRLS".encode())
    become(forced, RED)
    for write in (
        "DELETE FROM docs WHERE content = 'a' AND model_version = 'v1'",
        "UPDATE docs SET metadata = metadata || '{\"note\": \"x\"}' WHERE content = 'b'",
    ):
        refusal = refused(forced, "42501", write)
        assert refusal.hint == f"Ask a superuser to run: ALTER ROLE {OWNER} BYPASSRLS;"
    for version in ("v1", "v2"):
        assert everything(forced, version) == [("a", None), ("b", None), ("c", None)]
