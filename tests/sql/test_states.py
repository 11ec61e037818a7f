"""The state table: every verb from every state. Its events, and labels that are used only once."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest

from pgvec_versions.states import LIVE, State
from tests.sql.helpers import one, refused, rows, second_version, state, told, world
from tests.sql.states import bring, events
from tests.tools import live_collection

VERBS = {
    "make_ready": ("SELECT pgvec.make_ready('docs', 'v2')", "ready"),
    "cut_over": ("SELECT pgvec.cut_over('docs', 'v2', '200 ms', 1)", "active"),
    "abandon": ("SELECT pgvec.abandon('docs', 'v2')", "abandoned"),
    "retire": ("SELECT pgvec.retire_version('docs', 'v2')", "retired"),
}


# --- The table ---


def table(db):
    """Verb, from, to, as the database has them."""
    return set(rows(db, "SELECT verb, from_state, to_state FROM pgvec.state_change()"))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("before", State)
def test_a_verb_happens_from_its_states_and_from_no_other(tx, before, verb):
    statement, after = VERBS[verb]
    bring(tx, before)
    if verb == "make_ready" and before == "building":
        tx.execute("SELECT pgvec.build_index('docs', 'v2')")
    known = len(events(tx))
    if before != after and (verb, before.value, after) in table(tx):
        tx.execute(statement.encode())
        assert state(tx, "v2") == after
        assert [(e[1], e[2]) for e in events(tx)[known:]] == [(before, after)]
        return
    untouched = world(tx)
    if verb == "retire":
        if before == "active":
            assert one(tx, statement) == "active"
        else:
            assert one(tx, statement) in ("not due", "retired")
        assert state(tx, "v2") == before
        return
    if (verb, before) == ("make_ready", "ready"):
        assert one(tx, statement) == "ready"
    else:
        refusal = refused(tx, "PV005", statement)
        assert refusal.detail["state"] == before
        assert refusal.detail["model_version"] == "v2"
        assert refusal.hint
    assert world(tx) == untouched


def test_the_states_lead_where_the_design_says_and_nowhere_else(tx):
    assert {(a, b) for _, a, b in table(tx) if a and a != b} == {
        ("building", "ready"),
        ("ready", "building"),
        ("ready", "active"),
        ("active", "draining"),
        ("draining", "active"),
        ("draining", "retired"),
        ("building", "abandoned"),
        ("ready", "abandoned"),
        # An archived version comes back.
        ("retired", "draining"),
    }
    assert {a for verb, a, _ in table(tx) if verb == "build_index"} == LIVE


def test_a_state_changes_only_by_a_verb_that_leads_there(tx):
    second_version(tx)
    allowed = table(tx)
    happened = set()
    moments = {
        "ready": "ready_at = now()",
        "active": "activated_at = now()",
        "draining": "draining_at = now(), retire_at = now()",
        "retired": "retired_at = now(), dropped_at = now()",
        "abandoned": "abandoned_at = now(), retire_at = now()",
    }
    tx.execute(
        "UPDATE pgvec.model_version SET state = 'draining', draining_at = now(),"
        " retire_at = now() WHERE model_version = 'v1'"
    )
    verbs = {verb for verb, _, _ in allowed} - {"register_version", "restore"} | {"test"}
    for verb, before, after in product(sorted(verbs), State, State):
        with tx.transaction(force_rollback=True):
            times = moments.get(before, "ready_at = NULL")
            tx.execute(
                f"UPDATE pgvec.model_version SET state = '{before}', {times}"
                " WHERE model_version = 'v2'".encode()
            )
            try:
                tx.execute("SELECT pgvec.change_state('docs', 'v2', %s, %s)", (verb, after))
                happened.add((verb, before.value, after.value))
            except psycopg.Error as error:
                told(error, "PV005")
    assert happened == {row for row in allowed if row[0] in verbs}


def test_two_versions_of_a_collection_are_never_active_at_once(tx):
    second_version(tx)
    refused(
        tx,
        "23505",
        "UPDATE pgvec.model_version SET state = 'active', activated_at = now()"
        " WHERE model_version = 'v2' RETURNING 1",
    )


@pytest.mark.parametrize(
    "change",
    [
        "state = 'ready', ready_at = NULL",
        "state = 'active', activated_at = NULL",
        "state = 'draining', retire_at = now()",
        "state = 'draining', draining_at = now()",
        "state = 'retired'",
        "state = 'retired', retired_at = now()",
        "state = 'abandoned', abandoned_at = now()",
        "state = 'abandoned', retire_at = now()",
        "retired_at = now()",
        "abandoned_at = now()",
        "dropped_at = now()",
        "retire_at = now()",
        "state = 'gone'",
    ],
)
def test_a_state_without_its_moments_does_not_exist(tx, change):
    second_version(tx)
    refused(
        tx,
        "23514",
        f"UPDATE pgvec.model_version SET {change} WHERE model_version = 'v2' RETURNING 1",
    )


# --- The events ---


def test_every_change_leaves_one_event_with_who_and_when(tx):
    second_version(tx, until="active")
    tx.execute("SELECT pgvec.roll_back('docs')")
    assert events(tx, "v1") == [
        ("register_version", None, "building"),
        ("make_ready", "building", "ready"),
        ("cut_over", "ready", "active"),
        ("cut_over", "active", "draining"),
        ("roll_back", "draining", "active"),
    ]
    assert one(
        tx,
        "SELECT bool_and(who = session_user AND at BETWEEN now() AND clock_timestamp())"
        "  FROM pgvec.version_event",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pgvec.version_event SET who = 'nobody' RETURNING 1",
        "DELETE FROM pgvec.version_event RETURNING 1",
        "TRUNCATE pgvec.version_event",
    ],
)
def test_what_happened_stays_written(tx, statement):
    live_collection(tx, count=0)
    assert "append-only" in refused(tx, "PV007", statement).message


# --- Labels ---


@pytest.mark.parametrize("last", State)
def test_a_label_is_never_used_twice(tx, last):
    bring(tx, last)
    untouched = world(tx)
    refusal = refused(tx, "PV004", "SELECT pgvec.register_version('docs', 'v2', 8)")
    assert refusal.detail == {"collection": "docs", "model_version": "v2", "state": last}
    assert world(tx) == untouched
