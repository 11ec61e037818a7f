"""A store with the embedder of one version asks again before it says that an embedder is missing.

What it knows of the catalog is from its last look. Cut-overs come between two looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import create_async_engine

from pgvec_versions.chunks.aio import AsyncChunkStore
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import Embedder
from pgvec_versions.errors import EmbedderMissing, VersionNotQueryable
from pgvec_versions.upgrade.transition import Transition, roll_back
from pgvec_versions.values import AddResult, Hit, QueryVector
from tests.db.helpers import HookedEmbedder, contents, create_collection, open_store, texts
from tests.tools import TinyEmbedder

Embedders = Embedder | Mapping[str, Embedder]


class Blocking:
    """The calls of a ``ChunkStore``."""

    def __init__(self, engine: Engine, embedders: Embedders) -> None:
        self.store = ChunkStore(engine, "docs", embedders)

    def search(self, text: str, **options: Any) -> list[Hit]:
        return self.store.search(text, **options)

    def embed_query(self, text: str, version: str | None = None) -> QueryVector:
        return self.store.embed_query(text, version)

    def add(self, given: list[str], **options: Any) -> AddResult:
        return self.store.add(given, **options)


class Asynchronous:
    """The same calls of an ``AsyncChunkStore``, opened at once."""

    def __init__(self, engine: Engine, embedders: Embedders, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._engine = create_async_engine(engine.url)
        self._store = AsyncChunkStore(self._engine, "docs", embedders)
        runner.run(self._store.status())

    def search(self, text: str, **options: Any) -> list[Hit]:
        return self._runner.run(self._store.search(text, **options))

    def embed_query(self, text: str, version: str | None = None) -> QueryVector:
        return self._runner.run(self._store.embed_query(text, version))

    def add(self, given: list[str], **options: Any) -> AddResult:
        return self._runner.run(self._store.add(given, **options))

    def close(self) -> None:
        self._runner.run(self._store.close())
        self._runner.run(self._engine.dispose())


Calls = Blocking | Asynchronous
Open = Callable[[Engine, Embedders], AbstractContextManager[Calls]]


@pytest.fixture(params=["blocking", "async"])
def opened(request: pytest.FixtureRequest) -> Open:
    @contextmanager
    def opened_store(engine: Engine, embedders: Embedders) -> Iterator[Calls]:
        if request.param == "blocking":
            yield Blocking(engine, embedders)
            return
        with asyncio.Runner() as runner:
            calls = Asynchronous(engine, embedders, runner)
            try:
                yield calls
            finally:
                calls.close()

    return opened_store


def cut_over(engine: Engine, version: str = "v2") -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pgvec.cut_over('docs', %s)", (version,))


def two_versions(engine: Engine, one: TinyEmbedder, two: TinyEmbedder) -> None:
    """v1 is active, v2 ready; both hold the same texts."""
    open_store(engine, one, texts(20))
    Transition(engine, "docs", "v2", two).run()


def versions(hits: list[Hit]) -> set[str]:
    return {hit.model_version for hit in hits}


@pytest.mark.parametrize("single", [True, False], ids=["alone", "by label"])
def test_with_the_new_embedder_only_the_first_search_after_the_cut_over_is_answered(
    engine: Engine, opened: Open, single: bool
) -> None:
    two = TinyEmbedder("b")
    two_versions(engine, TinyEmbedder(), two)
    with opened(engine, two if single else {"v2": two}) as store:
        cut_over(engine)
        assert versions(store.search("q")) == {"v2"}
        assert versions(store.search("q")) == {"v2"}


def test_with_the_old_embedder_only_the_first_search_after_the_roll_back_is_answered(
    engine: Engine, opened: Open
) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    cut_over(engine)
    with opened(engine, {"v1": one}) as store:
        with pytest.raises(EmbedderMissing):
            store.search("q")
        roll_back(engine, "docs", {"v1": one, "v2": two})
        assert versions(store.search("q")) == {"v1"}


def test_the_way_there_and_back_is_followed_by_both_stores(engine: Engine, opened: Open) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    with opened(engine, {"v1": one}) as old, opened(engine, {"v2": two}) as new:
        for number, active in enumerate(("v1", "v2", "v1")):
            sees, lacks = (old, new) if active == "v1" else (new, old)
            assert versions(sees.search("q")) == {active}
            assert sees.embed_query("q").model_version == active
            with pytest.raises(EmbedderMissing) as caught:
                lacks.search("q")
            assert caught.value.detail["model_version"] == active
            if number == 0:
                cut_over(engine)
            elif number == 1:
                roll_back(engine, "docs", {"v1": one, "v2": two})


def test_an_embedder_for_a_version_that_is_registered_later_is_found(
    engine: Engine, opened: Open
) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    open_store(engine, one, texts(5))
    with opened(engine, {"v2": two}) as store:
        with pytest.raises(EmbedderMissing):
            store.search("q")
        Transition(engine, "docs", "v2", two).run(cut_over=True)
        assert versions(store.search("q")) == {"v2"}


def test_a_store_that_was_opened_before_the_first_version_answers(
    engine: Engine, opened: Open
) -> None:
    one = TinyEmbedder()
    create_collection(engine)
    with opened(engine, {"v1": one}) as store:
        with pytest.raises(VersionNotQueryable):
            store.search("q")
        Transition(engine, "docs", "v1", one).run(cut_over=True)
        assert store.search("q") == []
        assert store.add(["text"]).model_version == "v1"


@pytest.mark.parametrize(("given", "active_then"), [("v2", "v2"), ("v1", "v1"), ("v2", "v1")])
def test_an_add_goes_to_the_version_that_has_an_embedder_whatever_was_active(
    engine: Engine, opened: Open, given: str, active_then: str
) -> None:
    embedders = {"v1": TinyEmbedder(), "v2": TinyEmbedder("b")}
    two_versions(engine, embedders["v1"], embedders["v2"])
    with opened(engine, {given: embedders[given]}) as store:
        cut_over(engine)
        if active_then == "v1":
            roll_back(engine, "docs", embedders)
        assert store.add(["since then"]).model_version == given
        assert store.add(["named"], version=given).model_version == given
    assert {"since then", "named"} <= set(contents(engine, given))


def test_an_add_to_a_version_that_is_registered_later(engine: Engine, opened: Open) -> None:
    one, two = TinyEmbedder(), TinyEmbedder("b")
    open_store(engine, one)
    with opened(engine, {"v2": two}) as store:
        with pytest.raises(EmbedderMissing):
            store.add(["too early"])
        Transition(engine, "docs", "v2", two).begin()
        assert store.add(["while it is built"]).model_version == "v2"


def test_one_embedder_serves_each_version_that_was_registered_with_it(
    engine: Engine, opened: Open
) -> None:
    """As after an upgrade that changes only the index."""
    one = TinyEmbedder()
    open_store(engine, one, texts(5))
    with opened(engine, one) as store:
        assert versions(store.search("q")) == {"v1"}
        Transition(engine, "docs", "v2", TinyEmbedder()).run(cut_over=True)
        assert versions(store.search("q")) == {"v2"}
        assert store.add(["since then"]).model_version == "v2"


def test_a_cut_over_while_the_query_is_embedded_is_followed(engine: Engine, opened: Open) -> None:
    """The store has both embedders; in between, the version that it meant is active no longer."""
    one, two = HookedEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    with opened(engine, {"v1": one, "v2": two}) as store:
        done: list[bool] = []

        def once(_: object) -> None:
            if not done:
                done.append(True)
                cut_over(engine)

        one.hook = once
        assert versions(store.search("q")) == {"v2"}


def test_a_roll_back_between_two_looks_of_one_search_is_followed(engine: Engine) -> None:
    """It has v1's embedder only. The guard sees v2 active; a moment later v1 is active again."""
    one, two = HookedEmbedder(), TinyEmbedder("b")
    two_versions(engine, one, two)
    store = ChunkStore(engine, "docs", {"v1": one})
    one.hook = lambda _: cut_over(engine) if store.active_version == "v1" else None
    looks: list[str | None] = []
    has = store._embedders.has  # pyright: ignore[reportPrivateUsage]

    def rolled_back(label: str) -> bool:
        if label == "v2" and not looks:
            looks.append(label)
            one.hook = None
            roll_back(engine, "docs", {"v1": one, "v2": two})
        return has(label)

    store._embedders.has = rolled_back  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    assert versions(store.search("q")) == {"v1"}
    assert looks == ["v2"]


def test_a_cut_over_in_the_callers_own_transaction_is_seen(engine: Engine) -> None:
    two = TinyEmbedder("b")
    two_versions(engine, TinyEmbedder(), two)
    store = ChunkStore(engine, "docs", {"v2": two})
    with engine.connect() as caller:
        caller.exec_driver_sql("SELECT pgvec.cut_over('docs', 'v2')")
        assert versions(store.search("q", connection=caller)) == {"v2"}
        caller.rollback()
    with pytest.raises(EmbedderMissing):
        store.search("q")
    cut_over(engine)
    assert versions(store.search("q")) == {"v2"}
