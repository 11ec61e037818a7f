"""What these tests share: collections, embedders that misbehave, and looks at the rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.values import Chunk
from tests.tools import TinyEmbedder, are_canaries

AT_ONCE = timedelta(0)
#: How long a test waits for what must come. Never reached when all is well. Units: seconds.
PATIENCE = 30.0


class HookedEmbedder(TinyEmbedder):
    """A TinyEmbedder that hands the texts to ``hook``, and returns what that gives, if any.

    Canaries apart.
    """

    hook: Callable[[Sequence[str]], Any] | None = None

    def embed_documents(self, texts: Sequence[str]) -> Any:
        made = super().embed_documents(texts)
        hooked = self.hook is not None and not are_canaries(texts)
        changed = self.hook(texts) if self.hook is not None and hooked else None
        return made if changed is None else changed


def on_call(number: int, action: Callable[[], Any]) -> Callable[[Sequence[str]], None]:
    """A hook that acts in the call of that number only, the first being 1."""
    calls = 0

    def hook(_: Sequence[str]) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            action()

    return hook


def raising(exc: BaseException) -> Callable[[], Any]:
    """A function that raises it."""

    def act() -> Any:
        raise exc

    return act


def execute(engine: Engine, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Runs one statement on a connection of its own and commits it."""
    with autocommitted(engine) as raw:
        cursor = raw.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def create_collection(engine: Engine, collection: str = "docs", **options: Any) -> None:
    """``pgvec.create_collection`` with named options."""
    named = "".join(f", {name} => %s" for name in options)
    execute(engine, f"SELECT pgvec.create_collection('{collection}'{named})", *options.values())


def open_store(
    engine: Engine,
    embedder: TinyEmbedder,
    chunks: Sequence[Chunk | str] = (),
    *,
    version: str = "v1",
    **options: Any,
) -> ChunkStore:
    """A new collection ``docs`` whose first version is active, with these chunks in it."""
    create_collection(engine, **options)
    Transition(engine, "docs", version, embedder).run(cut_over=True)
    store = ChunkStore(engine, "docs", {version: embedder})
    if chunks:
        store.add(chunks)
        embedder.seen.clear()
    return store


def texts(count: int, prefix: str = "text") -> list[str]:
    """So many different texts."""
    return [f"{prefix} {number:03}" for number in range(count)]


def contents(engine: Engine, version: str = "v1") -> list[str]:
    """The texts that a version holds, sorted."""
    return sorted(
        row[0]
        for row in execute(engine, "SELECT content FROM docs WHERE model_version = %s", version)
    )


def rows(engine: Engine, version: str = "v1") -> dict[str, tuple[Any, ...]]:
    """What a version holds beside the vectors: document_id, position, content, metadata, by id."""
    found = execute(
        engine,
        "SELECT chunk_id::text, document_id, position, content, metadata FROM docs"
        " WHERE model_version = %s",
        version,
    )
    return {row[0]: row[1:] for row in found}


def assert_own_vectors(engine: Engine, embedders: Mapping[str, TinyEmbedder]) -> None:
    """Every row's vector is the one that its version's embedder makes of its very text."""
    for version, content, vector in execute(
        engine, "SELECT model_version, content, embedding::real[] FROM docs"
    ):
        np.testing.assert_allclose(vector, embedders[version].vector(content), atol=1e-5)


def open_items(engine: Engine, version: str) -> int:
    """How many work items are open for a version."""
    found = execute(
        engine,
        "SELECT count(*) FROM pgvec.work_item WHERE model_version = %s AND set_aside_at IS NULL",
        version,
    )
    return int(found[0][0])


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds; fails the test if it never does."""
    deadline = time.monotonic() + PATIENCE
    never = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        never.wait(0.005)


def waits_for_lock(connection: psycopg.Connection[Any]) -> bool:
    """Whether any session of the database waits for a lock."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchone()
    return row is not None and row[0] > 0


@contextmanager
def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """Runs work beside the test and gives its future; the end of the block waits for it."""
    with ThreadPoolExecutor(1) as pool:
        future: Future[Any] = pool.submit(work, *arguments)
        yield future
        future.result(PATIENCE)
