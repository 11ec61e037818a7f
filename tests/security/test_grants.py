"""A grant is for one collection and one role, and what it gives is reached through our functions.

The roles here live in a transaction that is rolled back, or go with their test.
"""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.postgres.database import engine_for
from pgvec_versions.postgres.install import install
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.end_states import holds, same
from tests.security.roles import PRIVILEGES, a_role, acting
from tests.sql.helpers import claim, edit, one, put, refused, rows, second_version
from tests.tools import TinyEmbedder, live_collection

Connection = psycopg.Connection[Any]

#: Of the catalog, what nobody but the owner may touch, and how.
CLOSED = {
    "work_item": "SELECT INSERT UPDATE DELETE TRUNCATE",
    "tombstone": "SELECT INSERT UPDATE DELETE TRUNCATE",
    "version_event": "SELECT INSERT UPDATE DELETE TRUNCATE",
    "fingerprint": "INSERT UPDATE DELETE TRUNCATE",
    "canary": "INSERT UPDATE DELETE TRUNCATE",
    "collection": "INSERT UPDATE DELETE TRUNCATE",
    "model_version": "INSERT UPDATE DELETE TRUNCATE",
    "collection_grant": "INSERT UPDATE DELETE TRUNCATE",
}
#: What may run with the owner's rights for a worker: a lease is the right to it.
BY_LEASE = {
    "leased_items",
    "complete_lease",
    "renew_work",
    "release_work",
    "postpone_work",
    "fail_work",
    "read_work",
    "complete_work",
}


def role_of(privilege: str) -> str:
    return f"of_a_{privilege}"


@pytest.fixture
def two(tx: Connection) -> Connection:
    """Collections ``a`` and ``docs``, the latter with a draining v1 that still lacks a chunk.

    For each privilege there is a role that holds it on ``a``, and on nothing else.
    """
    live_collection(tx, "a", count=3)
    tx.execute("SELECT pgvec.register_version('a', 'v2', 8); SELECT pgvec.plan_backfill('a', 'v2')")
    second_version(tx, until="active")
    edit(tx, "chunk1", "v2", "edited")
    put(tx, "news", "v2")
    canaries = '[{"canary": "x", "kind": "query", "content": "secret", "embedding": [1, 2]}]'
    for collection in ("a", "docs"):
        tx.execute("SELECT pgvec.register_version(%s, 'v3', 2)", (collection,))
        tx.execute("SELECT pgvec.store_fingerprint(%s, 'v3', %s)", (collection, canaries))
    for privilege in PRIVILEGES:
        role = sql.Identifier(role_of(privilege))
        tx.execute(sql.SQL("CREATE ROLE {}").format(role))
        tx.execute(
            sql.SQL("SELECT pgvec.{}('a', %s::regrole)").format(
                sql.Identifier(f"grant_{privilege}")
            ),
            (role_of(privilege),),
        )
    return tx


# --- The queue and the record ---


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_no_grant_opens_a_table_of_the_queue_or_the_record(two, privilege):
    for table, words in CLOSED.items():
        for word in words.split():
            asked = (role_of(privilege), f"pgvec.{table}", word)
            assert one(two, "SELECT has_table_privilege(%s, %s, %s)", *asked) is False, asked
            if word not in ("DELETE", "TRUNCATE"):
                held = one(two, "SELECT has_any_column_privilege(%s, %s, %s)", *asked)
                assert held is False, asked
    sequences = rows(
        two,
        "SELECT c.oid::regclass::text FROM pg_class c WHERE CASE WHEN c.relkind = 'S' AND"
        "  c.relnamespace = 'pgvec'::regnamespace"
        "  THEN has_sequence_privilege(%s, c.oid, 'USAGE, SELECT, UPDATE') END",
        role_of(privilege),
    )
    assert sequences == []


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_each_role_may_call_what_the_matrix_lists_and_nothing_else(two, privilege):
    may = {
        name
        for (name,) in rows(
            two,
            "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'pgvec'::regnamespace"
            "   AND has_function_privilege(%s, p.oid, 'EXECUTE')",
            role_of(privilege),
        )
    }
    listed = rows(
        two,
        "SELECT w.part FROM pgvec.privilege_words() w"
        " WHERE w.privilege = %s AND w.word = 'EXECUTE' AND w.given",
        privilege,
    )
    doors = {"workers' door": "queue_a", "writers' door": "waiting_a"}
    # The planner takes a cast apart with it; it gives a field of a row.
    may.remove("unboxed")
    assert may == {doors.get(part, part.removeprefix("function ")) for (part,) in listed}
    definers = {
        name
        for (name,) in rows(
            two,
            "SELECT proname FROM pg_proc WHERE pronamespace = 'pgvec'::regnamespace AND prosecdef",
        )
    }
    assert may & definers <= BY_LEASE | {"queue_a", "waiting_a"}


OTHERS = (
    "SELECT * FROM pgvec.claim_work('docs', '{v1,v2}')",
    "SELECT pgvec.retry_set_aside('docs')",
    "SELECT * FROM pgvec.queue_counts('docs', '{v1}')",
    "SELECT pgvec.record_fingerprint('docs', 'v3', '{}', false, 0)",
    "SELECT * FROM pgvec.waiting_changes('docs', 'v1', '{x}', '{1}')",
    "SELECT * FROM pgvec.free_versions('docs')",
    "SELECT pgvec.set_document_root('docs', '/srv')",
)
BEHIND = (
    """SELECT pgvec.queue_docs('claim_work', '{"versions": ["v1"]}')""",
    "SELECT pgvec.waiting_docs('waiting_changes', '{}')",
    """SELECT pgvec.queue_verb('docs', 'retry_set_aside', '{}')""",
    "SELECT pgvec.waiting_verb('docs', 'waiting_changes', '{}')",
    "SELECT * FROM pgvec.claim_items('docs', '{v1}', 1, '1 hour')",
    "SELECT pgvec.reopen_items('docs', NULL)",
    "SELECT * FROM pgvec.count_items('docs', '{v1}', NULL)",
    "SELECT pgvec.find_waiting('docs', 'v1', '{}')",
    "SELECT pgvec.keep_document_root('docs', '/srv', NULL)",
    "SELECT pgvec.keep_verdict('docs', 'v3', '{}', false, 0, '{}')",
    "SELECT pgvec.log_event('docs', 'v1', 'retire')",
    "SELECT pgvec.log_event('a', 'v1', 'retire')",
    "SELECT pgvec.put_doors('docs')",
    "SELECT pgvec.apply_grants('docs')",
    "SELECT pgvec.record_grant('docs', 'of_a_worker', 'worker')",
    "SELECT pgvec.forget_gone_roles('docs')",
    "SELECT pgvec.change_state('docs', 'v1', 'roll_back', 'active')",
    "DELETE FROM pgvec.work_item RETURNING 1",
    "UPDATE pgvec.work_item SET set_aside_at = now() RETURNING 1",
    "SELECT lease FROM pgvec.work_item",
    "SELECT * FROM pgvec.version_event",
    "INSERT INTO pgvec.version_event (collection, verb, at, who) VALUES"
    " ('docs', 'retire', '2001-01-01', 'boss') RETURNING 1",
    "DELETE FROM pgvec.tombstone RETURNING 1",
    "UPDATE pgvec.fingerprint SET agrees = false RETURNING 1",
    "COPY pgvec.version_event (collection, verb) FROM STDIN",
    "LOCK TABLE pgvec.work_item IN ACCESS EXCLUSIVE MODE",
    "CREATE FUNCTION pgvec.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION pgvec.queue_a OWNER TO of_a_worker",
)


def look(connection: Connection) -> list[list[tuple[Any, ...]]]:
    return [
        rows(connection, f"SELECT t::text FROM pgvec.{table} t ORDER BY 1")
        for table in ("work_item", "version_event", "fingerprint", "tombstone", "model_version")
    ]


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_nobody_reaches_the_queue_or_the_record_of_another_collection(two, privilege):
    before = look(two)
    with acting(two, role_of(privilege)):
        for statement in OTHERS:
            # To who has no right to it the collection is not there; or the function is not for him.
            with pytest.raises(psycopg.Error) as caught, two.transaction():
                two.execute(statement.encode())
            assert caught.value.sqlstate in ("PV001", "42501"), statement
            assert "docs" not in str(caught.value.diag.message_detail).replace('"docs"', "", 1)
        for statement in BEHIND:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), two.transaction():
                two.execute(statement.encode())
    assert look(two) == before


def test_a_refused_roll_back_stays_refused_whatever_a_worker_of_another_collection_does(two):
    assert refused(two, "PV006", "SELECT pgvec.roll_back('docs')").detail["problems"]["open_items"]
    with acting(two, role_of("worker")):
        for statement in (*OTHERS, *BEHIND):
            with pytest.raises(psycopg.Error), two.transaction():
                two.execute(statement.encode())
        items = rows(two, "SELECT lease_id FROM pgvec.claim_work('a', '{v2}', 100)")
        for call in ("release_work(%s)", "renew_work(%s)", "postpone_work(%s, 'x')"):
            assert one(two, f"SELECT pgvec.{call}", items[0][0]) in (0, 1)
    assert refused(two, "PV006", "SELECT pgvec.roll_back('docs')").detail["problems"]["open_items"]


def test_a_worker_of_the_collection_cannot_make_a_refused_roll_back_pass_either(two):
    """He can work, fail and postpone; an item goes only when its chunks are there."""
    two.execute("SELECT pgvec.grant_worker('docs', 'of_a_worker')")
    with acting(two, role_of("worker")):
        mine = claim(two, ["v1"], 100)
        assert mine is not None
        two.execute("SELECT pgvec.fail_work(%s, 'no', 1, '0', true)", (mine.lease,))
        assert one(two, "SELECT pgvec.retry_set_aside('docs')") == 2
        assert claim(two, ["v1"], 100, "1 microsecond") is not None
        refused(two, "42501", "DELETE FROM pgvec.work_item RETURNING 1")
    problems = refused(two, "PV006", "SELECT pgvec.roll_back('docs')").detail["problems"]
    assert problems.keys() & {"open_items", "set_aside"}


def test_a_lease_is_the_right_to_its_own_items_and_no_others(two):
    two.execute("SELECT pgvec.grant_worker('docs', 'of_a_worker')")
    with acting(two, role_of("worker")):
        mine = claim(two, ["v2"], 100, collection="a")
        assert mine is not None
    theirs = claim(two, ["v1"], 1)
    assert theirs is not None
    before = rows(two, "SELECT w::text FROM pgvec.work_item w WHERE collection = 'docs'")
    with acting(two, role_of("worker")):
        for lease in (mine.lease, uuid.uuid4(), None):
            for call in (
                "renew_work(%s)",
                "postpone_work(%s, 'x')",
                "fail_work(%s, 'x')",
                "release_work(%s)",
            ):
                two.execute(f"SELECT pgvec.{call}".encode(), (lease,))
    assert rows(two, "SELECT w::text FROM pgvec.work_item w WHERE collection = 'docs'") == before
    assert one(two, "SELECT count(*) FROM pgvec.work_item WHERE lease = %s", mine.lease) == 0


def test_an_event_names_the_session_that_did_it_and_the_moment(two):
    with acting(two, role_of("worker")):
        mine = claim(two, ["v2"], 1, collection="a")
        assert mine is not None
        two.execute("SELECT set_config('application_name', 'boss', true)")
        two.execute("SELECT pgvec.fail_work(%s, 'broken', 1, '0', false)", (mine.lease,))
        two.execute("SELECT pgvec.record_fingerprint('a', 'v3', '{}', false, 'NaN', '{\"a\": 1}')")
        for detail in ("[]", '"x"', "1"):
            refused(
                two,
                "PV007",
                "SELECT pgvec.record_fingerprint('a', 'v3', '{}', true, 0.5, %s)",
                detail,
            )
    said = rows(
        two,
        "SELECT verb, collection, who = session_user, at > clock_timestamp() - interval '1 minute',"
        " detail ->> 'error', detail ->> 'a'"
        "  FROM pgvec.version_event ORDER BY event_id DESC LIMIT 2",
    )
    assert said == [
        ("fingerprint_differs", "a", True, True, None, "1"),
        ("set_aside", "a", True, True, "broken", None),
    ]


def test_a_verb_that_the_door_does_not_know_is_refused(two):
    with acting(two, role_of("worker")):
        for verb in ("log_event", "waiting_changes", "", None):
            refused(two, "PV007", "SELECT pgvec.queue_a(%s, '{}')", verb)
        assert refused(two, "PV001", "SELECT pgvec.retry_set_aside('docs')").detail == {
            "collection": "docs",
            "collections": ["a"],
        }
    with acting(two, role_of("write")):
        refused(two, "PV007", "SELECT pgvec.waiting_a('retry_set_aside', '{}')")


def test_who_is_no_worker_is_told_what_would_make_him_one(two):
    two.execute("GRANT EXECUTE ON FUNCTION pgvec.claim_work, pgvec.ask_door TO of_a_read")
    with acting(two, role_of("read")):
        told = refused(two, "42501", "SELECT * FROM pgvec.claim_work('a', '{v2}')")
    assert told.hint == (
        "Ask the owner of the collection to run: SELECT pgvec.grant_worker('a', 'of_a_read');"
    )


# --- What is shown ---


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_the_catalog_shows_each_role_its_own_collections(two, privilege):
    tables = ("collection", "model_version", "fingerprint", "canary", "collection_grant")
    with acting(two, role_of(privilege)):
        for table in tables:
            shown = rows(two, f"SELECT DISTINCT collection FROM pgvec.{table}")
            assert shown == [("a",)], table
        assert rows(two, "SELECT DISTINCT grantee::text FROM pgvec.collection_grant") == [
            (role_of(privilege),)
        ]
        told = refused(two, "PV001", "SELECT pgvec.active_version('docs')")
        assert told.detail["collections"] == ["a"]
        assert "docs" not in told.hint
    for table in tables[:4]:
        assert rows(two, f"SELECT DISTINCT collection FROM pgvec.{table} ORDER BY 1") == [
            ("a",),
            ("docs",),
        ]


def test_a_role_that_may_read_all_data_sees_the_whole_catalog(two):
    two.execute("CREATE ROLE of_all IN ROLE pg_read_all_data")
    with acting(two, "of_all"):
        assert one(two, "SELECT count(DISTINCT collection) FROM pgvec.model_version") == 2
        assert one(two, "SELECT count(*) FROM pgvec.collection_grant") == 3


def test_a_member_of_a_granted_role_has_what_the_role_has(two):
    two.execute("CREATE ROLE member IN ROLE of_a_worker")
    with acting(two, "member"):
        assert claim(two, ["v2"], 1, collection="a") is not None
        assert rows(two, "SELECT DISTINCT collection FROM pgvec.model_version") == [("a",)]


def test_who_was_shown_a_view_by_hand_is_told_what_is_lacking(two):
    two.execute("GRANT SELECT ON active_docs, pgvec_leaves.docs__v2 TO of_a_read")
    with acting(two, role_of("read")):
        two.execute("SET LOCAL pgvec.query_version.docs = 'any'")
        told = refused(two, "42501", "SELECT * FROM active_docs")
        assert told.hint == (
            "Ask the owner of the collection to run: SELECT pgvec.grant_read('docs', 'of_a_read');"
        )


def test_what_waits_for_a_row_is_told_to_who_knows_the_row(two):
    two.execute("SELECT pgvec.grant_write('docs', 'of_a_write')")
    ask = "SELECT pgvec.waiting_changes('docs', 'v1', ARRAY[%s::text], ARRAY[%s::bigint])"
    changed, at = rows(
        two,
        "SELECT d.chunk_id::text, d.turn FROM docs d JOIN pgvec.work_item w"
        "    ON w.lo = d.chunk_id::text AND w.model_version = d.model_version"
        " WHERE d.model_version = 'v1'",
    )[0]
    with acting(two, role_of("write")):
        assert rows(two, ask, changed, at) == [(changed,)]
        assert rows(two, ask, changed, 1) == []
        assert rows(two, ask, str(uuid.uuid4()), at) == []
        assert rows(two, ask, "no uuid", at) == []


# --- Each grant is enough ---


def url_as(database: str, role: str) -> Any:
    return engine_for(database).url.update_query_dict({"options": f"-c role={role}"})


def test_a_writer_stores_and_deletes_with_nothing_but_his_grants(db, database):
    tiny = TinyEmbedder()
    db.execute("SELECT pgvec.create_collection('docs')")
    Transition(database, "docs", "v1", tiny).run(cut_over=True)
    Transition(database, "docs", "v2", TinyEmbedder("b")).begin()
    with a_role(db) as role:
        for privilege in ("read", "write"):
            db.execute(f"SELECT pgvec.grant_{privilege}('docs', %s::regrole)".encode(), (role,))
        store = ChunkStore(url_as(database, role), "docs", {"v1": tiny})
        store.add([Chunk("a", "d", 0), Chunk("b", "d", 1)])
        assert store.add([Chunk("a", "d", 0), Chunk("c", "d", 1)]).replaced == 1
        assert store.search("c", k=1)[0].content == "c"
        assert store.delete(document_ids=["d"]) == 2
        store.engine.dispose()


def test_a_worker_fills_a_version_with_nothing_but_his_grant(db, database):
    live_collection(db, count=0)
    for word in "abc":
        put(db, word)
    tiny = TinyEmbedder()
    Transition(database, "docs", "v2", tiny).begin()
    with a_role(db) as role:
        db.execute("SELECT pgvec.grant_worker('docs', %s::regrole)", (role,))
        engine = engine_for(url_as(database, role))
        assert Worker(engine, "docs", {"v2": tiny}).drain().written == 3
        engine.dispose()
    same(db, {"a": "a", "b": "b", "c": "c"})
    holds(db, "v2", "abc", embedder=tiny)


# --- The doors ---


def test_the_doors_stand_with_the_collection_and_belong_to_the_owner_of_the_catalog(tx):
    tx.execute("CREATE ROLE landlord")
    tx.execute("ALTER SCHEMA pgvec OWNER TO landlord")
    tx.execute("ALTER TABLE pgvec.work_item OWNER TO landlord")
    tx.execute("SELECT pgvec.create_collection('docs')")
    doors = (
        "SELECT proname, proowner::regrole::text, prosecdef FROM pg_proc"
        " WHERE proname ~ '_docs$' ORDER BY 1"
    )
    assert rows(tx, doors) == [
        ("queue_docs", "landlord", True),
        ("waiting_docs", "landlord", True),
    ]
    tx.execute("SELECT pgvec.drop_collection('docs')")
    assert rows(tx, doors) == []


def test_a_new_door_is_open_to_nobody_whatever_the_default_privileges_are(tx):
    tx.execute("CREATE ROLE guest")
    tx.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO guest")
    tx.execute("SELECT pgvec.create_collection('docs')")
    for door in ("queue", "waiting"):
        may = f"SELECT has_function_privilege('guest', 'pgvec.{door}_docs(text, jsonb)', 'EXECUTE')"
        assert one(tx, may) is False


def test_an_installation_makes_the_doors_again_for_whom_they_are(db):
    live_collection(db, count=1)
    with a_role(db) as role:
        db.execute("SELECT pgvec.grant_worker('docs', %s::regrole)", (role,))
        db.execute("DROP FUNCTION pgvec.queue_docs, pgvec.waiting_docs")
        install(db)
        may = "SELECT has_function_privilege(%s, 'pgvec.queue_docs(text, jsonb)', 'EXECUTE')"
        assert one(db, may, role) is True
        assert one(db, may.replace("queue", "waiting"), role) is False


def test_grants_of_two_collections_at_once_do_not_meet(db, connect):
    """What stands already is not given again: the catalog's own rows are left alone."""
    live_collection(db, "a", count=1)
    live_collection(db, "b", count=1)
    with a_role(db) as role:
        for collection in ("a", "b"):
            db.execute("SELECT pgvec.grant_read(%s, %s::regrole)", (collection, role))
        other = connect(autocommit=False)
        other.execute("SELECT pgvec.register_version('a', 'v2', 8)")
        db.execute("SET lock_timeout = '5s'")
        db.execute("SELECT pgvec.register_version('b', 'v2', 8)")
        other.commit()


# --- A malformed event ---


def test_an_event_whose_detail_is_no_object_cannot_be_written(tx):
    for detail in ("1", '"x"', "[]", "null", "true"):
        refused(
            tx,
            "23514",
            "INSERT INTO pgvec.version_event (collection, verb, detail) VALUES ('x', 'y', %s)"
            " RETURNING 1",
            detail,
        )


@pytest.mark.parametrize("detail", ["1", '"x"', "[]", "null", '{"reason": 7, "outcome": "lie"}'])
def test_no_event_stops_the_retirement_of_what_is_due(db, detail):
    second_version(db, until="active")
    db.execute(
        "ALTER TABLE pgvec.version_event DROP CONSTRAINT IF EXISTS version_event_detail_check"
    )
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    forge = (
        "INSERT INTO pgvec.version_event (event_id, collection, model_version, verb, detail)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, 'docs', 'v1', %s, %s)"
    )
    # They stay the newest, whatever is appended.
    for place, verb in enumerate(("retire_refused", "retire", "hello")):
        db.execute(forge.encode(), (2**62 + place, verb, detail))
    # First a refusal, for which the newest event is asked for its reason; then it goes.
    db.execute("SELECT pgvec.hold_version('docs', 'v1', 'wait')")
    db.execute("CALL pgvec.retire_due()")
    assert rows(db, "SELECT refused -> 0 ->> 'outcome' FROM pgvec.retirement_run") == [("held",)]
    db.execute("SELECT pgvec.release_version('docs', 'v1')")
    db.execute("CALL pgvec.retire_due()")
    assert one(db, "SELECT state FROM pgvec.model_version WHERE model_version = 'v1'") == "retired"
