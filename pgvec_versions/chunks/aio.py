"""AsyncChunkStore: the same store for asyncio. It has no logic of its own.

Each call runs the code of ``ChunkStore`` in SQLAlchemy's greenlet, on the async engine: while it
waits for the database or a model, the event loop runs other tasks. An embedder's own async methods
are awaited; any other model runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import numpy.typing as npt
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import Embedder, Vectors
from pgvec_versions.embedders.by_version import ModelCall
from pgvec_versions.embedders.gates import Gate, concurrency_of
from pgvec_versions.filters import Filter
from pgvec_versions.postgres.database import Caller, psycopg_url
from pgvec_versions.values import AddResult, Chunk, ChunkId, Hit, QueryVector

#: What you pass to have our statements run in your own transaction.
AsyncCaller: TypeAlias = AsyncConnection | AsyncSession
T = TypeVar("T")


class AsyncChunkStore:
    """The chunks of one collection, for asyncio. The methods are those of ``ChunkStore``.

    ``target`` is a URL or an ``AsyncEngine`` with psycopg. ``connection=`` takes an
    ``AsyncConnection`` or an ``AsyncSession``, to write and read in your own transaction.

    Effects: reads the catalog on first use. An embedder gets as many calls at once as its
    ``concurrency`` allows, each awaited or in a thread of its own. With a URL the store makes its
    own engine. ``close``, or ``async with``, ends the threads and that engine.
    Raises: on first use, what ``ChunkStore`` raises when it is made.
    """

    def __init__(
        self,
        target: str | URL | AsyncEngine,
        collection: str,
        embedders: Embedder | Mapping[str, Embedder] | None = None,
    ) -> None:
        self._own_engine = not isinstance(target, AsyncEngine)
        if isinstance(target, AsyncEngine):
            self.engine = target
        else:
            self.engine = create_async_engine(
                psycopg_url(target), connect_args={"prepare_threshold": None}, pool_pre_ping=True
            )
        self.collection = collection
        self._embedders = embedders
        self._threads = ThreadPoolExecutor(
            max(sum(map(concurrency_of, _all_of(embedders))), 1), thread_name_prefix="pgvec-embed"
        )
        self._opening = asyncio.Lock()
        self._store: ChunkStore | None = None

    def _off_loop(self, call: ModelCall) -> Vectors:
        return await_only(self._called(call))

    async def _called(self, call: ModelCall) -> Vectors:
        native = call.native
        if native is None:
            return await self._in_thread(call.gate, call.run_in_place)
        if call.check_due:
            await self._in_thread(call.gate, call.check_in_place)
        await call.gate.enter()
        try:
            return await native(call.texts)
        finally:
            call.gate.leave()

    async def _in_thread(self, gate: Gate, work: Callable[[], T]) -> T:
        await gate.enter()
        try:
            running = self._threads.submit(work)
        except BaseException:
            gate.leave()
            raise
        # The place is free when the thread has ended, also if nobody waits for it any more.
        running.add_done_callback(lambda _: gate.leave())
        return await asyncio.wrap_future(running)

    async def _run(self, work: Callable[[ChunkStore], T]) -> T:
        async with self._opening:
            if self._store is None:
                self._store = await greenlet_spawn(
                    ChunkStore,
                    self.engine.sync_engine,
                    self.collection,
                    self._embedders,
                    run_model=self._off_loop,
                )
        return await greenlet_spawn(work, self._store)

    async def add(
        self,
        chunks: Iterable[Chunk | str],
        *,
        version: str | None = None,
        keep_others: bool = False,
        connection: AsyncCaller | None = None,
        progress: Callable[[int], None] | None = None,
        vectors: npt.ArrayLike | None = None,
    ) -> AddResult:
        """See ``ChunkStore.add``."""
        return await self._run(
            lambda store: store.add(
                chunks,
                version=version,
                keep_others=keep_others,
                connection=_caller(connection),
                progress=progress,
                vectors=vectors,
            )
        )

    async def delete(
        self,
        *,
        chunk_ids: Sequence[ChunkId] | None = None,
        document_ids: Sequence[str] | None = None,
        connection: AsyncCaller | None = None,
    ) -> int:
        """See ``ChunkStore.delete``."""
        return await self._run(
            lambda store: store.delete(
                chunk_ids=chunk_ids, document_ids=document_ids, connection=_caller(connection)
            )
        )

    async def embed_query(self, text: str, version: str | None = None) -> QueryVector:
        """See ``ChunkStore.embed_query``."""
        return await self._run(lambda store: store.embed_query(text, version))

    async def search(
        self,
        query: str | QueryVector,
        k: int = 10,
        *,
        filter: Filter | None = None,
        ef_search: int | None = None,
        exact: bool = False,
        version: str | None = None,
        connection: AsyncCaller | None = None,
    ) -> list[Hit]:
        """See ``ChunkStore.search``."""
        return await self._run(
            lambda store: store.search(
                query,
                k,
                filter=filter,
                ef_search=ef_search,
                exact=exact,
                version=version,
                connection=_caller(connection),
            )
        )

    async def status(self) -> list[dict[str, Any]]:
        """See ``ChunkStore.status``."""
        return await self._run(lambda store: store.status())

    async def active_version(self) -> str | None:
        """The label of the active version; asks the database now."""
        return await self._run(lambda store: store.active_version)

    async def close(self) -> None:
        """Ends the threads of the models, and the engine if the store made it."""
        self._threads.shutdown(wait=False)
        if self._own_engine:
            await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _all_of(embedders: Embedder | Mapping[str, Embedder] | None) -> list[Embedder]:
    if embedders is None:
        return []
    return list(embedders.values()) if isinstance(embedders, Mapping) else [embedders]


def _caller(connection: AsyncCaller | None) -> Caller | None:
    if isinstance(connection, AsyncSession):
        return connection.sync_session
    return connection.sync_connection if connection is not None else None
