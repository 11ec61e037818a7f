"""The catalog comes whole, once, and goes without a trace."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.errors import (
    CatalogMismatch,
    CatalogNotInstalled,
    InvalidArgument,
    NotPermitted,
    RequirementMissing,
    translated,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.install import install, installed_version, require_catalog, uninstall
from tests.sql.helpers import one, refused, rows, stand_in_for_pg_cron, told, world
from tests.tools import live_collection

OURS = """
    SELECT 'schema', nspname::text FROM pg_namespace WHERE nspname LIKE 'pgvec%'
    UNION ALL SELECT 'relation', relname FROM pg_class WHERE relname ~ 'docs|pgvec'
    UNION ALL SELECT 'type', typname FROM pg_type WHERE typname ~ 'docs|pgvec|model_version'
    UNION ALL SELECT 'routine', proname FROM pg_proc WHERE prosrc ~ 'pgvec'
    UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE tgname ~ 'pgvec'"""


@pytest.fixture
def bare(empty_database):
    """A connection to a database without the catalog."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield connection


def test_an_empty_database_gets_the_whole_catalog(bare):
    assert installed_version(bare) == 0
    with pytest.raises(CatalogNotInstalled, match="pgvec init"):
        require_catalog(bare)
    assert install(bare) == (0, 1)
    require_catalog(bare)
    assert one(bare, "SELECT max(version) FROM pgvec.catalog_version") == 1
    assert one(bare, "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    live_collection(bare, count=1)


def test_installing_twice_changes_nothing(bare):
    install(bare)
    live_collection(bare, count=3)
    routines = (
        "SELECT p.oid::regprocedure::text, p.prosrc, p.proacl::text, p.proconfig FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'pgvec' ORDER BY 1"
    )
    before = world(bare), rows(bare, routines)
    assert install(bare) == (1, 1)
    assert (world(bare), rows(bare, routines)) == before


def test_installing_leaves_the_callers_settings_alone(bare):
    bare.execute("SET search_path = public, pg_catalog")
    settings = "SELECT name, setting FROM pg_settings WHERE name !~ 'hnsw|ivfflat|plpgsql'"
    before = rows(bare, settings)
    with bare.transaction():
        install(bare)
        assert rows(bare, settings) == before
        assert one(bare, "SHOW search_path") == "public, pg_catalog"
    assert one(bare, "SHOW search_path") == "public, pg_catalog"


def test_a_catalog_from_the_future_is_not_touched(bare):
    install(bare)
    bare.execute("INSERT INTO pgvec.catalog_version (version) VALUES (99)")
    before = world(bare)
    with pytest.raises(CatalogMismatch) as caught:
        install(bare)
    assert caught.value.detail == {"installed": 99, "package": 1}
    with pytest.raises(CatalogMismatch):
        require_catalog(bare)
    assert world(bare) == before


def test_the_catalog_stays_while_a_collection_exists(bare):
    install(bare)
    live_collection(bare, count=1)
    before = world(bare)
    with pytest.raises(CatalogMismatch, match="docs") as caught:
        uninstall(bare)
    assert caught.value.sqlstate == "PV008"
    assert caught.value.detail == {"collections": "docs"}
    assert world(bare) == before


def test_nothing_of_ours_is_left_behind(bare):
    bare.execute("CREATE EXTENSION vector")
    before = rows(bare, OURS)
    install(bare)
    live_collection(bare, count=3)
    bare.execute("SELECT pgvec.drop_collection('docs')")
    uninstall(bare)
    assert rows(bare, OURS) == before == []
    assert one(bare, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == 1
    uninstall(bare)
    assert install(bare) == (0, 1)


def test_the_job_in_pg_cron_goes_with_the_catalog(bare):
    stand_in_for_pg_cron(bare)
    bare.execute(
        "INSERT INTO cron.job (jobid, jobname, database, username)"
        " VALUES (7, 'pgvec-retire', current_database(), current_user)"
    )
    install(bare)
    uninstall(bare)
    assert rows(bare, "SELECT * FROM cron.job") == []


# --- What the server must have ---


def test_a_server_without_pgvector_is_named_as_such(bare):
    if one(bare, "SELECT current_setting('server_version_num')::int") < 180000:
        pytest.skip("extensions can be hidden from PostgreSQL 18 on")
    bare.execute("SET extension_control_path = '/nowhere'")
    with pytest.raises(RequirementMissing, match="pgvector") as caught:
        install(bare)
    assert caught.value.detail["requirement"] == "vector"
    assert caught.value.hint
    assert rows(bare, OURS) == []


def test_a_catalog_script_alone_asks_for_pgvector(bare):
    refusal = refused(bare, "PV010", sqlfiles.catalog_up(1))
    assert refusal.detail == {"requirement": "vector", "found": None, "needed": "0.8.0"}
    assert "CREATE EXTENSION vector" in refusal.hint


@pytest.mark.parametrize("version", ["0.7.4", "0.5.1", "0.7.4-beta"])
def test_an_old_pgvector_is_refused_with_both_versions(bare, version):
    bare.execute("CREATE EXTENSION vector")
    bare.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", (version,))
    with pytest.raises(RequirementMissing) as caught:
        install(bare)
    assert caught.value.sqlstate == "PV010"
    assert caught.value.detail == {"requirement": "vector", "found": version, "needed": "0.8.0"}
    assert "ALTER EXTENSION" in (caught.value.hint or "")
    assert rows(bare, OURS) == []


@pytest.mark.parametrize("version", ["0.8.0", "0.10.0", "1.0"])
def test_a_newer_pgvector_is_as_good(bare, version):
    bare.execute("CREATE EXTENSION vector")
    bare.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", (version,))
    install(bare)


@pytest.fixture
def plain(bare):
    """A role with no right to anything, its name in capitals; the session is this role."""
    role = one(bare, "SELECT 'Plain_' || current_database()")
    bare.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    bare.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    yield role
    bare.execute("RESET ROLE")
    bare.execute("DROP EVENT TRIGGER IF EXISTS pgvec_policies, pgvec_policies_dropped")
    for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
        bare.execute(sql.SQL(statement).format(sql.Identifier(role)))


def as_superuser(db, role, statement):
    """Runs what a hint asks a superuser for."""
    db.execute("RESET ROLE")
    db.execute(statement.encode())
    db.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def asked_for(error):
    """The statements after the colon of a hint that names the person to ask."""
    who, statement = error.hint.split(" to run", 1)
    assert who.startswith("Ask ")
    assert "superuser" in who
    return statement.split(": ", 1)[1].split("; or ")[0]


def test_each_hint_names_who_can_help_and_its_statement_helps(bare, plain):
    for what in ("extension vector", "schemas in database", "may not use schema public"):
        with pytest.raises(NotPermitted, match=what) as caught:
            install(bare)
        assert caught.value.sqlstate == "42501"
        assert caught.value.detail["role"] == plain
        assert rows(bare, OURS) == []
        as_superuser(bare, plain, asked_for(caught.value))
        as_superuser(bare, plain, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    install(bare)
    with (
        pytest.raises(NotPermitted, match="may not create tables in schema public") as caught,
        translated(),
    ):
        bare.execute("SELECT pgvec.create_collection('docs')")
    assert caught.value.detail == {"role": plain, "host_schema": "public"}
    as_superuser(bare, plain, asked_for(caught.value))
    live_collection(bare, count=1)


def test_a_search_path_that_names_no_schema_is_no_missing_catalog(bare):
    bare.execute("SET search_path = nowhere")
    with pytest.raises(InvalidArgument, match="names no schema to create it in") as caught:
        install(bare)
    bare.execute(asked_for(caught.value).encode())
    install(bare)
    with (
        pytest.raises(InvalidArgument, match="nowhere to put the chunk table") as caught,
        translated(),
    ):
        bare.execute("SELECT pgvec.create_collection('docs')")
    assert "ask a superuser to run: CREATE SCHEMA app" in caught.value.hint


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
def test_pgvector_may_stand_in_a_schema_that_no_search_path_names(bare, storage):
    bare.execute('CREATE SCHEMA "Ext"; CREATE EXTENSION vector SCHEMA "Ext"')
    install(bare)
    assert one(bare, "SHOW search_path") == '"$user", public'
    bare.execute("SELECT pgvec.create_collection('docs', storage => %s)", (storage,))
    insert = (
        "INSERT INTO docs (model_version, chunk_id, content, embedding) VALUES"
        " (%s, 'e3b0c442-98fc-1c14-9afb-f4c8996fb924', 'a', '[1,2,3]')"
    )
    for version in ("v1", "v2"):
        bare.execute("SELECT pgvec.register_version('docs', %s, 3)", (version,))
        bare.execute(insert, (version,))
        for verb in ("plan_backfill", "build_index", "make_ready", "cut_over"):
            bare.execute(f"SELECT pgvec.{verb}('docs', %s)".encode(), (version,))
    bare.execute("UPDATE docs SET content = 'b', embedding = '[3,2,1]' WHERE model_version = 'v2'")
    bare.execute("SET pgvec.query_version.docs = 'v2'")
    found = "SELECT content, distance < 0.001 FROM pgvec.nearest('docs', '[3,2,1]', 'v2')"
    assert rows(bare, found) == [("b", True)]
    assert rows(bare, "SELECT content FROM active_docs") == [("b",)]
    assert rows(bare, "SELECT state, missing FROM pgvec.version_status ORDER BY 1") == [
        ("active", 0),
        ("draining", 1),
    ]
    bare.execute("DELETE FROM docs")
    bare.execute("SELECT pgvec.roll_back('docs', allow_missing => true)")
    bare.execute("SELECT pgvec.drop_collection('docs')")


# --- Frozen files ---


def test_released_catalog_files_are_never_edited():
    recorded = (sqlfiles.sql_folder() / "catalog" / "checksums.txt").read_text("utf-8")
    lines = [line.split() for line in recorded.splitlines() if line and not line.startswith("#")]
    assert {name: digest for digest, name in lines} == sqlfiles.checksums()


def test_what_a_server_says_without_the_catalog_is_understood(bare):
    with pytest.raises(psycopg.Error) as caught:
        bare.execute("SELECT pgvec.active_version('docs')")
    told(caught.value, "3F000")
