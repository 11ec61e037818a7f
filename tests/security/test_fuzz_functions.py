"""Thousands of hostile calls of the public functions: every answer is a documented one.

A rule, not a list, says what is public: what a grant gives, what the documentation names, and what
Python calls. Every other function is a piece of these, and only the owner can call it.
Seeded: the same calls every time. ``PGVEC_FUZZ_SEED`` takes others, ``PGVEC_FUZZ_CALLS`` more.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.conftest import TEMPLATE, _database
from tests.effort import effort
from tests.security.hostile_calls import (
    SEED,
    Verb,
    call,
    functions,
    fuzz,
    granted,
    judged,
    one_place,
    pieces,
    report,
    verbs,
    with_null,
    world,
)
from tests.security.hostile_values import UUIDS
from tests.sql.helpers import one, rows
from tests.tools import copy_version, live_collection

CALLS = int(os.environ.get("PGVEC_FUZZ_CALLS", effort(ci=2500, nightly=20_000)))
ROLE_CALLS = CALLS // 5
PIECE_CALLS = CALLS // 5
#: How many calls build on each other before all of them are undone.
CHAIN = 9
ROLES = {"fuzz_reader": "read", "fuzz_writer": "write", "fuzz_worker": "worker"}


@pytest.fixture(scope="module")
def fuzzed_database(server: Any) -> Iterator[str]:
    """docs with v1 active, v2 ready, v3 building and v4 abandoned; other, with bigint ids; void."""
    with contextmanager(_database)(server, TEMPLATE) as url:
        with psycopg.connect(url, autocommit=True) as db:
            for role in (*ROLES, "fuzz_owner"):
                db.execute(f"CREATE ROLE {role}".encode())
            live_collection(db, "docs", count=40)
            live_collection(db, "other", count=0, id_type="bigint")
            db.execute("SELECT pgvec.create_collection('void')")
            for label in ("v2", "v3", "v4"):
                db.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
            copy_version(db, "docs", "v1", "v2")
            db.execute("SELECT pgvec.build_index('docs', 'v2'), pgvec.make_ready('docs', 'v2')")
            db.execute("SELECT pgvec.plan_backfill('docs', 'v3', 10)")
            db.execute("SELECT pgvec.claim_work('docs', '{v3}', 2, '1 hour')")
            db.execute("UPDATE pgvec.work_item SET lease = %s WHERE lease IS NOT NULL", (UUIDS[1],))
            db.execute("SELECT pgvec.abandon('docs', 'v4')")
            for role, privilege in ROLES.items():
                db.execute(f"SELECT pgvec.grant_{privilege}('docs', '{role}')".encode())
            db.execute("CREATE TABLE canary AS SELECT 1 AS alive")
        yield url
        with psycopg.connect(url, autocommit=True) as db:
            for role in (*ROLES, "fuzz_owner"):
                db.execute(f"DROP OWNED BY {role} CASCADE".encode())
                db.execute(f"DROP ROLE {role}".encode())


def test_thousands_of_hostile_calls_get_documented_answers(fuzzed_database: str) -> None:
    rng = random.Random(SEED)
    with psycopg.connect(fuzzed_database, autocommit=True) as db:
        known = verbs(db)
        before = world(db)

        def calls() -> Iterator[tuple[Verb, str, list[Any]]]:
            for number in range(CALLS):
                verb = known[number % len(known)]
                yield verb, *call(rng, verb, one_place(rng, verb))

        seen = fuzz(db, calls(), CHAIN)
        assert world(db) == before
    assert sum(seen.answers.values()) == CALLS
    assert seen.wrong == {}, report(seen.wrong)
    # Some calls get past the first check.
    assert len([s for s in seen.answers if s.startswith("PV")]) >= 8, seen.answers
    assert seen.answers["done"] > CALLS / 50, seen.answers


@pytest.mark.parametrize("role", ROLES)
def test_whoever_has_one_grant_gets_documented_answers(fuzzed_database: str, role: str) -> None:
    rng = random.Random(f"{SEED} {role}")
    with psycopg.connect(fuzzed_database, autocommit=True) as db:
        public, given = verbs(db), granted(db)
        mine = [verb for verb in public if verb.name in given]
        before = world(db)

        def calls() -> Iterator[tuple[Verb, str, list[Any]]]:
            for number in range(ROLE_CALLS):
                pool = public if number % 5 == 0 else mine
                verb = pool[number // 5 % len(pool)] if pool is public else rng.choice(pool)
                yield verb, *call(rng, verb, one_place(rng, verb))

        db.execute(f"SET ROLE {role}".encode())
        seen = fuzz(db, calls(), CHAIN)
        assert one(db, "SELECT current_user") == role
        db.execute("RESET ROLE")
        assert world(db) == before
    assert sum(seen.answers.values()) == ROLE_CALLS
    assert seen.wrong == {}, report(seen.wrong)
    assert min(seen.answers["done"], seen.answers["42501"]) > ROLE_CALLS / 50, seen.answers


def test_the_pieces_never_end_in_an_internal_error(fuzzed_database: str) -> None:
    """Only the owner can call them directly.

    They count on checked arguments. Still, no argument ends in an internal error.
    """
    rng = random.Random(SEED)
    with psycopg.connect(fuzzed_database, autocommit=True) as db:
        known = [v for v in pieces(db) if not composite(v) and v.name != "back_off"]
        before = world(db)

        def calls() -> Iterator[tuple[Verb, str, list[Any]]]:
            for number in range(PIECE_CALLS):
                verb = known[number % len(known)]
                yield verb, *call(rng, verb)

        seen = fuzz(db, calls())
        assert world(db) == before
    broken = {
        (verb, state): told for (verb, state), told in seen.wrong.items() if state.startswith("XX")
    }
    assert broken == {}, report(broken)


def composite(verb: Verb) -> bool:
    """Whether the function takes a row of the catalog, which its caller has read."""
    return any(kind.startswith("pgvec.") for kind in verb.kinds)


def test_what_is_not_public_is_closed_to_everybody(fuzzed_database: str) -> None:
    with psycopg.connect(fuzzed_database, autocommit=True) as db:
        given = granted(db)
        open_to = rows(
            db,
            """SELECT p.proname,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
                 FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                WHERE p.pronamespace = 'pgvec'::regnamespace AND a.grantee <> p.proowner""",
        )
        callable_by = rows(
            db,
            """SELECT p.proname, r.rolname FROM pg_proc p, pg_roles r
                WHERE p.pronamespace = 'pgvec'::regnamespace AND r.rolname = ANY (%s)
                  AND has_function_privilege(r.oid, p.oid, 'EXECUTE')""",
            [*ROLES, "fuzz_owner"],
        )
        public = {verb.name for verb in verbs(db)}
        rest = pieces(db)
        assert [
            verb.name for verb in functions(db) if verb.name in public and composite(verb)
        ] == []
    # The planner takes a cast apart with it, for every role; it gives a field of a row.
    assert ("unboxed", "PUBLIC") in open_to
    open_to, callable_by = (
        [(name, role) for name, role in found if name != "unboxed"]
        for found in (open_to, callable_by)
    )
    assert {name for name, _ in open_to} == {name for name, _ in callable_by} == given
    assert {role for _, role in open_to} == {role for _, role in callable_by} == set(ROLES)
    # The rule finds both kinds.
    assert {"nearest", "cut_over", "queue_docs", "claim_work", "preview"} <= public
    assert {"queue_verb", "carry_writes", "refuse_cut_over", "describe_switch"} <= {
        verb.name for verb in rest
    }


def test_null_for_any_argument_has_a_documented_answer(fuzzed_database: str) -> None:
    with psycopg.connect(fuzzed_database, autocommit=True) as db:
        known = verbs(db)

        def calls() -> Iterator[tuple[Verb, str, list[Any]]]:
            for verb in known:
                for place in range(len(verb.kinds)):
                    yield verb, *with_null(verb, place)
                nulls = [f"NULL::{kind}" for kind in verb.kinds]
                yield verb, f"SELECT * FROM pgvec.{verb.name}({', '.join(nulls)})", []

        seen = fuzz(db, calls())
    assert seen.wrong == {}, report(seen.wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        "NULL",
        "'-1 second'",
        "'178000000 years'",
        "'1 day', NULL",
        "'1 day', -5",
        "'0', 2147483647",
        "NULL, NULL, NULL, NULL",
    ],
)
def test_the_job_takes_any_argument(fuzzed_database: str, arguments: str) -> None:
    with psycopg.connect(fuzzed_database, autocommit=True) as db:
        before = one(db, "SELECT count(*) FROM canary")
        db.execute("SET statement_timeout = '3s'")
        states = []
        try:
            db.execute(f"CALL pgvec.retire_due({arguments})".encode())
        except psycopg.Error as exc:
            states.append(exc.sqlstate)
        assert all(judged("retire_due", state) for state in states), states
        assert one(db, "SELECT count(*) FROM canary") == before
