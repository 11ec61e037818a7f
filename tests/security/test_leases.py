"""What a worker hands in is checked, and refused with a code of ours, before a row is touched."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
import pytest

from tests.sql.helpers import chunks, items, one, refused
from tests.tools import Connect, live_collection

Connection = psycopg.Connection[Any]

LEASE = "00000000-0000-0000-0000-000000000001"
IDS = {
    "uuid": ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"),
    "bigint": ("1", "2"),
    "text": ("one", "two"),
}
HASH = hashlib.sha256(b"a text").hexdigest()
FINE = "[1,1,1,1,1,1,1,1]"


def claimed(db: Connection, id_type: str = "uuid", storage: str = "vector") -> str:
    """docs with a chunk in v1, and the item that makes it for v2 claimed. Returns the chunk."""
    live_collection(db, count=0, id_type=id_type, storage=storage)
    chunk = IDS[id_type][0]
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding)"
        f" VALUES (%s::{id_type}, 'v1', 'a text', %s)".encode(),
        (chunk, FINE),
    )
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    db.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
    assert one(db, "SELECT count(*) FROM pgvec.claim_work('docs', '{v2}')") == 1
    db.execute("UPDATE pgvec.work_item SET lease = %s", (LEASE,))
    return chunk


def call(
    db: Connection, ids: list[str | None], vectors: list[str | None] | None
) -> tuple[Any, ...]:
    item = one(db, "SELECT item_id FROM pgvec.work_item")
    return (LEASE, [item], ids, [f"\\x{HASH}"] * len(ids), vectors)


COMPLETE = "SELECT pgvec.complete_lease(%s, %s, '{1}', %s, %s::bytea[], %s::vector[])"


@pytest.mark.parametrize("id_type", IDS)
def test_ids_that_are_none_or_come_twice_are_refused(db: Connection, id_type: str) -> None:
    chunk = claimed(db, id_type)
    before = (items(db), chunks(db, "v2"))
    for ids in (["'; DROP TABLE docs; --"], [chunk, chunk], ["1e400"], [""]):
        if id_type == "text" and len(ids) == 1:
            continue  # a text is an id
        refused(db, "PV007", COMPLETE, *call(db, [*ids], [FINE] * len(ids)))
    assert (items(db), chunks(db, "v2")) == before
    assert db.execute(COMPLETE.encode(), call(db, [chunk], [FINE])).fetchone() == (
        ("1", "0", "1", "0"),
    )


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@pytest.mark.parametrize(
    "vectors",
    [
        None,
        [None],
        [],
        ["[1,1]"],
        ["[0,0,0,0,0,0,0,0]"],
        ["[1e-30,0,0,0,0,0,0,0]"],
        ["[3e38,0,0,0,0,0,0,0]"],
    ],
)
def test_vectors_that_are_none_are_refused(
    db: Connection, vectors: list[str | None] | None, storage: str
) -> None:
    chunk = claimed(db, storage=storage)
    if storage == "vector" and vectors and (vectors[0] or "").startswith(("[1e", "[3e")):
        assert db.execute(COMPLETE.encode(), call(db, [chunk], vectors)).fetchone()
        return
    before = (items(db), chunks(db, "v2"))
    said = refused(db, "PV015", COMPLETE, *call(db, [chunk], vectors))
    assert said.detail == {"collection": "docs", "model_version": "v2"}
    assert (items(db), chunks(db, "v2")) == before


@pytest.mark.parametrize("most", [None, 0, -(2**31)])
def test_a_failure_is_of_at_least_one_attempt(db: Connection, most: int | None) -> None:
    claimed(db)
    refused(db, "PV007", "SELECT pgvec.fail_work(%s, 'e', %s)", LEASE, most)


@pytest.mark.parametrize("rest", [None, "178000000 years", "-178000000 years"])
@pytest.mark.parametrize("verb", ["postpone_work", "fail_work"])
def test_a_rest_is_of_this_calendar(db: Connection, verb: str, rest: str | None) -> None:
    claimed(db)
    call = f"SELECT pgvec.{verb}(%s, 'e', retry_in => %s::interval)"
    refused(db, "PV007", call, LEASE, rest)


def test_complete_work_says_what_its_table_lacks(db: Connection) -> None:
    claimed(db)
    complete = "SELECT pgvec.complete_work('docs', 'v1', 'v2', '{1}', '{1}', %s)"
    refused(db, "PV007", complete, LEASE)
    db.execute("CREATE TEMPORARY TABLE pgvec_made (chunk_id uuid, embedding vector)")
    refused(db, "PV007", complete, LEASE)


@pytest.mark.parametrize("door", [None, "", "other", "queue_docs", "QUEUE", "x" * 5000])
def test_a_door_that_is_none_is_named(db: Connection, door: str | None) -> None:
    live_collection(db, count=0)
    refused(db, "PV007", "SELECT pgvec.ask_door(%s, 'docs', 'queue_counts', '{}')", door)


def test_a_door_that_was_dropped_by_hand_is_said(db: Connection) -> None:
    live_collection(db, count=0)
    db.execute("DROP FUNCTION pgvec.queue_docs")
    said = refused(db, "PV008", "SELECT pgvec.queue_counts('docs', '{v1}')")
    assert "pgvec init" in said.hint


@pytest.mark.parametrize("role", ["owner", "worker"])
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("claim_work", '{"max_items": "many", "lease": "1 minute"}'),
        ("claim_work", '{"max_items": 1e30, "lease": "1 minute"}'),
        ("claim_work", '{"max_items": [], "lease": "1 minute"}'),
        ("claim_work", '{"lease": "a while"}'),
        ("claim_work", '{"lease": "99999999999 years"}'),
        ("claim_work", "null"),
        ("claim_work", None),
        ("queue_counts", '{"newest": {}}'),
        ("record_fingerprint", '{"model_version": "v1", "agrees": "perhaps"}'),
        ("record_fingerprint", '{"model_version": "v1", "agrees": true, "least_cosine": "x"}'),
        ("drop_collection", "{}"),
        (None, "{}"),
    ],
)
def test_what_goes_through_a_door_is_of_its_type(
    connect: Connect, role: str, verb: str | None, arguments: str | None
) -> None:
    db, asking = connect(), connect()
    live_collection(db, count=0)
    if role == "worker":
        db.execute("CREATE ROLE lease_worker")
        db.execute("SELECT pgvec.grant_worker('docs', 'lease_worker')")
        asking.execute("SET ROLE lease_worker")
    try:
        refused(asking, "PV007", "SELECT pgvec.queue_docs(%s, %s)", verb, arguments)
    finally:
        if role == "worker":
            db.execute("DROP OWNED BY lease_worker")
            db.execute("DROP ROLE lease_worker")


def test_a_turn_that_is_no_number_waits_for_nothing(db: Connection) -> None:
    claimed(db)
    chunk = IDS["uuid"][0]
    db.execute("UPDATE pgvec.work_item SET lo = %s, hi = %s", (chunk, chunk))
    db.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding) VALUES (%s, 'v2', 'b', %s)",
        (chunk, FINE),
    )
    for turn in ('"x"', "1.5", "1e40", "null", "[]"):
        asked = f'{{"model_version": "v2", "chunks": {{"{chunk}": {turn}}}}}'
        assert one(db, "SELECT pgvec.waiting_docs('waiting_changes', %s)", asked) == []
