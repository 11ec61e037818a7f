"""Transition: from one model version to the next, one verb after another, resumable at each.

::

    begin → backfill → build_index → catch_up → make_ready → cut_over → (roll_back) → retire
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.catalog import Version, read_collection
from pgvec_versions.embedders import Embedder, require_same
from pgvec_versions.embedders.fingerprints import add_fingerprint, make_canaries, store_fingerprint
from pgvec_versions.errors import (
    AlreadyExists,
    EmbedderMissing,
    LockTimeout,
    NotReady,
    Paused,
    WrongState,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.locks import LOCK_WAIT, patiently, set_lock_timeout, writers_wait
from pgvec_versions.states import State
from pgvec_versions.upgrade.estimates import build_memory, estimate
from pgvec_versions.upgrade.pausing import paused, wait_while_paused
from pgvec_versions.upgrade.throttle import Throttle
from pgvec_versions.upgrade.worker import Worker, WorkerReport

__all__ = ["Progress", "Transition", "abandon", "roll_back"]

#: How long writers wait at most while the last work items are drained.
_LONGEST_PAUSE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is. Units: chunks; ``seconds`` since the step began."""

    step: str
    done: int
    total: int
    seconds: float
    report: WorkerReport | None = None


OnProgress = Callable[[Progress], None]


class Transition:
    """The way of ``model_version`` to being active in ``collection``.

    ``embedder`` makes that version's vectors; its identity is stored with the version, and compared
    from then on. Every verb may be called again, by any process: it goes on where the work stands.
    Raises: UnknownCollection, CatalogNotInstalled, EmbedderMismatch.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        collection: str,
        model_version: str,
        embedder: Embedder,
        *,
        m: int = 16,
        ef_construction: int = 64,
        chunks_per_item: int = 512,
        max_attempts: int = 3,
        retry_in: timedelta = timedelta(seconds=5),
        lease: timedelta = timedelta(minutes=2),
        throttle: Throttle | None = None,
    ) -> None:
        self.engine = engine_for(target)
        self.collection = collection
        self.model_version = model_version
        self.embedder = embedder
        self.m = m
        self.ef_construction = ef_construction
        self.chunks_per_item = chunks_per_item
        self._worker_options: dict[str, Any] = {
            "max_attempts": max_attempts,
            "retry_in": retry_in,
            "lease": lease,
            "throttle": throttle,
        }
        with autocommitted(self.engine) as raw:
            require_catalog(raw)
            self._check(self._find(raw))

    def _find(self, raw: PgConnection) -> Version | None:
        versions = read_collection(raw, self.collection).versions
        return next((v for v in versions if v.model_version == self.model_version), None)

    def _check(self, version: Version | None) -> None:
        if version is not None:
            require_same(
                version.embedder,
                self.embedder.identity,
                collection=self.collection,
                model_version=self.model_version,
                equivalents=version.equivalents,
            )

    @property
    def state(self) -> State | None:
        """Where the version stands, or None before ``begin``."""
        with autocommitted(self.engine) as raw:
            version = self._find(raw)
        return version.state if version else None

    def _one(self, name: str, wait: timedelta | None = None, **parameters: Any) -> Any:
        with transaction(self.engine) as raw:
            if wait is not None:
                set_lock_timeout(raw, wait)
            row = raw.execute(
                sqlfiles.query(name),
                {"collection": self.collection, "model_version": self.model_version, **parameters},
            ).fetchone()
        return row[0] if row else None

    def begin(self) -> int:
        """Registers the version, unless it is there, and plans what must be embedded for it.

        Effects: from now on every write is carried to it. Returns the number of open work items.
        Raises: AlreadyExists (a label used before), InvalidName, InvalidArgument, WrongState,
        LockTimeout.
        """
        with autocommitted(self.engine) as raw:
            found = self._find(raw)
        self._check(found)
        if found is not None and found.state in (State.RETIRED, State.ABANDONED):
            raise WrongState(
                f"begin: version {self.model_version} of {self.collection} is {found.state}.",
                hint="Its label names that version for ever; choose a new one.",
                detail={
                    "collection": self.collection,
                    "model_version": self.model_version,
                    "state": found.state,
                },
            )
        if found is None:
            try:
                self._register(self.embedder.dimensions)
            except AlreadyExists:
                # Another process was faster: then it is the same version, or none of ours.
                with autocommitted(self.engine) as raw:
                    found = self._find(raw)
                self._check(found)
                if found is None or not found.live:
                    raise
        else:
            add_fingerprint(self.engine, self.collection, found, self.embedder)
        planned = patiently(
            lambda wait: self._one("plan_backfill", wait, chunks_per_item=self.chunks_per_item)
        )
        return int(planned)

    def _register(self, dimensions: int) -> None:
        canaries = make_canaries(self.embedder, dimensions)
        parameters = {
            "collection": self.collection,
            "model_version": self.model_version,
            "dimensions": dimensions,
            "embedder": Jsonb(self.embedder.identity.to_json()),
            "m": self.m,
            "ef_construction": self.ef_construction,
        }

        def once(wait: timedelta) -> None:
            with transaction(self.engine) as raw:
                set_lock_timeout(raw, wait)
                raw.execute(sqlfiles.query("register_version"), parameters)
                store_fingerprint(raw, self.collection, self.model_version, canaries)

        patiently(once)

    def worker(self) -> Worker:
        """A worker for this version alone."""
        return Worker(
            self.engine,
            self.collection,
            {self.model_version: self.embedder},
            **self._worker_options,
        )

    def missing(self) -> int:
        """How many chunks the version lacks or holds in an older text, counted from the rows."""
        return int(self._one("count_missing"))

    def backfill(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> WorkerReport:
        """Embeds what is open now; several processes may share the work.

        What is written meanwhile is left for ``catch_up``.

        Raises: EmbedderError when the embedder is down; NotReady when chunks had to be set aside.
        """
        return self._drain("backfill", self.missing(), on_progress, stop)

    def _drain(
        self, step: str, total: int, on_progress: OnProgress | None, stop: threading.Event | None
    ) -> WorkerReport:
        began = time.monotonic()

        def show(report: WorkerReport) -> None:
            if on_progress is not None:
                on_progress(
                    Progress(
                        step,
                        report.written,
                        max(total, report.written),
                        time.monotonic() - began,
                        report,
                    )
                )

        stop = stop or threading.Event()
        worker = self.worker()
        report = WorkerReport()
        while True:
            wait_while_paused(self.engine, self.collection, self.model_version, stop)
            worker.drain(stop=stop, progress=show, later_too=False, report=report)
            if stop.is_set() or not paused(self.engine, self.collection, [self.model_version]):
                break
        if not stop.is_set():
            self._refuse_set_aside(report)
        return report

    def _refuse_set_aside(self, report: WorkerReport) -> None:
        with autocommitted(self.engine) as raw:
            row = raw.execute(
                sqlfiles.query("open_work"),
                {"collection": self.collection, "versions": [self.model_version]},
            ).fetchone()
        if row and row[1]:
            reason = f" The last error: {report.last_error.message}" if report.last_error else ""
            raise NotReady(
                f"{row[1]} work items of {self.model_version} in {self.collection} "
                f"were set aside.{reason}",
                hint="See pgvec status; mend the cause, then: pgvec worker --drain --retry-failed.",
                detail={
                    "collection": self.collection,
                    "model_version": self.model_version,
                    "set_aside": row[1],
                },
            )

    def build_index(
        self, memory_mb: int | None = None, parallel_workers: int | None = None
    ) -> bool:
        """Builds the HNSW index, after the load. False when a valid one was there.

        Effects: ``memory_mb`` (by default sized to the graph, 64 to 2,048) and ``parallel_workers``
        hold for the build only. Writers do not wait for it. Raises: Busy when another process
        builds it, LockTimeout when somebody writes to the version for longer than 10 s, WrongState.
        """
        if memory_mb is None:
            with autocommitted(self.engine) as raw:
                memory_mb = build_memory(raw, self.collection, self.model_version)
        return bool(self._one("build_index", memory=f"{memory_mb}MB", workers=parallel_workers))

    def estimate(self) -> dict[str, int]:
        """What the version will take, before it is begun; zeros without an active version.

        ``chunks``, ``leaf_bytes`` and ``index_bytes`` on disk, and ``graph_bytes`` of memory for
        the build, of which it takes 2 GB at most by itself. Units: bytes.
        """
        with autocommitted(self.engine) as raw:
            return estimate(raw, self.collection, self.embedder.dimensions, self.m)

    def catch_up(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> WorkerReport:
        """Works off what was written meanwhile, such as during the index build.

        In rounds, each of which has less to do than the one before; if writers never pause, a
        little stays open.
        """
        left = self._open()
        while True:
            report = self._drain("catch up", left, on_progress, stop)
            before, left = left, self._open()
            if left == 0 or left >= before or (stop is not None and stop.is_set()):
                return report

    def _open(self) -> int:
        with autocommitted(self.engine) as raw:
            row = raw.execute(
                sqlfiles.query("open_work"),
                {"collection": self.collection, "versions": [self.model_version]},
            ).fetchone()
        return int(row[0]) if row else 0

    def make_ready(self) -> None:
        """Checks the version by its rows and makes it ready: it has a pinned view from then on.

        Raises: NotReady with the numbers in ``detail``, EmbedderMismatch, WrongState.
        """
        with autocommitted(self.engine) as raw:
            self._check(self._find(raw))
        if self._one("make_ready") != State.READY:
            raise NotReady(
                f"version {self.model_version} of {self.collection} fails its checks "
                "and is building again.",
                hint="Call run() or pgvec upgrade again: it finds what is missing.",
                detail={"collection": self.collection, "model_version": self.model_version},
            )

    def prepare(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> State:
        """``begin`` to ``make_ready`` in one call, going on where the work stands."""
        stop = stop or threading.Event()
        self.begin()
        for step in (self.backfill, self._indexed, self.catch_up):
            wait_while_paused(self.engine, self.collection, self.model_version, stop)
            if stop.is_set():
                break
            step(on_progress, stop)
        for attempt in range(20):
            if stop.is_set() or self.state not in (State.BUILDING, State.READY):
                break
            try:
                if attempt < 3:
                    self.make_ready()
                else:
                    # Writers never pause: for the last of it they wait a moment.
                    self.while_writers_wait("make_ready", LOCK_WAIT, _LONGEST_PAUSE)
                break
            except NotReady as exc:
                # What came between the last item and the check is worked off again.
                problems = set(exc.detail.get("problems", {"open_items": 1}))
                if not problems <= {"open_items", "missing"}:
                    raise
                if "open_items" not in problems:
                    self.begin()
                self.catch_up(on_progress, stop)
            except LockTimeout:
                continue
        else:
            self.make_ready()
        state = self.state
        assert state is not None
        return state

    def _indexed(self, on_progress: OnProgress | None, stop: threading.Event | None) -> None:
        began = time.monotonic()
        if on_progress is not None:
            on_progress(Progress("build index", 0, 1, 0.0))
        self.build_index()
        if on_progress is not None:
            on_progress(Progress("build index", 1, 1, time.monotonic() - began))

    def cut_over(
        self,
        *,
        lock_timeout: timedelta = timedelta(milliseconds=200),
        attempts: int = 20,
        longest_pause: timedelta = _LONGEST_PAUSE,
        force: bool = False,
        reason: str | None = None,
    ) -> str | None:
        """Makes the version active, in one transaction. Returns the label that was active before.

        Work that is still open is drained first. If writers never pause, the last of it is drained
        while they wait, for ``longest_pause`` at most: the server sees to that. No reader waits
        longer than ``lock_timeout`` a try. ``force`` passes the collection's gate in spite of what
        it says, for a ``reason`` that is recorded.
        Raises: GateRefused, NotReady, WrongState, Paused, LockTimeout; nothing was changed then.
        """
        gate: dict[str, Any] = {"force": force, "reason": reason}
        options: dict[str, Any] = {"lock_timeout": lock_timeout, "attempts": attempts, **gate}
        for last_one in (False, False, True):
            try:
                return self._one("cut_over", **options)
            except NotReady as exc:
                if set(exc.detail.get("problems", {})) != {"open_items"}:
                    raise
            self.catch_up()
            try:
                return self.while_writers_wait("cut_over", lock_timeout, longest_pause, **gate)
            except (LockTimeout, NotReady):
                if last_one:
                    raise
        return None

    def while_writers_wait(
        self, verb: str, lock_timeout: timedelta, longest_pause: timedelta, **more: Any
    ) -> Any:
        """Drains the last work items and calls the verb while writers wait, in one transaction."""
        worker = self.worker()
        parameters = {
            "collection": self.collection,
            "model_version": self.model_version,
            "lock_timeout": lock_timeout,
            "attempts": 1,
            **more,
        }
        with writers_wait(self.engine, self.collection, lock_timeout, longest_pause) as (raw, over):
            worker.drain(stop=over)
            row = raw.execute(sqlfiles.query(verb), parameters).fetchone()
        return row[0] if row else None

    def run(
        self,
        *,
        cut_over: bool = False,
        on_progress: OnProgress | None = None,
        stop: threading.Event | None = None,
    ) -> State:
        """The whole way to ready, and with ``cut_over`` through it. Returns the state reached."""
        state = self.prepare(on_progress, stop)
        if cut_over and state == State.READY and not (stop and stop.is_set()):
            self.cut_over()
            state = State.ACTIVE
        return state

    def abandon(self) -> None:
        """Gives the version up, never active; its leaf goes with the next retirement."""
        abandon(self.engine, self.collection, self.model_version)


def roll_back(
    target: str | URL | Engine,
    collection: str,
    embedders: Mapping[str, Embedder] | None = None,
    *,
    lock_timeout: timedelta = timedelta(milliseconds=200),
    attempts: int = 20,
    allow_missing: bool = False,
    longest_pause: timedelta = _LONGEST_PAUSE,
) -> str:
    """Makes the version active that was so before; the present one drains. Returns its label.

    No row is rewritten: it followed every write. What is still open for it is drained first, the
    last of it while writers wait, for ``longest_pause`` at most, and a version that had stopped
    following catches up first; both need its embedder in ``embedders``.
    Raises: WrongState (nothing to go back to), NotReady, EmbedderMissing, LockTimeout.
    """
    engine = engine_for(target)
    parameters: dict[str, Any] = {
        "collection": collection,
        "lock_timeout": lock_timeout,
        "attempts": attempts,
        "allow_missing": allow_missing,
    }

    def once() -> str:
        with transaction(engine) as raw:
            row = raw.execute(sqlfiles.query("roll_back"), parameters).fetchone()
        assert row is not None
        return str(row[0])

    for turn in range(4):
        try:
            return once()
        except NotReady as exc:
            label = str(exc.detail.get("model_version", ""))
            if not set(exc.detail.get("problems", {})) <= {"open_items", "stopped_following"}:
                raise
            embedder = (embedders or {}).get(label)
            if embedder is None:
                raise EmbedderMissing(
                    f"{label} must catch up before {collection} can go back to it, "
                    "and its embedder is not at hand.",
                    hint=f"Give the embedder of {label}, or let a worker that has it drain; "
                    "or roll back with allow_missing and catch up after.",
                    detail=exc.detail,
                ) from exc
            if paused(engine, collection, [label]):
                raise Paused(
                    f"{label} must catch up before {collection} can go back to it, "
                    "and it is paused.",
                    hint=f"pgvec resume {label}; or roll back with allow_missing.",
                    detail=exc.detail,
                ) from exc
        back = Transition(engine, collection, label, embedder)
        back.begin()
        back.catch_up()
        if turn == 0:
            continue
        try:
            return str(
                back.while_writers_wait(
                    "roll_back", lock_timeout, longest_pause, allow_missing=allow_missing
                )
            )
        except (LockTimeout, NotReady):
            if turn == 3:
                raise
    return once()


def abandon(target: str | URL | Engine, collection: str, model_version: str) -> None:
    """Gives up a version that was never active. Raises: WrongState, UnknownVersion, LockTimeout."""
    engine = engine_for(target)

    def once(wait: timedelta) -> None:
        with transaction(engine) as raw:
            set_lock_timeout(raw, wait)
            raw.execute(
                sqlfiles.query("abandon"),
                {"collection": collection, "model_version": model_version},
            )

    patiently(once)
