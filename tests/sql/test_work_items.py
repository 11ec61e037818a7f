"""Work items: planned from the rows, claimed by one worker each, and never lost to a bad chunk."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.end_states import holds, same
from tests.sql.helpers import (
    Done,
    claim,
    complete,
    edit,
    in_background,
    items,
    leaf,
    one,
    put,
    read,
    refused,
    rows,
    vector,
    work_off,
)
from tests.tools import live_collection

OPEN = "SELECT lo, hi FROM pgvec.work_item ORDER BY item_id"


def planned(db, count=100, chunks_per_item=10):
    """v1 with count chunks, v2 with nothing, and a plan."""
    live_collection(db, count=count)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    plan = "SELECT pgvec.plan_backfill('docs', 'v2', %s)"
    return one(db, plan, chunks_per_item)


# --- The plan ---


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(100, 10, 10), (101, 10, 11), (3, 512, 1), (5, 1, 5), (0, 10, 0)],
)
def test_a_plan_has_intervals_of_the_wanted_size(tx, count, size, expected):
    assert planned(tx, count, size) == expected
    lengths = rows(
        tx,
        "SELECT count(*) FROM pgvec.work_item w JOIN docs d ON d.chunk_id BETWEEN w.lo::uuid AND"
        " w.hi::uuid AND d.model_version = 'v1' GROUP BY w.item_id ORDER BY w.item_id",
    )
    assert [row[0] for row in lengths] == [min(size, count - i) for i in range(0, count, size)]


IDS = {"uuid": "md5(i::text)::uuid", "bigint": "i * 7 - 1000", "text": """ 'Ä ''"%%\\' || i """}


@pytest.mark.parametrize("id_type", IDS)
def test_every_kind_of_id_is_carried_whole(tx, id_type):
    tx.execute("SELECT pgvec.create_collection('docs', id_type => %s)", (id_type,))
    tx.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    tx.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding)"
        f" SELECT {IDS[id_type]}, 'v1', 'text ' || i, %s FROM generate_series(1, 250) i".encode(),
        (vector("any", "v1"),),
    )
    for verb in ("build_index", "make_ready", "cut_over"):
        tx.execute(f"SELECT pgvec.{verb}('docs', 'v1')".encode())
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v2', 100)") == 3
    seen = 0
    while (mine := claim(tx, ["v2"])) is not None:
        made = read(tx, mine)
        seen += len(made)
        assert complete(tx, mine, made, id_type=id_type) == Done(completed=1, written=len(made))
    assert seen == 250
    same(tx)
    tx.execute("DELETE FROM docs WHERE model_version = 'v1' AND content = 'text 1'")
    tx.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding)"
        f" SELECT {IDS[id_type]}, 'v2', 'new', %s FROM generate_series(300, 300) i".encode(),
        (vector("new", "v2"),),
    )
    mine = claim(tx, ["v1"])
    assert complete(tx, mine, read(tx, mine), id_type=id_type) == Done(completed=1, written=1)
    same(tx)


def test_planning_again_adds_nothing_and_keeps_what_has_begun(tx):
    planned(tx)
    mine = claim(tx, ["v2"], 3)
    before = rows(tx, "SELECT item_id, lo, hi FROM pgvec.work_item WHERE lease IS NOT NULL")
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v2', 10)") == 10
    assert rows(tx, "SELECT item_id, lo, hi FROM pgvec.work_item WHERE lease IS NOT NULL") == before
    assert complete(tx, mine, read(tx, mine)) == Done(completed=3, written=30)
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v2', 100)") == 1
    work_off(tx, "v2")
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v2')") == 0
    same(tx)


@pytest.mark.parametrize("size", ["0", "-1", "NULL"])
def test_an_interval_holds_at_least_one_chunk(tx, size):
    planned(tx, 1)
    refused(tx, "PV007", f"SELECT pgvec.plan_backfill('docs', 'v2', {size})")


def test_planning_finds_what_was_changed_behind_our_back(tx):
    planned(tx, 5)
    work_off(tx, "v2")
    tx.execute(
        "UPDATE pgvec_leaves.docs__v1 SET metadata = '{\"new\": 1}' WHERE content = 'text 1'"
    )
    tx.execute("DELETE FROM pgvec_leaves.docs__v1 WHERE content = 'text 2'")
    tx.execute(
        "UPDATE pgvec_leaves.docs__v1 SET content = 'changed', embedding = %s"
        " WHERE content = 'text 3'",
        (vector("changed", "v1"),),
    )
    tx.execute("DELETE FROM pgvec_leaves.docs__v2 WHERE content = 'text 4'")
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v2', 1)") == 3
    work_off(tx, "v2")
    # Nothing says whether text 2 was deleted on purpose: it comes back only if you say so.
    assert work_off(tx, "v1") == 0
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v1')") == 1
    assert work_off(tx, "v1") == 1
    same(tx, ["text 1", "text 2", "changed", "text 4", "text 5"])


# --- The truth ---


def test_missing_chunks_tells_the_truth_whatever_the_items_say(tx):
    planned(tx, 10)
    missing = "SELECT count(*) FROM pgvec.missing_chunks('docs', %s)"
    assert one(tx, missing, "v2") == 10
    tx.execute("DELETE FROM pgvec.work_item")
    assert one(tx, missing, "v2") == 10
    tx.execute("SELECT pgvec.plan_backfill('docs', 'v2')")
    work_off(tx, "v2")
    assert one(tx, missing, "v2") == 0
    tx.execute(f"DELETE FROM {leaf(tx, 'v2')} WHERE content = 'text 1'".encode())
    assert rows(tx, "SELECT * FROM pgvec.missing_chunks('docs', 'v2')") == rows(
        tx, "SELECT md5('chunk1')::uuid::text"
    )
    assert one(tx, missing, "v1") == 0


def test_the_status_counts_and_does_not_estimate(tx):
    planned(tx, 10, 5)
    mine = claim(tx, ["v2"])
    complete(tx, mine, read(tx, mine))
    put(tx, "a", "v1")
    assert rows(
        tx,
        "SELECT model_version, state, chunks, missing, share_complete::float8, index_valid,"
        " items_open, items_set_aside FROM pgvec.version_status ORDER BY 1",
    ) == [("v1", "active", 11, 0, 1.0, True, 0, 0), ("v2", "building", 5, 6, 0.4545, False, 2, 0)]


# --- Claims ---


def test_two_workers_never_hold_the_same_item(db, connect):
    planned(db)
    first, second = connect(autocommit=False), connect()
    second.execute("SET lock_timeout = '5 s'")
    one_of_them = claim(first, ["v2"], 4)
    other = claim(second, ["v2"], 100)
    assert set(one_of_them.items).isdisjoint(other.items)
    assert len(one_of_them.items) + len(other.items) == 10
    first.commit()
    assert claim(second, ["v2"]) is None


def test_workers_at_once_do_all_the_work_once(db, connect):
    planned(db, 200, 5)
    with (
        in_background(work_off, connect(), "v2") as first,
        in_background(work_off, connect(), "v2") as second,
    ):
        assert first.result() + second.result() == 40
    same(db)


def test_a_claim_is_for_the_named_versions_only(tx):
    planned(tx)
    assert claim(tx, ["v1"]) is None
    assert claim(tx, []) is None
    assert claim(tx, ["v1", "v2"]).target == "v2"


def test_a_lease_that_ran_out_is_claimed_anew(db):
    planned(db, 10)
    mine = claim(db, ["v2"], lease="0 seconds")
    again = claim(db, ["v2"])
    assert again.items == mine.items
    assert again.lease != mine.lease
    assert one(db, "SELECT attempts FROM pgvec.work_item") == 2


def test_a_lease_is_renewed_only_while_it_is_held(db):
    planned(db, 20)
    mine = claim(db, ["v2"], 2)
    left = "SELECT min(leased_until) - clock_timestamp() > interval '1 hour' FROM pgvec.work_item"
    renew = "SELECT pgvec.renew_work(%s, '2 hours')"
    assert one(db, renew, mine.lease) == 2
    assert one(db, left)
    db.execute("UPDATE pgvec.work_item SET leased_until = clock_timestamp()")
    assert one(db, renew, mine.lease) == 0
    claim(db, ["v2"], 2)
    assert one(db, renew, mine.lease) == 0


def test_released_work_is_free_at_once_and_counts_as_untried(db):
    planned(db, 20)
    mine = claim(db, ["v2"], 2)
    assert one(db, "SELECT pgvec.release_work(%s)", mine.lease) == 2
    again = claim(db, ["v2"], 2)
    assert again.items == mine.items
    assert rows(db, "SELECT DISTINCT attempts FROM pgvec.work_item") == [(1,)]
    assert complete(db, mine, []) == Done(fenced=2)


# --- Failures ---


class Failed(NamedTuple):
    """What ``pgvec.fail_work`` says that it did."""

    retried: int = 0
    halves: int = 0
    set_aside: int = 0


def fail(db, mine, error="it does not work", attempts=3, wait="0 seconds", split=True):
    found = "SELECT retried, halves, set_aside FROM pgvec.fail_work(%s, %s, %s, %s, %s)"
    return Failed(*rows(db, found, mine.lease, error, attempts, wait, split)[0])


def test_a_failed_item_is_tried_again_later(db):
    planned(db, 10)
    assert fail(db, claim(db, ["v2"]), wait="1 hour") == Failed(retried=1)
    assert claim(db, ["v2"]) is None
    assert one(db, "SELECT last_error FROM pgvec.work_item") == "it does not work"
    assert one(db, "SELECT last_error FROM pgvec.version_status WHERE model_version = 'v2'")


def test_halving_leaves_the_one_bad_chunk_alone_and_finishes_the_rest(db):
    planned(db, 64, 64)
    bad, tries = "text 37", 0
    while (mine := claim(db, ["v2"])) is not None:
        made = read(db, mine)
        tries += 1
        if any(content == bad for _, _, content, _ in made):
            fail(db, mine, f"cannot read {bad}")
        else:
            complete(db, mine, made)
    # Three tries for the whole interval, then one for each half.
    assert tries == 3 + 2 * 6
    assert rows(
        db,
        "SELECT lo = hi, last_error, set_aside_at IS NOT NULL FROM pgvec.work_item",
    ) == [(True, "cannot read text 37", True)]
    holds(db, "v2", [f"text {n}" for n in range(1, 65) if n != 37])
    assert rows(
        db,
        "SELECT items_open, items_set_aside, last_error FROM pgvec.version_status"
        " WHERE model_version = 'v2'",
    ) == [(0, 1, "cannot read text 37")]
    assert one(db, "SELECT detail ->> 'error' FROM pgvec.version_event WHERE verb = 'set_aside'")
    assert refused(db, "PV006", "SELECT pgvec.make_ready('docs', 'v2')").detail["problems"] == {
        "missing": 1,
        "set_aside": 1,
        "index": "missing",
    }


def test_without_halving_the_interval_is_set_aside_whole(db):
    planned(db, 10)
    assert fail(db, claim(db, ["v2"]), attempts=1, split=False) == Failed(set_aside=1)
    assert claim(db, ["v2"]) is None


def test_what_was_set_aside_is_opened_again_on_request(db):
    planned(db, 10)
    fail(db, claim(db, ["v2"]), attempts=1, split=False)
    assert one(db, "SELECT pgvec.retry_set_aside('docs', 'v1')") == 0
    assert one(db, "SELECT pgvec.retry_set_aside('docs', 'v2')") == 1
    assert one(db, "SELECT attempts FROM pgvec.work_item") == 0
    assert work_off(db, "v2") == 1
    assert one(db, "SELECT pgvec.retry_set_aside('docs')") == 0


def test_a_new_write_opens_what_was_set_aside(db):
    live_collection(db, count=0)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    put(db, "a")
    fail(db, claim(db, ["v2"]), attempts=1)
    assert claim(db, ["v2"]) is None
    edit(db, "a", "v1", "a better text")
    assert work_off(db, "v2") == 1
    same(db)


def test_an_interval_that_is_empty_by_now_is_simply_done(db):
    planned(db, 10)
    mine = claim(db, ["v2"])
    db.execute("DELETE FROM docs")
    assert fail(db, mine, attempts=1) == Failed()
    assert rows(db, OPEN) == []


def test_abandoning_takes_the_work_away_from_the_worker_who_holds_it(db):
    planned(db, 10)
    mine = claim(db, ["v2"])
    made = read(db, mine)
    db.execute("SELECT pgvec.abandon('docs', 'v2')")
    assert items(db) == []
    refused(
        db,
        "PV023",
        "SELECT * FROM pgvec.complete_work('docs', 'v1', 'v2', %s, %s, %s)",
        mine.items,
        mine.revisions,
        mine.lease,
    )
    assert made
    holds(db, "v2", {})


# --- A worker's own privileges ---


def test_a_worker_needs_no_more_than_his_grant(tx):
    planned(tx, 20)
    tx.execute("CREATE ROLE pgvec_worker")
    tx.execute("SELECT pgvec.grant_worker('docs', 'pgvec_worker')")
    tx.execute("SET LOCAL ROLE pgvec_worker")
    assert work_off(tx, "v2") == 2
    refused(tx, "42501", "SELECT pgvec.cut_over('docs', 'v2')")
    refused(tx, "42501", "DROP TABLE pgvec_leaves.docs__v2")
    tx.execute("RESET ROLE")
    same(tx)


def test_a_worker_who_cannot_see_every_row_is_told_so_and_finishes_nothing(tx):
    planned(tx, 20)
    tx.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    tx.execute("CREATE POLICY mine ON docs USING (metadata ->> 'even' = 'true')")
    tx.execute("SELECT pgvec.refresh_collection('docs')")
    tx.execute("CREATE ROLE pgvec_worker")
    tx.execute("SELECT pgvec.grant_worker('docs', 'pgvec_worker')")
    with tx.transaction(force_rollback=True):
        tx.execute("SET LOCAL ROLE pgvec_worker")
        mine = claim(tx, ["v2"])
        refused(
            tx,
            "42501",
            "SELECT * FROM pgvec.read_work('docs', 'v1', 'v2', %s, %s)",
            mine.items,
            mine.lease,
        )
        refused(tx, "42501", "SELECT * FROM pgvec.missing_chunks('docs', 'v2')")
    tx.execute("ALTER ROLE pgvec_worker BYPASSRLS")
    tx.execute("SET LOCAL ROLE pgvec_worker")
    work_off(tx, "v2")
    tx.execute("RESET ROLE")
    same(tx)


def test_an_interval_closes_only_for_the_chunks_that_are_there(tx):
    live_collection(tx, count=0)
    put(tx, "a")
    put(tx, "b")
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    assert one(tx, "SELECT pgvec.plan_backfill('docs', 'v2')") == 1
    mine = claim(tx, ["v2"])
    # The worker delivers one of two chunks and says that both are done: the other's work stays.
    made = read(tx, mine)[:1]
    complete(tx, mine, made)
    holds(tx, "v2", [made[0][2]])
    assert one(tx, "SELECT count(*) FROM pgvec.missing_chunks('docs', 'v2')") == 1
    assert one(tx, "SELECT pgvec.ready_problems('docs', 'v2')")["open_items"] == 1
    work_off(tx, "v2")
    same(tx)


# --- What it costs ---


def test_a_claim_is_worked_off_by_the_indexes_however_large_the_leaves_are(tx):
    live_collection(tx, count=20_000)
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    tx.execute(
        "INSERT INTO docs (chunk_id, model_version, content, embedding)"
        " SELECT chunk_id, 'v2', content, embedding FROM docs"
        " WHERE model_version = 'v1' AND hashtext(chunk_id::text) % 4 <> 0"
    )
    tx.execute("SELECT pgvec.plan_backfill('docs', 'v2', 256)")
    tx.execute("ANALYZE")
    whole = "SELECT sum(seq_scan)::integer FROM pg_stat_xact_user_tables WHERE schemaname = %s"
    before = one(tx, whole, "pgvec_leaves")
    mine = claim(tx, ["v2"], 16)
    assert mine is not None
    completed, _, written, _ = complete(tx, mine, read(tx, mine))
    assert (completed, written > 800) == (16, True)
    assert one(tx, whole, "pgvec_leaves") == before
