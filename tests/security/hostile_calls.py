"""Hostile calls of functions: which functions there are, how they are called, what they may answer.

Seeded: the same calls every time. ``PGVEC_FUZZ_SEED`` takes others.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import set_json_loads

from tests.security.hostile_values import CHUNKS, HASHES, UUIDS, VECTORS, value_of
from tests.sql.helpers import rows

SEED = int(os.environ.get("PGVEC_FUZZ_SEED", "11"))

#: What a public verb may answer besides class PV: a privilege, a snapshot, a lock, a cancel.
DOCUMENTED = {"42501", "40001", "55P03", "57014"}
#: What single verbs may answer besides, as their headers say.
ALSO = {
    "drop_collection": {"2BP01"},
    "refresh_collection": {"2BP01"},
    "grant_read": {"42704"},
    "grant_write": {"42704"},
    "grant_worker": {"42704"},
}
#: Granted functions that run with the caller's rights and may raise any code, and why.
ANY_CODE = {
    "raise_error": "raises whatever code it is given",
    "check_query": "takes what route_query found, as the caller",
    "rank_by_index": "takes what route_query found, as the caller",
    "rank_exactly": "takes what route_query found, as the caller",
}
ROOT = Path(__file__).parents[2]
#: The files that name the functions you call.
NAMED_IN = ("README.md", "docs/*.md", "sql/queries/*.sql", "pgvec_versions/**/*.py")


@dataclass(frozen=True)
class Verb:
    """A function, the types and names of its arguments, and how many have no default."""

    name: str
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    needed: int


@dataclass
class Fuzzed:
    """How often each answer came, and the answers that are not documented."""

    answers: Counter[str]
    wrong: dict[tuple[str, str], str]


def functions(db: psycopg.Connection[Any]) -> list[Verb]:
    """Every function of schema pgvec that can be called directly."""
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
    """The functions that a grant gives, with the doors of docs."""
    return {
        name.removeprefix("function ")
        .replace("workers' door", "queue_docs")
        .replace("writers' door", "waiting_docs")
        for (name,) in rows(
            db, "SELECT DISTINCT part FROM pgvec.privilege_words() WHERE word = 'EXECUTE'"
        )
    }


def named() -> set[str]:
    """The functions that the documentation or Python names."""
    texts = (path.read_text() for pattern in NAMED_IN for path in ROOT.glob(pattern))
    return {name for text in texts for name in re.findall(r"\bpgvec\.([a-z_]+)", text)}


def verbs(db: psycopg.Connection[Any]) -> list[Verb]:
    """The public functions."""
    public = (granted(db) | named()) - set(ANY_CODE)
    return [verb for verb in functions(db) if verb.name in public]


def pieces(db: psycopg.Connection[Any]) -> list[Verb]:
    """The other functions: only functions call them, with arguments that are already checked."""
    public = granted(db) | named()
    return [verb for verb in functions(db) if verb.name not in public]


def call(rng: random.Random, verb: Verb, spoilt: int | None = None) -> tuple[str, list[Any]]:
    """A statement that calls the function and leaves out some of the arguments with defaults.

    spoilt: the place of the only argument that is hostile; None: any may be.
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
    """A statement in which only one argument is NULL."""
    parts = [f'"{n}" => %s::{k}' for k, n in zip(verb.kinds, verb.names, strict=True)]
    values = [None if place == null else right(verb, place) for place in range(len(parts))]
    return f"SELECT * FROM pgvec.{verb.name}({', '.join(parts)})", values


def right(verb: Verb, place: int) -> Any:
    """A value that suits the argument."""
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
    """Two times in five, the place of the only argument that is hostile; None otherwise."""
    return rng.randrange(len(verb.kinds)) if verb.kinds and rng.random() < 0.4 else None


def judged(verb: str, state: str | None) -> bool:
    return state is not None and (
        state.startswith("PV") or state in DOCUMENTED or state in ALSO.get(verb, set())
    )


def well_told(error: psycopg.Error) -> bool:
    """Whether the DETAIL of an error of ours is JSON."""
    text = error.diag.message_detail
    if text is None or not (error.sqlstate or "").startswith("PV"):
        return True
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


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
    """Makes the calls, and undoes them after every ``chain`` calls. Cancels slow calls."""
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
