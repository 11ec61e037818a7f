"""Shadow: asks a candidate a share of the live queries too, off the request path.

::

    shadow = Shadow(engine, "docs", "minilm-1", {"minilm-1": new})
    store = ChunkStore(engine, "docs", embedders, observer=shadow)
    with shadow:
        …                       # the app answers as before

The request only puts its text and the ids it found into a bounded queue. If the queue is full, the
query is dropped and counted. The results are aggregates: rows of ``pgvec.evaluation`` of the kind
``shadow``. Texts are kept only with ``keep_texts``. For queries from a file use ``pgvec evaluate
--queries``.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import Embedder
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.evaluation import metrics
from pgvec_versions.evaluation.records import record
from pgvec_versions.filters import Filter
from pgvec_versions.values import Hit

_log = logging.getLogger(__name__)
#: Comparisons in one row, at most: a row stays small at any traffic.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A live query and its answer."""

    text: str
    k: int
    filter: Filter | None
    baseline: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Compared:
    """A query that both versions answered.

    Units: milliseconds, for embedding and search of the candidate.
    """

    text: str
    overlap: float
    same_first: bool
    milliseconds: float


class Shadow:
    """Compares the answers of the active version with those of ``model_version``.

    Takes a ``share`` of the queries, 0 to 1, of which at most ``queue_size`` wait. Writes a row
    every ``record_every``. The candidate's embedder runs in this process. Give it an engine and an
    embedder object of its own: otherwise the store's requests share them.

    Effects: costs a request some microseconds; it never waits and never raises. Entering the
    ``with`` block starts a thread; leaving it finishes the waiting queries and writes the last row.
    Raises: InvalidArgument, EmbedderMismatch, UnknownCollection, on construction.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        collection: str,
        model_version: str,
        embedders: Embedder | Mapping[str, Embedder],
        *,
        share: float = 0.05,
        queue_size: int = 64,
        record_every: timedelta = timedelta(minutes=5),
        keep_texts: bool = False,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not 0 <= share <= 1 or queue_size < 1:
            raise InvalidArgument(
                "share must be 0 to 1 and queue_size 1 or more.",
                detail={"share": share, "queue_size": queue_size},
            )
        self._store = ChunkStore(target, collection, embedders)
        self.model_version = model_version
        self.share = share
        self.keep_texts = keep_texts
        self.dropped = 0
        self.failed = 0
        self._every = record_every.total_seconds()
        self._chance = chance
        self._queue: queue.Queue[_Seen] = queue.Queue(queue_size)
        self._done: dict[str, list[_Compared]] = {}
        self._recorded = {"dropped": 0, "failed": 0}
        self._leaving = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    # --- In the request ---

    def __call__(self, text: str, k: int, filter: Filter | None, hits: Sequence[Hit]) -> None:
        """Queues a query of its share, or drops it. Never waits, never raises."""
        if not hits or hits[0].model_version == self.model_version:
            return
        if self._chance() >= self.share:
            return
        seen = _Seen(text, k, filter, hits[0].model_version, tuple(hit.chunk_id for hit in hits))
        try:
            self._queue.put_nowait(seen)
        except queue.Full:
            self.dropped += 1
        self._woken.set()

    # --- In the thread ---

    def run_once(self) -> bool:
        """Compares one waiting query. Returns False if there is none."""
        try:
            seen = self._queue.get_nowait()
        except queue.Empty:
            return False
        try:
            compared = self._compare(seen)
        except Exception:
            # A failure of the candidate must not disturb the app.
            self.failed += 1
            _log.warning("shadow: %s did not answer a query", self.model_version, exc_info=True)
            return True
        self._done.setdefault(seen.baseline, []).append(compared)
        return True

    def _compare(self, seen: _Seen) -> _Compared:
        began = time.perf_counter()
        hits = self._store.search(seen.text, seen.k, filter=seen.filter, version=self.model_version)
        milliseconds = 1000 * (time.perf_counter() - began)
        ids = [hit.chunk_id for hit in hits]
        return _Compared(
            seen.text,
            metrics.overlap(ids, seen.found, seen.k),
            ids[:1] == list(seen.found[:1]),
            milliseconds,
        )

    def flush(self) -> list[int]:
        """Records the aggregates, a row for each baseline. Returns the ids of the evaluations."""
        made: list[int] = []
        for baseline in list(self._done):
            rows = self._done.pop(baseline)
            times = [row.milliseconds for row in rows]
            lost = {"dropped": self.dropped, "failed": self.failed}
            detail: dict[str, Any] = {
                "share": self.share,
                **{name: count - self._recorded[name] for name, count in lost.items()},
            }
            if self.keep_texts:
                detail["texts"] = [{"query": r.text, "overlap": round(r.overlap, 4)} for r in rows]
            made.append(
                record(
                    self._store.engine,
                    self._store.collection,
                    self.model_version,
                    kind="shadow",
                    queries=len(rows),
                    metrics={
                        "overlap": round(float(np.mean([r.overlap for r in rows])), 6),
                        "same_first": round(float(np.mean([r.same_first for r in rows])), 6),
                        "answer_ms_p50": round(metrics.percentile(times, 50), 3),
                        "answer_ms_p95": round(metrics.percentile(times, 95), 3),
                    },
                    baseline_version=baseline,
                    detail=detail,
                )
            )
            self._recorded = lost
        return made

    def _is_full(self) -> bool:
        return any(len(rows) >= _MOST for rows in self._done.values())

    def _run(self) -> None:
        due = time.monotonic() + self._every
        while True:
            self._woken.wait(max(due - time.monotonic(), 0.0))
            self._woken.clear()
            while not (full := self._is_full()) and time.monotonic() < due and self.run_once():
                pass
            if full or time.monotonic() >= due or self._leaving.is_set():
                try:
                    self.flush()
                except Exception:
                    _log.warning("shadow: the aggregates were not written", exc_info=True)
                due = time.monotonic() + self._every
            if not self._queue.empty():
                self._woken.set()
            elif self._leaving.is_set():
                return

    def __enter__(self) -> Shadow:
        self._leaving.clear()
        self._thread = threading.Thread(target=self._run, name="pgvec-shadow", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
