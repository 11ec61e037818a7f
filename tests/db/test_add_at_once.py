"""An add meets others: two who add at once, deadlocks, a model that takes its time, Ctrl-C."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from pgvec_versions.chunks.store import AddResult, ChunkStore
from pgvec_versions.values import Chunk, chunk_identity
from tests.db.helpers import (
    PATIENCE,
    HookedEmbedder,
    assert_own_vectors,
    contents,
    in_thread,
    on_call,
    open_store,
    raising,
    texts,
    wait_until,
    waits_for_lock,
)
from tests.db.test_add import document
from tests.tools import Connect, TinyEmbedder


def test_two_adders_of_the_same_new_chunks_lose_nothing(engine: Engine) -> None:
    open_store(engine, TinyEmbedder())
    both_have_looked = threading.Barrier(2)

    def add(seed: int) -> AddResult:
        tiny = HookedEmbedder()
        tiny.hook = on_call(1, lambda: both_have_looked.wait(PATIENCE))
        return ChunkStore(engine, "docs", tiny).add([*document("a", 5), f"only {seed}"])

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(add, range(2)))
    assert sum(r.added for r in results) == 7
    assert all(r.embedded == 6 for r in results)
    assert len(contents(engine)) == 7
    assert_own_vectors(engine, {"v1": TinyEmbedder()})


def test_two_adders_of_different_texts_leave_one_of_them_whole(engine: Engine) -> None:
    open_store(engine, TinyEmbedder(), document("a", 5, "old"))
    both_have_looked = threading.Barrier(2)

    def add(word: str) -> AddResult:
        tiny = HookedEmbedder()
        tiny.hook = on_call(1, lambda: both_have_looked.wait(PATIENCE))
        return ChunkStore(engine, "docs", tiny).add(document("a", 5, word))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, ["left", "right"]))
    words = {content.split()[1] for content in contents(engine)}
    assert words in ({"left"}, {"right"})
    assert_own_vectors(engine, {"v1": TinyEmbedder()})


def test_an_add_outlives_a_deadlock(engine: Engine, connect: Connect) -> None:
    tiny = TinyEmbedder()
    other, watcher = connect(autocommit=False), connect()
    # Each looks once, this long after it began to wait; the one that finds the deadlock is ended.
    name = sql.Identifier(watcher.info.dbname)
    watcher.execute(sql.SQL("ALTER DATABASE {} SET deadlock_timeout = '3s'").format(name))
    other.execute("SET deadlock_timeout = '1min'")
    other.commit()
    store = open_store(engine, tiny)
    first, second = Chunk("first", "a", 0), Chunk("second", "a", 1)
    insert = (
        "INSERT INTO docs (chunk_id, model_version, document_id, position, content, embedding)"
        " VALUES (%s, 'v1', 'a', %s, %s, %s::real[]::vector)"
    )

    def put(chunk: Chunk) -> None:
        vector = tiny.vector(chunk.content).tolist()
        other.execute(
            insert, (chunk_identity(chunk, "uuid"), chunk.position, chunk.content, vector)
        )

    put(second)
    with in_thread(store.add, [first, second]):
        wait_until(lambda: waits_for_lock(watcher))
        # Now each waits for the other.
        put(first)
        other.commit()
    assert contents(engine) == ["first", "second"]


def test_nobody_is_idle_in_a_transaction_while_the_model_runs(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    idle: list[int] = []

    def look(_: Any) -> None:
        found = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        ).fetchone()
        assert found is not None
        idle.append(found[0])

    tiny = HookedEmbedder()
    store = open_store(engine, tiny)
    tiny.hook = look
    store.add(texts(3))
    assert idle == [0]


def test_ctrl_c_in_the_model_writes_nothing(engine: Engine) -> None:
    tiny = HookedEmbedder()
    store = open_store(engine, tiny)
    tiny.hook = on_call(1, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        store.add(document("a", 3))
    assert contents(engine) == []
    assert store.add(document("a", 3)).added == 3
