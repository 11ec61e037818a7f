"""Hundreds of hostile calls of the store: whatever it refuses, it refuses with an error of its own.

Seeded: the same calls every time. ``PGVEC_FUZZ_SEED`` takes others.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from typing import Any

import numpy as np
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import PgvecError
from pgvec_versions.filters import Where
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.values import Chunk, QueryVector
from tests.db.helpers import create_collection
from tests.effort import effort
from tests.security.hostile_calls import SEED, world
from tests.security.hostile_values import CONTROLS, INJECTIONS, NAMES
from tests.tools import TinyEmbedder

PYTHON_CALLS = effort(ci=500, nightly=5000)


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
