"""Hostile values of every SQL type, and often some that are nearly right."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any
from uuid import UUID

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
    "waiting_changes", "set_document_root", "cut_over", "roll_back", "abandon", "make_ready",
    "drop_collection", "retire_due", "resume",
)  # fmt: skip


def deep(levels: int) -> str:
    """JSON of that many levels; ``json.dumps`` cannot write the deepest."""
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
        case "regtype":
            return rng.choice(["vector", "text", "4294967294", "0"])
        case "regclass":
            return rng.choice(
                ["docs", "active_docs", "pgvec.collection", "pg_class", "4294967294", "0"]
            )
        case "bytea":
            return rng.choice(["\\x00ff", *HASHES])
        case _ if kind.endswith("vector"):
            return rng.choice(VECTORS)
    raise AssertionError(f"no values for the type {kind}")
