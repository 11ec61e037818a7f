"""docs/dba.md to the letter: a plain role, a database with capitals, a schema of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pgvec_versions.errors import NotPermitted
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.embedded import EmbeddedServer
from pgvec_versions.retirement.schedule import schedule_retirement, unschedule_retirement
from tests.clusters import binaries
from tests.docs.pages import ROOT, Block, Reader, blocks

pytestmark = pytest.mark.cron

CRON = "pgvec_cron"


@pytest.fixture
def docs(cron_url: str) -> Iterator[str]:
    """The URL of an empty database ``Docs`` on the server with pg_cron, for its superuser."""

    def clean(admin: psycopg.Connection) -> None:
        admin.execute('DROP DATABASE IF EXISTS "Docs" WITH (FORCE)')
        there = "SELECT FROM pg_roles WHERE rolname = 'docs_owner'"
        if admin.execute(there).fetchone() is not None:
            admin.execute(
                "SELECT cron.unschedule(jobid) FROM cron.job WHERE username = 'docs_owner'"
            )
            admin.execute("DROP OWNED BY docs_owner; DROP ROLE docs_owner")
        admin.execute("DROP ROLE IF EXISTS docs_app, docs_editor, docs_worker")

    with psycopg.connect(cron_url, autocommit=True) as admin:
        clean(admin)
        admin.execute('CREATE DATABASE "Docs"')
        yield re.sub(r"/[^/]*$", "/Docs", cron_url)
        close_shared_engines()
        clean(admin)


def here(block: Block, url: str) -> Block:
    """The block with the addresses and pg_cron's database of this server."""
    address = url.split("@")[1].split("/")[0]
    text = block.text.replace("@db.internal/postgres ", f"@{address}/{CRON} ")
    text = text.replace("--cron-database postgres", f"--cron-database {CRON}")
    return replace(block, text=text.replace("@db.internal/", f"@{address}/"))


def test_a_plain_role_does_all_of_it_after_the_dbas_block(
    server: EmbeddedServer, docs: str, tmp_path: Path
) -> None:
    reader = Reader(docs, binaries(server) / "psql", tmp_path)
    del reader.env["PGVEC_DATABASE_URL"]
    try:
        for block in blocks(ROOT / "docs/dba.md"):
            reader.read(here(block, docs))
    finally:
        reader.close()
    owner = docs.replace("postgres@", "docs_owner@", 1)
    with psycopg.connect(docs, autocommit=True) as admin:
        (superuser,) = admin.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'docs_owner'"
        ).fetchone() or (None,)
        assert superuser is False
        # Everything of ours is the plain role's, and lies in its own schemas.
        relations = admin.execute(
            "SELECT DISTINCT n.nspname, pg_get_userbyid(c.relowner) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relowner <> 10"
            " AND n.nspname !~ '^pg_' ORDER BY 1"
        ).fetchall()
        assert relations == [(s, "docs_owner") for s in ("app", "pgvec", "pgvec_leaves")]
        # pg_cron runs the job as that role.
        schedule_retirement(owner, "1 seconds", CRON)
        deadline = time.monotonic() + 30
        ran = "SELECT count(*) FROM pgvec.retirement_run"
        before = admin.execute(ran).fetchone()
        while admin.execute(ran).fetchone() == before:
            assert time.monotonic() < deadline, "pg_cron did not run the job"
        assert unschedule_retirement(owner, CRON)


#: The pages of the first hour, of the desk, and of the day of an upgrade.
FOLLOWED = ("tutorial", "documents", "operations", "upgrade-runbook", "retirement", "reliability")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", FOLLOWED)
def test_a_page_works_for_a_plain_role(
    server: EmbeddedServer, docs: str, page: str, tmp_path: Path
) -> None:
    with psycopg.connect(docs, autocommit=True) as admin:
        admin.execute(
            """
            CREATE EXTENSION vector;
            CREATE ROLE docs_owner LOGIN CREATEROLE;
            GRANT CREATE ON DATABASE "Docs" TO docs_owner;
            CREATE SCHEMA app AUTHORIZATION docs_owner;
            ALTER ROLE docs_owner IN DATABASE "Docs" SET search_path = app, public;
            """
        )
    owner = docs.replace("postgres@", "docs_owner@", 1)
    reader = Reader(owner, binaries(server) / "psql", tmp_path)
    try:
        for block in blocks(ROOT / f"docs/{page}.md"):
            reader.read(block)
    finally:
        reader.close()


def test_without_the_block_for_pg_cron_the_hint_has_it(docs: str) -> None:
    with psycopg.connect(docs, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION vector; CREATE ROLE docs_owner LOGIN")
        admin.execute('GRANT CREATE ON DATABASE "Docs" TO docs_owner')
    owner = docs.replace("postgres@", "docs_owner@", 1)
    from pgvec_versions.postgres.install import install

    with psycopg.connect(owner, autocommit=True) as plain:
        install(plain)
    with pytest.raises(NotPermitted) as caught:
        schedule_retirement(owner, cron_database=CRON)
    asked = f"Ask a superuser to run in database {CRON}: "
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(asked)
    with psycopg.connect(re.sub(r"/[^/]*$", f"/{CRON}", docs), autocommit=True) as admin:
        admin.execute(caught.value.hint.removeprefix(asked).encode())
    assert "pg_cron job" in schedule_retirement(owner, cron_database=CRON)
    assert unschedule_retirement(owner, CRON)
