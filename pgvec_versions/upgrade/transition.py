"""Transition: from one model version to the next, one verb after another, resumable at each.

::

    begin → backfill → build_index → catch_up → make_ready → cut_over → (roll_back) → retire
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

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
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.locks import LOCK_TRIES, LOCK_WAIT, patiently, unlimited
from pgvec_versions.postgres.notices import OnWait, heard, log_wait
from pgvec_versions.postgres.rows import read_value
from pgvec_versions.states import State
from pgvec_versions.upgrade.catching_up import CatchingUp, OnProgress, Progress
from pgvec_versions.upgrade.estimates import estimate
from pgvec_versions.upgrade.index_build import IndexBuild
from pgvec_versions.upgrade.pausing import paused, wait_while_paused
from pgvec_versions.upgrade.throttle import Throttle
from pgvec_versions.upgrade.worker import Worker, WorkerReport

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

#: How long writers wait at most while the last work items are drained.
_LONGEST_PAUSE = timedelta(seconds=5)
#: How often ``prepare`` tries to make the version ready: each time it works off what came since.
_READY_TRIES = 20
#: How many of these leave writers alone: if they never pause, only making them wait helps.
_READY_TRIES_BESIDE_WRITERS = 3
#: How often a cut-over catches up and makes writers wait before it gives up.
_CUT_OVER_TRIES = 3
#: How often a roll-back tries before it gives up; only the first try leaves writers alone.
_ROLL_BACK_TRIES = 4


class Transition:
    """Makes ``model_version`` the active version of ``collection``, one verb after another.

    ``embedder`` makes that version's vectors. Its identity is stored with the version, and checked
    from then on. You may call every verb again, from any process: it goes on where the work
    stands. ``on_wait`` gets a line about whom a verb waits for, and until when. A verb takes over
    what dead workers have claimed; with ``take_over`` what living ones have claimed too.
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
        on_wait: OnWait = log_wait,
        take_over: bool = False,
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
        self.on_wait = on_wait
        self._catching_up = CatchingUp(
            self.engine, collection, model_version, self.worker, on_wait, take_over
        )
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

    def _call(self, query: str, wait: timedelta | None = None, **parameters: Any) -> Any:
        named = {"collection": self.collection, "model_version": self.model_version, **parameters}
        with unlimited(self.engine, wait) as raw, heard(raw, self.on_wait):
            return read_value(raw, sqlfiles.query(query), named)

    @property
    def state(self) -> State | None:
        """The state of the version, or None before ``begin``."""
        with autocommitted(self.engine) as raw:
            version = self._find(raw)
        return version.state if version else None

    def worker(self) -> Worker:
        """A worker for this version alone."""
        return Worker(
            self.engine,
            self.collection,
            {self.model_version: self.embedder},
            **self._worker_options,
        )

    def missing(self) -> int:
        """How many chunks the version lacks or holds with an older text, counted from the rows."""
        return self._call("count_missing")

    def estimate(self) -> dict[str, int]:
        """How much the version will take, before you begin it; zeros without an active version.

        ``chunks``, ``leaf_bytes`` and ``index_bytes`` on disk, and ``graph_bytes`` of memory for
        the build, which takes 2 GB at most unless you give it more. Units: bytes.
        """
        with autocommitted(self.engine) as raw:
            return estimate(raw, self.collection, self.embedder.dimensions, self.m)

    # -------------------------------------------------------- the verbs, in order

    def begin(self) -> int:
        """Registers the version, unless it exists, and plans what to embed for it.

        Effects: from now on every write is carried to it. Returns the number of open work items.
        Raises: AlreadyExists (a label used before), InvalidName, InvalidArgument, WrongState,
        LockTimeout.
        """
        with autocommitted(self.engine) as raw:
            found = self.may_begin(raw)
        if found is None:
            try:
                self._register(self.embedder.dimensions)
            except AlreadyExists:
                # Another process was faster: go on if it registered the same version.
                with autocommitted(self.engine) as raw:
                    found = self._find(raw)
                self._check(found)
                if found is None or not found.live:
                    raise
        else:
            add_fingerprint(self.engine, self.collection, found, self.embedder)
        return patiently(
            lambda wait: self._call("plan_backfill", wait, chunks_per_item=self.chunks_per_item),
            self.on_wait,
        )

    def may_begin(self, raw: PgConnection) -> Version | None:
        """The version as it stands, or None before ``begin``.

        Raises: EmbedderMismatch; WrongState if it was retired or abandoned.
        """
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
        return found

    def registration(self, dimensions: int) -> dict[str, Any]:
        """The arguments of ``pgvec.register_version`` that ``begin`` registers it with."""
        return {
            "dimensions": dimensions,
            "embedder": self.embedder.identity.to_json(),
            "m": self.m,
            "ef_construction": self.ef_construction,
        }

    def _register(self, dimensions: int) -> None:
        canaries = make_canaries(self.embedder, dimensions)
        arguments = self.registration(dimensions)
        parameters = {
            "collection": self.collection,
            "model_version": self.model_version,
            **arguments,
            "embedder": Jsonb(arguments["embedder"]),
        }

        def once(wait: timedelta) -> None:
            with unlimited(self.engine, wait) as raw:
                raw.execute(sqlfiles.query("register_version"), parameters)
                store_fingerprint(raw, self.collection, self.model_version, canaries)

        patiently(once, self.on_wait)

    def backfill(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> WorkerReport:
        """Embeds what is open now; several processes may share the work.

        What is written meanwhile is left for ``catch_up``.

        Raises: EmbedderError when the embedder is down; NotReady when chunks were set aside.
        """
        return self._catching_up.drain("backfill", self.missing(), on_progress, stop)

    def build_index(
        self, memory_mb: int | None = None, parallel_workers: int | None = None
    ) -> bool:
        """Builds the HNSW index, after the load. Returns False when a valid one was there.

        Effects: ``memory_mb`` (by default sized to the graph, 64 to 2,048) and ``parallel_workers``
        hold for the build only. Writers do not wait for it, those of the version itself included;
        but those do wait behind a pooler, and while somebody holds an old snapshot. A build that is
        stopped leaves no index. Raises: Busy when another process builds it, LockTimeout when
        somebody writes to the version for longer than 10 s, WrongState.
        """
        build = IndexBuild(self.engine, self.collection, self.model_version, self.on_wait)
        return build.run(memory_mb, parallel_workers)

    def catch_up(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> WorkerReport:
        """Works off what was written meanwhile, such as during the index build.

        It does so in rounds, each with less to do than the one before; if writers never pause, a
        little stays open.
        """
        return self._catching_up.in_rounds(on_progress, stop)

    def make_ready(self) -> None:
        """Checks the version by its rows and makes it ready; from then on it has a pinned view.

        Raises: NotReady with the numbers in ``detail``, EmbedderMismatch, WrongState.
        """
        with autocommitted(self.engine) as raw:
            self._check(self._find(raw))
        if self._call("make_ready") != State.READY:
            raise NotReady(
                f"version {self.model_version} of {self.collection} fails its checks "
                "and is building again.",
                hint="Call run() or pgvec upgrade again: it finds what is missing.",
                detail={"collection": self.collection, "model_version": self.model_version},
            )

    def cut_over(
        self,
        *,
        lock_timeout: timedelta = LOCK_WAIT,
        attempts: int = LOCK_TRIES,
        longest_pause: timedelta = _LONGEST_PAUSE,
        force: bool = False,
        reason: str | None = None,
    ) -> str | None:
        """Makes the version active, in one transaction. Returns the label that was active before.

        It first drains work that is still open. If writers never pause, it drains the last of it
        while they wait, for ``longest_pause`` at most: then the server ends the transaction. No
        reader waits longer than ``lock_timeout`` in one try. ``force`` overrides the collection's
        gate, for a ``reason`` that is recorded.
        Raises: GateRefused, NotReady, WrongState, Paused, LockTimeout; nothing was changed then.
        """
        gate: dict[str, Any] = {"force": force, "reason": reason}
        tries = 0
        while True:
            tries += 1
            try:
                return self._call("cut_over", lock_timeout=lock_timeout, attempts=attempts, **gate)
            except NotReady as exc:
                if set(exc.detail.get("problems", {})) != {"open_items"}:
                    raise
            self.catch_up()
            try:
                return self.while_writers_wait("cut_over", lock_timeout, longest_pause, **gate)
            except (LockTimeout, NotReady):
                if tries == _CUT_OVER_TRIES:
                    raise

    def while_writers_wait(
        self, verb: str, lock_timeout: timedelta, longest_pause: timedelta, **more: Any
    ) -> Any:
        """Drains the last work items and calls the verb while writers wait, in one transaction."""
        return self._catching_up.while_writers_wait(verb, lock_timeout, longest_pause, **more)

    def abandon(self) -> bool:
        """Gives up the version, which was never active; see ``abandon``."""
        return abandon(self.engine, self.collection, self.model_version, self.on_wait)

    def roll_back(self) -> str:
        """Makes this version, which drains, active again; see ``roll_back``. You can repeat it."""
        embedders = {self.model_version: self.embedder}
        return roll_back(self.engine, self.collection, self.model_version, embedders)

    # -------------------------------------------------------- several verbs in one call

    def prepare(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> State:
        """``begin`` to ``make_ready`` in one call; it goes on where the work stands."""
        stop = stop or threading.Event()
        self.begin()
        for step in (self.backfill, self._index_step, self.catch_up):
            wait_while_paused(self.engine, self.collection, self.model_version, stop)
            if stop.is_set():
                break
            step(on_progress, stop)
        for attempt in range(_READY_TRIES):
            if stop.is_set() or self.state not in (State.BUILDING, State.READY):
                break
            try:
                if attempt < _READY_TRIES_BESIDE_WRITERS:
                    self.make_ready()
                else:
                    self.while_writers_wait("make_ready", LOCK_WAIT, _LONGEST_PAUSE)
                break
            except NotReady as exc:
                # Work off what came between the last item and the check.
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

    def _index_step(self, on_progress: OnProgress | None, stop: threading.Event) -> None:
        began = time.monotonic()
        if on_progress is not None:
            on_progress(Progress("build index", 0, 1, 0.0))
        self.build_index()
        if on_progress is not None:
            on_progress(Progress("build index", 1, 1, time.monotonic() - began))

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


def abandon(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    on_wait: OnWait = log_wait,
) -> bool:
    """Gives up a version that was never active. Returns whether its leaf is gone already.

    If a session uses the leaf, or it still feeds another version, the next retirement drops it.
    Raises: WrongState, UnknownVersion, LockTimeout.
    """
    engine = engine_for(target)
    parameters = {"collection": collection, "model_version": model_version}

    def once(wait: timedelta) -> bool:
        with unlimited(engine, wait) as raw:
            raw.execute(sqlfiles.query("abandon"), parameters)
            return bool(read_value(raw, sqlfiles.query("leaf_is_gone"), parameters))

    return patiently(once, on_wait)


def roll_back(
    target: str | URL | Engine,
    collection: str,
    model_version: str | Mapping[str, Embedder] | None = None,
    embedders: Mapping[str, Embedder] | None = None,
    *,
    lock_timeout: timedelta = LOCK_WAIT,
    attempts: int = LOCK_TRIES,
    allow_missing: bool = False,
    longest_pause: timedelta = _LONGEST_PAUSE,
    on_wait: OnWait = log_wait,
    take_over: bool = False,
) -> str:
    """Makes the previous version active again; the current one drains. Returns its label.

    With ``model_version``, the version that you expect to go back to, you can repeat the call:
    if it is active already, nothing happens. Without it, a second call goes forward again. A
    mapping in its place is ``embedders``.
    No row is rewritten: the version followed every write. What is still open for it is drained
    first, the last of it while writers wait, for ``longest_pause`` at most; a version that had
    stopped following catches up first. Both need its embedder in ``embedders``. It takes over what
    dead workers have claimed of it; ``on_wait`` gets a line about the living ones that it waits
    for, and with ``take_over`` it takes over their claims too.
    Raises: UnknownVersion, WrongState (nothing to go back to), NotReady, EmbedderMissing, Paused,
    LockTimeout.
    """
    engine = engine_for(target)
    if isinstance(model_version, Mapping):
        model_version, embedders = None, model_version
    parameters: dict[str, Any] = {
        "collection": collection,
        "model_version": model_version,
        "lock_timeout": lock_timeout,
        "attempts": attempts,
        "allow_missing": allow_missing,
    }
    tries = 0
    while True:
        tries += 1
        try:
            with unlimited(engine) as raw, heard(raw, on_wait):
                return read_value(raw, sqlfiles.query("roll_back"), parameters)
        except NotReady as exc:
            if not set(exc.detail.get("problems", {})) <= {"open_items", "stopped_following"}:
                raise
            previous = _previous_version(
                engine, collection, embedders or {}, exc, on_wait=on_wait, take_over=take_over
            )
        previous.begin()
        previous.catch_up()
        if tries == 1:
            # Writers need not wait if nothing came meanwhile.
            continue
        try:
            return previous.while_writers_wait(
                "roll_back", lock_timeout, longest_pause, allow_missing=allow_missing
            )
        except (LockTimeout, NotReady):
            if tries == _ROLL_BACK_TRIES:
                raise


def _previous_version(
    engine: Engine,
    collection: str,
    embedders: Mapping[str, Embedder],
    refused: NotReady,
    **options: Any,
) -> Transition:
    """The transition that lets the previous version catch up. Raises: EmbedderMissing, Paused."""
    label = str(refused.detail.get("model_version", ""))
    embedder = embedders.get(label)
    if embedder is None:
        raise EmbedderMissing(
            f"{label} must catch up before {collection} can go back to it, "
            "and you gave no embedder for it.",
            hint=f"Give the embedder of {label}, or let a worker that has it drain; "
            "or roll back with allow_missing and catch up after.",
            detail=refused.detail,
        ) from refused
    if paused(engine, collection, [label]):
        raise Paused(
            f"{label} must catch up before {collection} can go back to it, and it is paused.",
            hint=f"Roll back with allow_missing, or: pgvec resume {label} -c {collection}",
            detail=refused.detail,
        ) from refused
    return Transition(engine, collection, label, embedder, **options)
