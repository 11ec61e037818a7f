"""A name is not believed: what we made is known by its OID, what is pg_cron's by its extension."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pgvec_versions import Chunk, ChunkStore
from pgvec_versions.errors import InvalidArgument, NotPermitted
from pgvec_versions.postgres.install import install, installed_version, uninstall
from pgvec_versions.retirement.schedule import (
    retirement_job,
    schedule_retirement,
    unschedule_retirement,
)
from pgvec_versions.retirement.watch import retirement_findings
from tests.clusters import binaries, server_user
from tests.sql.helpers import (
    one,
    put,
    refused,
    rows,
    second_version,
    stand_in_for_pg_cron,
    state,
    world,
)
from tests.tools import TinyEmbedder, live_collection

# Whatever of it is called, fails loudly: nothing may call it.
FALSE_CRON = """
    CREATE SCHEMA cron;
    CREATE FUNCTION cron.caught() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the impostor ran as %', current_user; END $$;
    CREATE FUNCTION cron.caught(VARIADIC "any") RETURNS bigint LANGUAGE internal AS 'pg_num_nulls';
    CREATE TABLE cron.job (jobid bigint, jobname text, schedule text, active boolean,
                           database text, username text);
    INSERT INTO cron.job VALUES (1, 'pgvec-retire', '* * * * *', true, current_database(),
                                 current_user);
    CREATE TABLE cron.job_run_details (runid bigint, jobid bigint, database text, command text,
        status text, return_message text, start_time timestamptz, end_time timestamptz);
    INSERT INTO cron.job_run_details VALUES (1, 1, current_database(), 'CALL pgvec.retire_due()',
        'failed', 'no', now() - interval '1 year', now() - interval '1 year');
    CREATE TRIGGER caught BEFORE DELETE ON cron.job_run_details
        FOR EACH ROW EXECUTE FUNCTION cron.caught();
    CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the impostor ran as %', current_user; END $$;
    CREATE FUNCTION cron.unschedule(bigint) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the impostor ran as %', current_user; END $$;
    CREATE FUNCTION cron.schedule_in_database(text, text, text, text) RETURNS bigint
        LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the impostor ran as %', current_user; END $$;"""


@pytest.fixture
def stranger(db):
    """A role that may create in the host's schema, and nothing else; its name."""
    db.execute("DROP ROLE IF EXISTS pgvec_stranger; CREATE ROLE pgvec_stranger")
    db.execute("GRANT CREATE, USAGE ON SCHEMA public TO pgvec_stranger")
    yield "pgvec_stranger"
    db.execute("RESET ROLE; DROP OWNED BY pgvec_stranger; DROP ROLE pgvec_stranger")


def squat(db, name, kind="VIEW", what="SELECT 'mine'::text AS content"):
    """The stranger makes a relation of that name."""
    db.execute("SET ROLE pgvec_stranger")
    db.execute(f"CREATE {kind} {name} AS {what}".encode())
    db.execute("RESET ROLE")
    return one(db, "SELECT %s::regclass::oid", name)


def untouched(db, name, oid):
    """What the stranger made is there as it was."""
    assert one(db, "SELECT %s::regclass::oid", name) == oid
    assert rows(db, f"SELECT * FROM {name}") == [("mine",)]
    assert one(db, "SELECT relowner::regrole::text FROM pg_class WHERE oid = %s", oid) == (
        "pgvec_stranger"
    )
    assert one(db, "SELECT relacl FROM pg_class WHERE oid = %s", oid) is None


# --- pg_cron ---


def test_pg_cron_is_where_its_extension_put_it(db):
    assert one(db, "SELECT pgvec.cron_schema()") is None
    stand_in_for_pg_cron(db)
    assert one(db, "SELECT pgvec.cron_schema()::text") == "cron"
    assert one(db, "SELECT pgvec.retirement_watch() ->> 'cron_here'") == "true"
    db.execute('ALTER SCHEMA cron RENAME TO "the Timer"')
    assert one(db, "SELECT pgvec.cron_schema()::text") == '"the Timer"'
    db.execute(
        """INSERT INTO "the Timer".job (jobid, jobname, database, username)
           VALUES (7, 'pgvec-retire', current_database(), current_user);
           INSERT INTO "the Timer".job_run_details (database, command, end_time)
           VALUES (current_database(), 'CALL pgvec.retire_due()', now() - interval '1 year')"""
    )
    assert one(db, "SELECT pgvec.retirement_watch() #>> '{job,jobid}'") == "7"
    db.execute("CALL pgvec.retire_due()")
    assert rows(db, 'SELECT FROM "the Timer".job_run_details') == []


def test_a_schema_that_is_only_called_cron_is_not_believed(db, database, engine):
    live_collection(db)
    db.execute(FALSE_CRON)
    assert one(db, "SELECT pgvec.cron_schema()") is None
    watch = one(db, "SELECT pgvec.retirement_watch()")
    assert (watch["cron_here"], watch["job"]) == (False, None)
    assert "pg_cron is not in this database" in one(db, "SELECT pgvec.schedule_retirement()")
    assert one(db, "SELECT pgvec.unschedule_retirement()") is False
    db.execute("CALL pgvec.retire_due()")
    assert one(db, "SELECT outcome FROM pgvec.retirement_run") == "succeeded"
    assert retirement_job(database) is None
    assert "pgvec retire" in schedule_retirement(database)
    assert unschedule_retirement(database) is False
    assert "no pg_cron job" in retirement_findings(db, engine)[0].evidence
    db.execute("SELECT pgvec.drop_collection('docs')")
    uninstall(db)
    assert one(db, "SELECT count(*) FROM cron.job_run_details") == 1


def test_tables_beside_those_of_the_extension_are_not_believed(db):
    """The extension is there, and has other objects; the tables of the names are somebody's."""
    stand_in_for_pg_cron(db)
    db.execute("UPDATE pg_depend SET objid = 'pg_class'::regclass WHERE refobjid = 99999")
    assert one(db, "SELECT pgvec.cron_schema()") is None
    db.execute("CALL pgvec.retire_due()")


# --- The catalog itself ---


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_a_schema_pgvec_of_somebody_else_is_not_taken_for_the_catalog(empty_database, kind):
    with psycopg.connect(empty_database, autocommit=True) as db:
        db.execute("CREATE EXTENSION vector")
        db.execute("DROP ROLE IF EXISTS pgvec_stranger; CREATE ROLE pgvec_stranger")
        db.execute(f"GRANT CREATE ON DATABASE {db.info.dbname} TO pgvec_stranger".encode())
        db.execute("SET ROLE pgvec_stranger")
        db.execute(
            """CREATE SCHEMA pgvec;
               CREATE FUNCTION pgvec.caught() RETURNS integer LANGUAGE plpgsql AS
                   $$ BEGIN RAISE EXCEPTION 'the impostor ran as %', current_user; END $$"""
        )
        what = "SELECT pgvec.caught() AS version" if kind == "VIEW" else "SELECT 1 AS version"
        db.execute(f"CREATE {kind} pgvec.catalog_version AS {what}".encode())
        db.execute("RESET ROLE")
        try:
            if kind == "VIEW":
                assert installed_version(db) == 0
            with pytest.raises(NotPermitted) as caught:
                install(db)
            assert caught.value.detail == {"schema": "pgvec", "owner": "pgvec_stranger"}
            assert "SET ROLE pgvec_stranger" in (caught.value.hint or "")
            if kind == "TABLE":
                with pytest.raises(NotPermitted):
                    uninstall(db)
        finally:
            db.execute("DROP OWNED BY pgvec_stranger CASCADE; DROP ROLE pgvec_stranger")
        assert install(db) == (0, 1)


# --- Views ---


@pytest.mark.parametrize(
    ("kind", "what"),
    [("VIEW", "SELECT 'mine'::text AS content"), ("TABLE", "SELECT 'mine'::text AS content"),
     ("MATERIALIZED VIEW", "SELECT 'mine'::text AS content")],
)  # fmt: skip
def test_a_pinned_views_name_that_was_taken_is_refused(db, stranger, kind, what):
    second_version(db, until="building")
    oid = squat(db, "docs_at_v2", kind, what)
    db.execute("SELECT pgvec.build_index('docs', 'v2')")
    said = refused(db, "PV004", "SELECT pgvec.make_ready('docs', 'v2')")
    assert said.detail["relation"] == "public.docs_at_v2"
    assert said.hint
    untouched(db, "docs_at_v2", oid)
    assert state(db, "v2") == "building"
    db.execute("SELECT pgvec.abandon('docs', 'v2')")
    untouched(db, "docs_at_v2", oid)
    db.execute("CALL pgvec.retire_due()")
    db.execute("SELECT pgvec.drop_collection('docs')")
    untouched(db, "docs_at_v2", oid)


def test_a_view_with_all_our_columns_is_no_more_ours(db, stranger):
    """CREATE OR REPLACE would take it: then the stranger would own what everybody reads."""
    second_version(db, until="building")
    columns = one(
        db,
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)"
        "  FROM pg_attribute WHERE attrelid = 'docs'::regclass AND attnum > 0",
    )
    db.execute("GRANT SELECT ON docs TO pgvec_stranger")
    db.execute("SELECT pgvec.build_index('docs', 'v2')")
    squat(db, "docs_at_v2", what=f"SELECT {columns} FROM docs")
    before = world(db)
    refused(db, "PV004", "SELECT pgvec.make_ready('docs', 'v2')")
    assert world(db) == before


def test_what_took_the_name_of_a_view_of_ours_outlives_every_verb(db, stranger):
    second_version(db, until="active")
    db.execute("DROP VIEW docs_at_v1; DROP VIEW active_docs")
    pinned, routing = squat(db, "docs_at_v1"), squat(db, "active_docs")
    refused(db, "PV004", "SELECT pgvec.refresh_collection('docs')")
    refused(db, "PV004", "SELECT pgvec.roll_back('docs')")
    assert state(db, "v2") == "active"
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    db.execute("CALL pgvec.retire_due()")
    assert state(db, "v1") == "retired"
    db.execute("SELECT pgvec.drop_collection('docs')")
    untouched(db, "docs_at_v1", pinned)
    untouched(db, "active_docs", routing)
    refused(db, "PV004", "SELECT pgvec.create_collection('docs')")


def test_a_view_that_was_dropped_by_hand_is_made_again(db):
    second_version(db)
    db.execute("DROP VIEW active_docs; DROP VIEW docs_at_v1")
    db.execute("SELECT pgvec.refresh_collection('docs')")
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    assert rows(db, "SELECT routing_view = 'active_docs'::regclass FROM pgvec.collection") == [
        (True,)
    ]


def test_a_view_that_was_renamed_is_asked_for_and_still_ours(db):
    second_version(db)
    db.execute("ALTER VIEW active_docs RENAME TO searched")
    said = refused(db, "PV007", "SELECT pgvec.cut_over('docs', 'v2')")
    assert said.detail["relation"] == "public.searched"
    db.execute("ALTER VIEW searched RENAME TO active_docs")
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    db.execute("ALTER VIEW active_docs RENAME TO searched; ALTER VIEW docs_at_v1 RENAME TO old")
    db.execute("SELECT pgvec.drop_collection('docs')")
    assert one(db, "SELECT to_regclass('searched')") is None
    assert one(db, "SELECT to_regclass('old')") is None


@pytest.mark.parametrize(
    "statement",
    ["SELECT pgvec.cut_over('docs', 'v2')", "SELECT pgvec.refresh_collection('docs')",
     "SELECT pgvec.drop_collection('docs')"],
)  # fmt: skip
def test_a_view_that_somebody_else_owns_by_now_is_left_alone(db, stranger, statement):
    second_version(db)
    db.execute("ALTER VIEW active_docs OWNER TO pgvec_stranger")
    before = world(db)
    said = refused(db, "PV004", statement)
    assert said.detail["owner"] == "pgvec_stranger"
    assert world(db) == before


def test_a_collection_whose_owner_is_named_in_capitals_keeps_its_views(db):
    db.execute('DROP ROLE IF EXISTS "Pgvec Owner"; CREATE ROLE "Pgvec Owner" SUPERUSER')
    db.execute('SET ROLE "Pgvec Owner"')
    second_version(db)
    db.execute("SELECT pgvec.cut_over('docs', 'v2')")
    db.execute("RESET ROLE")
    # Another superuser: the views belong to the chunk table's owner.
    db.execute("SELECT pgvec.roll_back('docs')")
    db.execute("SELECT pgvec.drop_collection('docs')")
    db.execute('DROP OWNED BY "Pgvec Owner"; DROP ROLE "Pgvec Owner"')


# --- The chunk table ---


MOVES = [
    ("ALTER TABLE docs RENAME TO others", "ALTER TABLE others RENAME TO docs", "public.others"),
    ("CREATE SCHEMA away; ALTER TABLE docs SET SCHEMA away",
     "ALTER TABLE away.docs SET SCHEMA public", "away.docs"),
    ("ALTER SCHEMA public RENAME TO away", "ALTER SCHEMA away RENAME TO public", "away.docs"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "back", "now"), MOVES)
def test_a_chunk_table_that_was_moved_is_refused_until_it_is_back(db, there, back, now):
    second_version(db, until="building")
    db.execute(there.encode())
    said = refused(db, "PV007", "SELECT pgvec.register_version('docs', 'v3', 8)")
    assert f"{said.detail['schema']}.{said.detail['relation']}" == now
    assert "name back" in said.hint
    refused(db, "PV007", f"DELETE FROM {now} WHERE model_version = 'v1'")
    db.execute(back.encode())
    put(db, "a")
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")


def test_a_chunk_table_that_was_moved_is_dropped_with_its_collection(db, stranger):
    live_collection(db)
    db.execute("ALTER TABLE docs RENAME TO others")
    oid = squat(db, "docs", "TABLE")
    db.execute("SELECT pgvec.drop_collection('docs')")
    assert one(db, "SELECT to_regclass('others')") is None
    untouched(db, "docs", oid)


@pytest.mark.parametrize("gone", ["ALTER TABLE docs RENAME TO others", "DROP TABLE docs CASCADE"])
def test_another_table_of_the_name_is_never_taken(db, engine, stranger, gone):
    second_version(db)
    embedders = {label: TinyEmbedder(label) for label in ("v1", "v2")}
    for label, embedder in embedders.items():
        db.execute(
            "UPDATE pgvec.model_version SET embedder = %s WHERE model_version = %s",
            (Jsonb(embedder.identity.to_json()), label),
        )
    store = ChunkStore(engine, "docs", embedders)
    chunk = one(db, "SELECT chunk_id FROM docs LIMIT 1")
    db.execute(gone.encode())
    db.execute("SET ROLE pgvec_stranger")
    db.execute(
        """CREATE TABLE docs (chunk_id uuid, model_version text, document_id text, position integer,
               content text, metadata jsonb DEFAULT '{}', embedding vector,
               written_at timestamptz DEFAULT now(), turn bigint DEFAULT 0,
               PRIMARY KEY (chunk_id, model_version))
               PARTITION BY LIST (model_version);
           CREATE TABLE docs_any PARTITION OF docs DEFAULT;
           GRANT ALL ON docs TO PUBLIC"""
    )
    db.execute("RESET ROLE")
    for verb in (
        "SELECT pgvec.register_version('docs', 'v3', 8)",
        "SELECT pgvec.cut_over('docs', 'v2')",
        "SELECT pgvec.refresh_collection('docs')",
        "SELECT pgvec.abandon('docs', 'v2')",
        "SELECT pgvec.plan_backfill('docs', 'v2')",
        "SELECT pgvec.chunk_table('docs')",
    ):
        refused(db, "PV007", verb)
    with pytest.raises(InvalidArgument):
        store.add([Chunk("a secret", None, None, {}, str(chunk))])
    with pytest.raises(InvalidArgument):
        store.delete(chunk_ids=[str(chunk)])
    assert rows(db, "SELECT * FROM docs") == []
    # A trigger of ours on a table of his.
    db.execute(
        "CREATE TRIGGER follow AFTER DELETE ON docs REFERENCING OLD TABLE AS old_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION pgvec.follow_writes('docs')"
    )
    refused(db, "PV007", "DELETE FROM docs")
    db.execute("SELECT pgvec.drop_collection('docs')")
    assert rows(db, "SELECT * FROM docs") == []


def test_what_is_remembered_survives_a_dump(db, database, server, connect):
    second_version(db, until="active")
    remembered = (
        "SELECT c.chunk_table::text, c.routing_view::text, v.model_version, v.pinned_relation::text"
        "  FROM pgvec.collection c JOIN pgvec.model_version v USING (collection) ORDER BY 3"
    )
    before = rows(db, remembered)
    assert [row[3] for row in before] == ["docs_at_v1", "docs_at_v2"]
    place = binaries(server)
    dump = subprocess.run(
        [place / "pg_dump", "-d", database], check=True, capture_output=True, **server_user()
    ).stdout
    name = "pgvec_restored"
    db.execute(f"CREATE DATABASE {name}".encode())
    url = server.url(name)
    try:
        restored = subprocess.run(
            [place / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", url],
            input=dump, capture_output=True, check=False, **server_user(),
        )  # fmt: skip
        assert restored.returncode == 0, restored.stderr
        with psycopg.connect(url, autocommit=True) as there:
            assert rows(there, remembered) == before
            put(there, "a", "v2")
            there.execute("SELECT pgvec.roll_back('docs', allow_missing => true)")
            there.execute("SELECT pgvec.refresh_collection('docs')")
            there.execute("SELECT pgvec.drop_collection('docs')")
    finally:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
