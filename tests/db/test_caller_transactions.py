"""In the caller's own Connection or Session, the caller decides: we commit nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.errors import EmbedderFailed, InvalidVector
from pgvec_versions.values import Chunk, QueryVector
from tests.db.helpers import contents, execute, open_store, texts
from tests.tools import TinyEmbedder

Caller = Connection | Session


@contextmanager
def caller_of(kind: str, engine: Engine) -> Iterator[Caller]:
    with engine.connect() if kind == "connection" else Session(engine) as caller:
        yield caller


KINDS = pytest.mark.parametrize("kind", ["connection", "session"])
#: Our call is the first statement on the caller's connection, or comes after the caller's own.
ORDERS = pytest.mark.parametrize("first", [True, False], ids=["ours first", "theirs first"])
#: Each kind and each order once.
BOTH = pytest.mark.parametrize(
    ("kind", "first"),
    [("connection", False), ("session", True)],
    ids=["theirs first in a connection", "ours first in a session"],
)


@pytest.fixture
def store(engine: Engine) -> ChunkStore:
    execute(engine, "CREATE TABLE app (note text)")
    return open_store(engine, TinyEmbedder(), texts(3))


def note(caller: Caller, words: str = "own row") -> None:
    caller.execute(text("INSERT INTO app VALUES (:words)"), {"words": words})


def notes(engine: Engine) -> list[str]:
    return [row[0] for row in execute(engine, "SELECT note FROM app ORDER BY 1")]


@KINDS
@ORDERS
def test_chunks_and_the_callers_rows_are_visible_after_the_callers_commit_only(
    engine: Engine, store: ChunkStore, kind: str, first: bool
) -> None:
    with caller_of(kind, engine) as caller:
        if not first:
            note(caller)
        assert store.add(["new"], connection=caller).added == 1
        assert store.delete(document_ids=["none"], connection=caller) == 0
        if first:
            note(caller)
        assert contents(engine) == texts(3)
        assert notes(engine) == []
        caller.commit()
        assert contents(engine) == ["new", *texts(3)]
        assert notes(engine) == ["own row"]


@BOTH
def test_chunks_go_with_the_callers_rollback(
    engine: Engine, store: ChunkStore, kind: str, first: bool
) -> None:
    with caller_of(kind, engine) as caller:
        if not first:
            note(caller)
        store.add([Chunk("new", "doc", 0)], connection=caller)
        store.delete(
            chunk_ids=[hit.chunk_id for hit in store.search("q", connection=caller)],
            connection=caller,
        )
        caller.rollback()
    assert contents(engine) == texts(3)
    assert notes(engine) == []


@BOTH
def test_a_failed_call_leaves_the_callers_transaction_usable(
    engine: Engine, store: ChunkStore, kind: str, first: bool
) -> None:
    failing = ChunkStore(engine, "docs", TinyEmbedder(fail_on="bad"))
    with caller_of(kind, engine) as caller:
        if not first:
            note(caller, "before")
        store.add(["new"], connection=caller)
        with pytest.raises(EmbedderFailed):
            failing.add(["bad"], connection=caller)
        with pytest.raises(InvalidVector):
            store.search(QueryVector(np.ones(9, np.float32), "v1"), connection=caller)
        note(caller, "since")
        caller.commit()
    assert contents(engine) == ["new", *texts(3)]
    assert notes(engine) == (["since"] if first else ["before", "since"])


@KINDS
def test_a_search_sees_the_callers_uncommitted_chunks(
    engine: Engine, store: ChunkStore, kind: str
) -> None:
    with caller_of(kind, engine) as caller:
        store.add(["new"], connection=caller)
        (hit,) = store.search("new", k=1, connection=caller)
        assert hit.content == "new"
        assert store.search("new", k=1)[0].content != "new"


def test_a_caller_with_autocommit_gets_what_it_asked_for(engine: Engine, store: ChunkStore) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as caller:
        store.add(["new"], connection=caller)
    assert "new" in contents(engine)


def test_two_calls_in_a_savepoint_of_the_caller_go_with_that_savepoint(
    engine: Engine, store: ChunkStore
) -> None:
    with engine.begin() as caller:
        store.add(["stays"], connection=caller)
        savepoint = caller.begin_nested()
        store.add(["goes"], connection=caller)
        savepoint.rollback()
    added: list[Any] = sorted(set(contents(engine)) - set(texts(3)))
    assert added == ["stays"]
