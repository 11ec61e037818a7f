"""The role is what a grant is remembered by, not its name: renamed, dropped, restored."""

from __future__ import annotations

import subprocess
import uuid
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.alembic.tools import run_psql
from tests.clusters import binaries
from tests.security.roles import PRIVILEGES, a_role, acting, drop
from tests.sql.helpers import one, put, refused, rows, vector
from tests.tools import live_collection, make_active

Connection = psycopg.Connection[Any]


def flip(connection: Connection, label: str) -> None:
    connection.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
    connection.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding)"
        " SELECT chunk_id, %s, content, %s FROM docs WHERE model_version = 'v1'",
        (label, vector("a", label)),
    )
    make_active(connection, "docs", label)


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_a_renamed_role_keeps_its_grant_through_a_flip_and_can_be_revoked(tx, privilege):
    live_collection(tx, count=0)
    put(tx, "a")
    tx.execute('CREATE ROLE before; CREATE ROLE "Bystander"')
    tx.execute(f"SELECT pgvec.grant_{privilege}('docs', 'before')".encode())
    given = rows(tx, HELD, "before")
    tx.execute('ALTER ROLE before RENAME TO "Aft""er"')
    tx.execute('ALTER ROLE "Bystander" RENAME TO before')
    flip(tx, "v2")
    held = set(rows(tx, HELD, 'Aft"er'))
    assert held >= set(given)
    if privilege == "read":
        with acting(tx, 'Aft"er'):
            tx.execute("SET LOCAL pgvec.query_version.docs = 'v2'")
            assert rows(tx, "SELECT content FROM active_docs") == [("a",)]
            assert rows(tx, "SELECT content FROM docs_at_v2") == [("a",)]
    # The role that has the old name now has no privilege, and a revoke by that name takes none.
    assert rows(tx, HELD, "before") == []
    tx.execute(f"SELECT pgvec.revoke_{privilege}('docs', 'before')".encode())
    assert set(rows(tx, HELD, 'Aft"er')) == held
    tx.execute(f"""SELECT pgvec.revoke_{privilege}('docs', '"Aft""er"')""".encode())
    assert rows(tx, HELD, 'Aft"er') == []
    assert one(tx, "SELECT count(*) FROM pgvec.collection_grant") == 0


#: Every object of ours, or of the collection, on which a role was given something.
HELD = """
    WITH role AS (SELECT oid FROM pg_roles WHERE rolname = %s)
    SELECT c.oid::regclass::text, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a, role
     WHERE a.grantee = role.oid AND a.grantee <> c.relowner
    UNION ALL
    SELECT p.oid::regprocedure::text, a.privilege_type FROM pg_proc p, aclexplode(p.proacl) a, role
     WHERE a.grantee = role.oid AND a.grantee <> p.proowner
    UNION ALL
    SELECT n.nspname, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a, role
     WHERE a.grantee = role.oid AND a.grantee <> n.nspowner
     ORDER BY 1, 2"""


def test_a_new_role_of_an_old_name_inherits_nothing(tx):
    live_collection(tx, count=1)
    tx.execute("CREATE ROLE namesake")
    for privilege in PRIVILEGES:
        tx.execute(f"SELECT pgvec.grant_{privilege}('docs', 'namesake')".encode())
    gone = one(tx, "SELECT 'namesake'::regrole::oid")
    drop(tx, "namesake")
    tx.execute("CREATE ROLE namesake")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    assert rows(tx, HELD, "namesake") == []
    # The records of the one that is gone went with that, and it was said.
    assert one(tx, "SELECT count(*) FROM pgvec.collection_grant") == 0
    said = (
        "SELECT detail FROM pgvec.version_event WHERE verb = 'forget_grant'"
        " ORDER BY detail ->> 'privilege'"
    )
    assert [row[0] for row in rows(tx, said)] == [
        {"role": gone, "privilege": privilege} for privilege in sorted(PRIVILEGES)
    ]


@pytest.mark.parametrize("named", ["by number", "not at all"])
def test_a_revoke_for_a_role_that_is_gone_takes_its_record_and_says_so(tx, named):
    live_collection(tx, count=1)
    tx.execute("CREATE ROLE leaver; CREATE ROLE stayer")
    for role in ("leaver", "stayer"):
        tx.execute("SELECT pgvec.grant_read('docs', %s::regrole)", (role,))
    number = one(tx, "SELECT 'leaver'::regrole::oid::text")
    drop(tx, "leaver")
    notices: list[str] = []
    tx.add_notice_handler(lambda diagnostic: notices.append(str(diagnostic.message_primary)))
    again = "SELECT pgvec.revoke_read('docs', %s::regrole)"
    tx.execute(again.encode(), (number if named == "by number" else None,))
    assert rows(tx, "SELECT grantee::text FROM pgvec.collection_grant") == [("stayer",)]
    assert one(tx, "SELECT count(*) FROM pgvec.version_event WHERE verb = 'forget_grant'") == 1
    assert f"role {number} was dropped" in notices[0]
    tx.execute(again.encode(), (None,))
    assert "nothing was revoked" in notices[1]
    tx.execute("SELECT pgvec.revoke_write('docs', 'stayer')")
    assert "nothing was revoked" in notices[2]


def test_nothing_is_recorded_for_a_role_that_is_not_there(tx):
    live_collection(tx, count=1)
    refused(tx, "42704", "SELECT pgvec.grant_read('docs', '\"nobody at all\"')")
    refused(tx, "42704", "SELECT pgvec.grant_read('docs', 4294967295::oid::regrole)")
    refused(tx, "42704", "SELECT pgvec.grant_read('docs', '-')")
    refused(tx, "PV007", "SELECT pgvec.grant_read('docs', NULL)")
    assert one(tx, "SELECT count(*) FROM pgvec.collection_grant") == 0


def test_a_dump_names_the_role_and_a_restore_gives_all_of_it_back(
    db, database, server: EmbeddedServer
):
    live_collection(db, count=1)
    with a_role(db) as role, psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        db.execute("SELECT pgvec.grant_worker('docs', %s::regrole)", (role,))
        dumped = subprocess.run(
            [binaries(server) / "pg_dump", "-d", database], capture_output=True, check=True
        )
        name = f"t_{uuid.uuid4().hex[:12]}"
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            run_psql(server.psql_command(name), dumped.stdout.decode())
            with psycopg.connect(server.url(name), autocommit=True) as there:
                assert rows(there, "SELECT grantee::text FROM pgvec.collection_grant") == [(role,)]
                assert rows(there, HELD, role) == rows(db, HELD, role)
                assert rows(there, POLICIES) == rows(db, POLICIES)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


POLICIES = (
    "SELECT polrelid::regclass::text, polname, polroles, pg_get_expr(polqual, polrelid)"
    " FROM pg_policy ORDER BY 1, 2"
)
