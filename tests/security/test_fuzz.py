"""Hostile calls of what anybody may call, by the thousand: every answer is a documented one.

Called is what is public, by a rule and not by a list: what a grant gives, what the documentation
names, and what Python calls. Everything else is a piece of these, and closed to all but the owner.
Seeded: the same calls every time. ``PGVEC_FUZZ_SEED`` takes others, ``PGVEC_FUZZ_CALLS`` more.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.types.json import set_json_loads
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import PgvecError
from pgvec_versions.filters import Where
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.values import Chunk, QueryVector
from tests.conftest import TEMPLATE, _database
from tests.db.helpers import create_collection
from tests.effort import effort
from tests.sql.helpers import one, rows
from tests.tools import TinyEmbedder, copy_version, live_collection

SEED = int(os.environ.get("PGVEC_FUZZ_SEED", "11"))
CALLS = int(os.environ.get("PGVEC_FUZZ_CALLS", effort(ci=2500, nightly=20_000)))
PYTHON_CALLS = effort(ci=500, nightly=5000)
ROLE_CALLS = CALLS // 5
PIECE_CALLS = CALLS // 5
#: Calls that build on each other before all of them are undone.
CHAIN = 9

#: What a public verb may answer besides class PV: a privilege, a snapshot, a lock, a cancel.
DOCUMENTED = {"42501", "40001", "55P03", "57014"}
#: And these verbs alone, as their headers say.
ALSO = {
    "drop_collection": {"2BP01"},
    "refresh_collection": {"2BP01"},
    "grant_read": {"42704"},
    "grant_write": {"42704"},
    "grant_worker": {"42704"},
}
#: Granted; they run with the rights of who calls, and any code is what they are for.
ANY_CODE = {
    "raise_error": "raises whatever code it is given",
    "check_query": "takes what route_query found, as the caller",
    "rank_by_index": "takes what route_query found, as the caller",
    "rank_exactly": "takes what route_query found, as the caller",
}
ROOT = Path(__file__).parents[2]
#: Where a function is named that somebody is to call.
NAMED_IN = ("README.md", "docs/*.md", "sql/queries/*.sql", "pgvec_versions/**/*.py")
ROLES = {"fuzz_reader": "read", "fuzz_writer": "write", "fuzz_worker": "worker"}

# --- Values ---

CONTROLS = "\x01\x07\x08\x1b[2J\x1b]52;c;x\x07\x7f\x9b\u202e\u2028"
INJECTIONS = (
    "'; DROP TABLE canary; --",
    '"; DROP SCHEMA pgvec CASCADE; --',
    "docs; DELETE FROM canary",
    "') OR true --",
    "$$; DROP TABLE canary; $$",
    "\\'; DROP TABLE canary; --",
    "%s %I %L %1$s {chunk_table}",
    "docs\n;DROP TABLE canary",
    "pg_catalog.pg_class",
    "pgvec.collection",
    'docs"',
    "E'\\x27'",
)
NAMES = (
    "docs",
    "DOCS",
    "other",
    "void",
    "docs__v1",
    "active_docs",
    "*",
    "",
    " ",
    "ünï",
    "a" * 5000,
)
LABELS = ("v1", "v2", "v3", "v4", "V1", "any", "v.1-x", "", "-", "x" * 5000, "v1 ")
WORDS = (
    "cosine", "l2", "halfvec", "uuid", "bigint", "text", "public", "pgvec", "labelled", "drop",
    "archive", "export", "cut_over", "roll_back", "retire_due", "1 day", "64MB", "1GB", "-1",
    "99999999999999999999", "17 * * * *", "5 seconds", "* * * *", "read", "write", "NaN",
    "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
VECTORS = (
    "[1,0,0,0,0,0,0,0]", "[0,0,0,0,0,0,0,0]", "[1,2]", "[0]", "[1e-38,0,0,0,0,0,0,0]",
    "[3e38,3e38,3e38,3e38,3e38,3e38,3e38,3e38]", "[" + ",".join(["1"] * 16000) + "]",
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 8, 10, 16, 64, 100, 384, 1000, 4096, 2**31 - 1, -(2**31))
BIGINTS = (*INTEGERS, 2**63 - 1, -(2**63))
INTERVALS = (
    "0", "1 second", "-1 second", "1 day", "7 days", "-7 days", "1 month", "178000000 years",
    "-178000000 years", "1 microsecond",
)  # fmt: skip
FLOATS = ("0", "1", "-1", "0.1", "1e308", "-1e308", "5e-324", "NaN", "Infinity", "-Infinity")
TIMES = ("now", "2000-01-01", "294276-12-31", "4713-01-01 BC", "infinity", "-infinity")
#: The second is the lease of the work items that the fixture claims.
UUIDS = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
#: Chunks of live_collection, with the hashes of their texts; the first is in the first work item.
TEXTS = {hashlib.md5(f"chunk{i}".encode()).hexdigest(): f"text {i}" for i in range(1, 41)}
CHUNKS = (*sorted(str(UUID(chunk)) for chunk in TEXTS)[:3], "ffffffff-0000-4000-8000-000000000000")
HASHES = tuple(
    "\\x" + hashlib.sha256(TEXTS[chunk.replace("-", "")].encode()).hexdigest()
    for chunk in CHUNKS[:3]
)
VERBS = (
    "claim_work", "queue_counts", "retry_set_aside", "record_fingerprint", "free_versions",
    "waiting_changes", "cut_over", "roll_back", "abandon", "make_ready", "drop_collection",
    "retire_due", "resume",
)  # fmt: skip


def deep(levels: int) -> str:
    """JSON of so many levels; Python itself does not write the deepest."""
    return (
        '{"a": ' * (levels // 2)
        + "[" * (levels - levels // 2)
        + "1"
        + "]" * (levels - levels // 2)
        + "}" * (levels // 2)
    )


def json_value(rng: random.Random) -> Any:
    """Any JSON, and often something that is nearly right."""
    kind = rng.choice([0, *range(2, 16)])
    if kind == 0:
        return rng.choice([None, True, False, 0, -1, 1.5, 1e300, 10**400, "", "text", [], {}])
    if kind == 2:
        return {rng.choice(INJECTIONS): rng.choice(INJECTIONS), CONTROLS: [CONTROLS]}
    if kind == 3:
        return [
            {"key": f"k{n}", "op": "=", "value": n} for n in range(rng.choice([1, 100, 101, 3000]))
        ]
    if kind == 4:
        return [{"key": "n", "op": "in", "value": list(range(rng.choice([0, 1, 21, 20000])))}]
    if kind == 5:
        op = rng.choice(["=", "<>", "<", "<=", ">", ">=", "in", "exists", "LIKE", "", None, 7])
        value = rng.choice([None, True, 5, "x", [], {}, [[1], {}], INJECTIONS[0]])
        return [{"key": rng.choice(["n", "even", None, 5, *INJECTIONS]), "op": op, "value": value}]
    if kind == 6:
        return [rng.choice([None, 1, "x", [], {}, {"key": 1}, {"op": "="}])]
    if kind == 7:
        return {"n": 5, "even": True}
    if kind == 8:
        bound = rng.choice(["min", "max", "max_drop", "max_rise", "x"])
        return {"recall@10": {bound: rng.choice([0.5, -1, "x", None, [], 1e308, 10**400])}}
    if kind == 9:
        return {"recall@10": rng.choice([0.5, "x", None, 10**400]), rng.choice(INJECTIONS): 1}
    if kind == 10:
        canary = {"canary": "c", "kind": "document", "content": "x", "checked": True,
                  "embedding": [1, 0, 0, 0, 0, 0, 0, 0]}  # fmt: skip
        for _ in range(rng.randrange(3)):
            key = rng.choice([*canary, "none"])
            canary[key] = rng.choice([None, "x", 5, [], {}, [None] * 8, ["x"] * 8, [10**400] * 8])
        return [canary] * rng.choice([1, 2])
    if kind == 11:
        return {"provider": "p", "model": rng.choice(INJECTIONS), "dimensions": 8}
    if kind == 12:
        return "x" * 100_000
    if kind == 13:
        return {str(n): n for n in range(5000)}
    if kind == 14:
        return [rng.choice([1, "x", None])] * rng.choice([0, 1, 2000])
    return {"a": [{"b": [1, {"c": None}]}], "": ""}


def door_arguments(rng: random.Random) -> Any:
    """What the doors of a collection take, and often something that is nearly right."""
    near: list[Any] = [
        "v1",
        "v3",
        1,
        2**40,
        1.5,
        10**400,
        None,
        True,
        "x",
        "",
        "1 day",
        {},
        [],
        ["v3", None],
    ]
    fine = {
        "versions": ["v1", "v2", "v3"], "max_items": 5, "lease": "1 minute", "newest": 0,
        "model_version": "v3", "embedder": {}, "agrees": True, "least_cosine": 0.9, "detail": {},
        "chunks": dict.fromkeys(CHUNKS, 1),
    }  # fmt: skip
    for key in rng.sample(sorted(fine), rng.randrange(4)):
        fine[key] = rng.choice([*near, {rng.choice([*CHUNKS, "x"]): rng.choice(near)}])
    return fine


def text_value(rng: random.Random, name: str) -> str:
    """A text, and often one that fits the argument of that name."""
    pools: list[tuple[str, ...]] = [NAMES, LABELS, WORDS, INJECTIONS, (CONTROLS, "x" * 100_000)]
    if "collection" in name:
        pools += [("docs",)] * 9 + [("other", "void")]
    elif "version" in name:
        pools += [("v1", "v2", "v3", "v4")] * 9
    elif "chunk" in name:
        pools += [CHUNKS] * 9
    elif name == "door":
        pools += [("queue", "waiting")] * 9
    elif name == "verb":
        pools += [VERBS] * 9
    elif name in ("reason", "error"):
        pools += [("a reason", CONTROLS)] * 4
    else:
        pools += [WORDS] * 9
    text = rng.choice(rng.choice(pools))
    return text + rng.choice(INJECTIONS) if rng.random() < 0.05 else text


def value_of(rng: random.Random, kind: str, name: str) -> Any:
    """A value of that SQL type, as PostgreSQL reads it; one time in eight NULL."""
    if rng.random() < 0.125:
        return None
    if kind.endswith("[]"):
        inner = [value_of(rng, kind[:-2], name) for _ in range(rng.choice([0, 1, 2, 2, 3]))]
        return inner if rng.random() < 0.95 else inner * 500
    match kind:
        case "text" | "name":
            return text_value(rng, name)
        case "jsonb":
            if rng.random() < 0.07:
                return deep(rng.choice([2, 31, 32, 33, 200, 2000]))
            return json.dumps((door_arguments if name == "arguments" else json_value)(rng))
        case "integer":
            return rng.choice(INTEGERS)
        case "bigint":
            return rng.choice(BIGINTS)
        case "boolean":
            return rng.choice([True, False])
        case "interval":
            return rng.choice(INTERVALS)
        case "double precision" | "real":
            return rng.choice(FLOATS)
        case "timestamp with time zone":
            return rng.choice(TIMES)
        case "uuid":
            return rng.choice(UUIDS)
        case "regrole":
            return rng.choice(["fuzz_reader", "fuzz_owner", "4294967294", "0"])
        case "regclass":
            return rng.choice(
                ["docs", "active_docs", "pgvec.collection", "pg_class", "4294967294", "0"]
            )
        case "bytea":
            return rng.choice(["\\x00ff", *HASHES])
        case _ if kind.endswith("vector"):
            return rng.choice(VECTORS)
    raise AssertionError(f"no values for the type {kind}")


# --- Calls ---


@dataclass(frozen=True)
class Verb:
    """A function with the types and the names of its arguments; ``needed`` have no default."""

    name: str
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    needed: int


@dataclass
class Fuzzed:
    """The answers: how often each, and those that are not documented."""

    answers: Counter[str]
    wrong: dict[tuple[str, str], str]


def functions(db: psycopg.Connection[Any]) -> list[Verb]:
    """Every function of schema pgvec that can be called at all."""
    found = rows(
        db,
        """SELECT p.proname, ARRAY(SELECT format_type(a.t, NULL)
                     FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n) ORDER BY a.n),
                  coalesce(p.proargnames, '{}'), p.pronargs - p.pronargdefaults
             FROM pg_proc p WHERE p.pronamespace = 'pgvec'::regnamespace AND p.prokind = 'f'
              AND p.prorettype::regtype::text NOT IN ('trigger', 'event_trigger') ORDER BY 1""",
    )
    return [
        Verb(name, tuple(kinds), tuple(names[: len(kinds)]), needed)
        for name, kinds, names, needed in found
    ]


def granted(db: psycopg.Connection[Any]) -> set[str]:
    """What a grant gives, the doors of docs with it."""
    return {
        name.removeprefix("function ")
        .replace("workers' door", "queue_docs")
        .replace("writers' door", "waiting_docs")
        for (name,) in rows(
            db, "SELECT DISTINCT part FROM pgvec.privilege_words() WHERE word = 'EXECUTE'"
        )
    }


def named() -> set[str]:
    """What the documentation or Python names."""
    texts = (path.read_text() for pattern in NAMED_IN for path in ROOT.glob(pattern))
    return {name for text in texts for name in re.findall(r"\bpgvec\.([a-z_]+)", text)}


def verbs(db: psycopg.Connection[Any]) -> list[Verb]:
    """What is public."""
    public = (granted(db) | named()) - set(ANY_CODE)
    return [verb for verb in functions(db) if verb.name in public]


def pieces(db: psycopg.Connection[Any]) -> list[Verb]:
    """What is not: functions that only other functions call, with arguments that were looked at."""
    public = granted(db) | named()
    return [verb for verb in functions(db) if verb.name not in public]


def call(rng: random.Random, verb: Verb, spoilt: int | None = None) -> tuple[str, list[Any]]:
    """A statement that calls it, with some of the arguments that have defaults left out.

    spoilt: all arguments are right but the one at that place.
    """
    parts: list[str] = []
    values: list[Any] = []
    for place, (kind, name) in enumerate(zip(verb.kinds, verb.names, strict=True)):
        if place >= verb.needed and spoilt != place and rng.random() < 0.4:
            continue
        parts.append(f'"{name}" => %s::{kind}')
        fine = spoilt not in (None, place)
        values.append(right(verb, place) if fine else value_of(rng, kind, name))
    return f"SELECT * FROM pgvec.{verb.name}({', '.join(parts)})", values


def with_null(verb: Verb, null: int) -> tuple[str, list[Any]]:
    """A statement in which one argument alone is NULL."""
    parts = [f'"{n}" => %s::{k}' for k, n in zip(verb.kinds, verb.names, strict=True)]
    values = [None if place == null else right(verb, place) for place in range(len(parts))]
    return f"SELECT * FROM pgvec.{verb.name}({', '.join(parts)})", values


def right(verb: Verb, place: int) -> Any:
    """A value that is right for that argument."""
    kind, name = verb.kinds[place], verb.names[place]
    if "collection" in name:
        return "docs"
    if name == "source_version":
        return "v1"
    if "version" in name and kind == "text":
        return "v3" if "work" in verb.name else "v1"
    values: dict[str, Any] = {
        "items": [1], "revisions": [1], "chunk_ids": [CHUNKS[0]], "content_hashes": [HASHES[0]],
        "embeddings": [VECTORS[0]], "versions": ["v3"], "lease": UUIDS[1], "door": "queue",
        "verb": "claim_work", "arguments":
        '{"versions": ["v3"], "lease": "1 minute", "agrees": true, "model_version": "v3"}',
    }  # fmt: skip
    if name in values and (name != "lease" or kind == "uuid"):
        return values[name]
    values = {
        "text": "x", "jsonb": "{}", "integer": 8, "bigint": 1, "boolean": False,
        "interval": "1 day", "double precision": "0.5", "real": "0.5", "uuid": UUIDS[0],
        "regrole": "fuzz_reader", "regclass": "docs", "timestamp with time zone": "now",
        "bytea": "\\x00",
    }  # fmt: skip
    return [] if kind.endswith("[]") else values.get(kind, VECTORS[0])


def one_place(rng: random.Random, verb: Verb) -> int | None:
    """Two times in five, the place of the one argument that is hostile."""
    return rng.randrange(len(verb.kinds)) if verb.kinds and rng.random() < 0.4 else None


def judged(verb: str, state: str | None) -> bool:
    return state is not None and (
        state.startswith("PV") or state in DOCUMENTED or state in ALSO.get(verb, set())
    )


def well_told(error: psycopg.Error) -> bool:
    """DETAIL of what we raise is JSON."""
    text = error.diag.message_detail
    if text is None or not (error.sqlstate or "").startswith("PV"):
        return True
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


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


def world(db: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return rows(
        db,
        "SELECT 'relation', oid::regclass::text FROM pg_class WHERE relnamespace NOT IN"
        " (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_')"
        " UNION ALL SELECT 'role', rolname FROM pg_roles"
        " UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc"
        "   WHERE pronamespace = 'pgvec'::regnamespace"
        " UNION ALL SELECT 'canary', alive::text FROM canary"
        " UNION ALL SELECT 'version', collection || model_version || state FROM pgvec.model_version"
        " ORDER BY 1, 2",
    )


def fuzz(
    db: psycopg.Connection[Any], calls: Iterator[tuple[Verb, str, list[Any]]], chain: int = 1
) -> Fuzzed:
    """Makes the calls, in chains of that length, each undone; what takes long is cancelled."""
    seen = Fuzzed(Counter(), {})
    db.execute("SET statement_timeout = '3s'")
    db.execute("SET client_min_messages = error")
    set_json_loads(str, db)
    with db.transaction():
        db.execute("SAVEPOINT start")
        for number, (verb, statement, values) in enumerate(calls):
            db.execute("SAVEPOINT here")
            try:
                db.execute(statement.encode(), values).fetchmany(5)
                seen.answers["done"] += 1
                if number % chain:
                    db.execute("RELEASE here")
                    continue
            except psycopg.Error as exc:
                state = exc.sqlstate or type(exc).__name__
                seen.answers[state] += 1
                if not judged(verb.name, exc.sqlstate) or not well_told(exc):
                    told = f"{exc}\n  {statement} {str(values)[:300]}"
                    seen.wrong.setdefault((verb.name, state), told)
            db.execute(f"ROLLBACK TO {'here' if number % chain else 'start'}".encode())
        db.execute("ROLLBACK TO start")
    db.execute("RESET statement_timeout")
    return seen


def report(wrong: dict[tuple[str, str], str]) -> str:
    by_verb: dict[str, list[str]] = defaultdict(list)
    for (verb, state), told in wrong.items():
        by_verb[verb].append(f"{state}: {told}")
    return "\n\n".join(f"{verb}\n" + "\n".join(told) for verb, told in sorted(by_verb.items()))


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
    # The calls reach what lies behind the first check.
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
    """The owner alone calls them, with anything.

    They were given what was looked at; but even so nothing ends in an internal error.
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
    """Whether it takes a row of ours, which its caller has looked up."""
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


# --- Python ---


def anything(rng: random.Random) -> Any:
    """A value of any type, hostile or wrong."""
    return rng.choice(
        [
            None, True, 0, -1, 10**30, 2.5, float("nan"), b"x", [], {}, object(), "x\0", "\ud800",
            CONTROLS, rng.choice(INJECTIONS), rng.choice(NAMES), (i for i in "ab"), {"a": {1}},
            [rng.choice(INJECTIONS)], np.zeros(3), np.array(["x"]), Where("n", "in", [1]),
            Where("n", "=", CONTROLS), [Where(i, "<>", i) for i in INJECTIONS],
            {rng.choice(INJECTIONS): CONTROLS}, QueryVector(np.ones(8, np.float32), "v1"),
            Chunk(rng.choice(INJECTIONS), rng.choice(INJECTIONS), 0, {CONTROLS: CONTROLS}),
        ]
    )  # fmt: skip


def python_call(rng: random.Random, store: ChunkStore) -> Any:
    """One hostile call of the store."""
    kind = rng.randrange(4)
    if kind == 0:
        options: dict[str, Any] = {
            name: anything(rng)
            for name in ("filter", "ef_search", "exact", "version")
            if rng.random() < 0.3
        }
        query = rng.choice(["text", rng.choice(INJECTIONS), CONTROLS, anything(rng)])
        return store.search(query, rng.choice([1, 5, 5, anything(rng)]), **options)
    if kind == 1:
        chunk = Chunk(
            *(rng.choice([fine, fine, anything(rng)]) for fine in ("text", "d", 0, {}, None))
        )
        return store.add(rng.choice([[chunk], [chunk], [anything(rng)], anything(rng)]))
    if kind == 2:
        name = rng.choice(["chunk_ids", "document_ids"])
        return store.delete(**{name: rng.choice([[anything(rng)], anything(rng)])})
    return store.embed_query(anything(rng), anything(rng))


def test_the_store_answers_hostile_calls_with_errors_of_its_own(engine: Engine) -> None:
    rng = random.Random(SEED)
    create_collection(engine, "docs", id_type="text")
    tiny = TinyEmbedder()
    Transition(engine, "docs", "v1", tiny).run(cut_over=True)
    Transition(engine, "docs", "v2", TinyEmbedder("b")).begin()
    store = ChunkStore(engine, "docs", {"v1": tiny})
    with autocommitted(engine) as raw:
        raw.execute("CREATE TABLE canary AS SELECT 1 AS alive")
        before = world(raw)
    answers: Counter[str] = Counter()
    foreign: dict[str, str] = {}
    for number in range(PYTHON_CALLS):
        try:
            python_call(rng, store)
            answers["done"] += 1
        except PgvecError as exc:
            answers[type(exc).__name__] += 1
        except Exception as exc:
            foreign.setdefault(type(exc).__name__, f"call {number}: {traceback.format_exc()}")
    with autocommitted(engine) as raw:
        assert world(raw) == before
    assert foreign == {}, "\n".join(foreign.values())
    assert answers["done"] > PYTHON_CALLS / 20, answers
