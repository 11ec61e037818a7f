"""Worker: claim → embed → write, overlapped. What a crash leaves behind, the next worker takes up.

While one claim is embedded, the next is read and the last one written, each on a connection of its
own. No transaction is open while the model runs. A claim is a lease: it is prolonged while the work
goes on, and a worker that comes back after its lease has run out changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.catalog import read_collection
from pgvec_versions.embedders import Embedder
from pgvec_versions.embedders.by_version import BoundEmbedders
from pgvec_versions.errors import (
    Busy,
    EmbedderError,
    EmbedderFailed,
    EmbedderUnavailable,
    LeaseLost,
    LockTimeout,
    PgvecError,
    StaleSnapshot,
    VersionNotWritable,
)
from pgvec_versions.postgres import vectors
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.upgrade.claims import Claim, Mark
from pgvec_versions.upgrade.throttle import Brake, Throttle
from pgvec_versions.upgrade.work_queue import WorkQueue

__all__ = ["Worker", "WorkerReport"]

log = logging.getLogger("pgvec_versions.worker")

#: Texts in one call of the embedder, to begin with; grows while calls are quick.
_FIRST_CALL = 32
#: Chunks that one claim aims at, at most.
_CLAIM_CHUNKS = 4096
#: A claim grows while it takes less than this. Units: seconds.
_QUICK_CLAIM = 1.0
_WRITE_TRIES = 10
#: How long a drain waits for items that it cannot claim, at first. Units: seconds.
_SHORTEST_PAUSE = 0.02


@dataclass(slots=True)
class WorkerReport:
    """What was done. Units: chunks for embedded, written and deleted, work items for the rest."""

    embedded: int = 0
    written: int = 0
    deleted: int = 0
    completed: int = 0
    fenced: int = 0
    failed: int = 0
    set_aside: int = 0
    last_error: PgvecError | None = field(default=None, repr=False)


class Worker:
    """Drains the work items of a collection, for the versions it has embedders of.

    ``lease`` is how long a claim lasts without a sign of life; ``max_attempts`` how often an item
    may fail before it is split or set aside; ``retry_in`` how long it rests after a failure;
    ``throttle`` how fast it may go. A version that is paused is left alone.
    Raises: EmbedderMismatch, UnknownCollection, CatalogNotInstalled.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        collection: str,
        embedders: Embedder | Mapping[str, Embedder],
        *,
        lease: timedelta = timedelta(minutes=2),
        max_attempts: int = 3,
        retry_in: timedelta = timedelta(seconds=5),
        patience: int = 8,
        throttle: Throttle | None = None,
    ) -> None:
        self.engine = engine_for(target)
        self.collection = collection
        self.lease = lease
        self.max_attempts = max_attempts
        self.retry_in = retry_in
        self.patience = patience
        with autocommitted(self.engine) as connection:
            require_catalog(connection)
            known = read_collection(connection, collection)
            self._embedders = BoundEmbedders(known, embedders, self.engine, connection)
        self._storage = known.storage
        self._queue = WorkQueue(self.engine, known, lease)
        self.brake = Brake(self.engine, throttle)
        self._claim_items = 1
        self._call_size = _FIRST_CALL
        self._left_out: set[str] = set()

    @property
    def versions(self) -> list[str]:
        """The versions this worker fills."""
        return self._embedders.labels

    def refresh(self) -> None:
        """Looks for versions that were registered since. Raises: EmbedderMismatch."""
        with autocommitted(self.engine) as connection:
            self._embedders.verify(read_collection(connection, self.collection), connection)

    # --------------------------------------------------------------- loops

    def run_once(self) -> WorkerReport:
        """Claims once, embeds, writes. A report of zeros means that nothing could be claimed."""
        report = WorkerReport()
        claim = self._claim()
        if claim is not None and self._embed(claim, report, threading.Event()):
            self._write(claim, report)
        return report

    def drain(
        self,
        *,
        stop: threading.Event | None = None,
        progress: Callable[[WorkerReport], None] | None = None,
        deadline: float | None = None,
        later_too: bool = True,
        report: WorkerReport | None = None,
    ) -> WorkerReport:
        """Works until nothing is open for its versions, waiting for items that other workers hold.

        Without ``later_too`` only what is open now is worked off: writers who never pause would
        keep it going for ever.
        ``stop`` ends it early; what was claimed is given back. ``deadline`` is in
        ``time.monotonic()`` seconds. With ``report`` what is done is added to that one. The items
        of a version that is paused are waited for.
        Raises: the embedder's error once ``patience`` claims in a row have failed: it is down, not
        one text bad.
        """
        stop = stop or threading.Event()
        report = WorkerReport() if report is None else report
        mark = None if later_too else Mark(self._queue.newest(self.versions))
        failures = 0
        pause = _SHORTEST_PAUSE
        while not stop.is_set() and (deadline is None or time.monotonic() < deadline):
            before = report.completed
            failures = self._pipeline(stop, report, progress, deadline, mark, failures)
            if not isinstance(report.last_error, EmbedderUnavailable):
                failures = 0
            waiting, next_in = self._queue.waiting(self.versions, mark)
            if waiting == 0 or stop.is_set():
                break
            pause = _SHORTEST_PAUSE if report.completed > before else min(pause * 2, 1.0)
            stop.wait(min(next_in, pause) or pause)
        return report

    def run(
        self,
        stop: threading.Event,
        *,
        poll: timedelta = timedelta(seconds=1),
        progress: Callable[[WorkerReport], None] | None = None,
    ) -> WorkerReport:
        """Works until ``stop``, looking every ``poll`` for new items and newly registered versions.

        A database or an embedder that is away is waited for, with growing pauses. Every embedder's
        canaries are looked at before the first claim, and again when that is due; a version whose
        embedder makes other vectors is left alone, and looked at again with growing pauses.
        """
        report = WorkerReport()
        failures = refusals = 0
        look_at = time.monotonic()
        while not stop.is_set():
            try:
                self.refresh()
                if time.monotonic() >= look_at:
                    refusals = refusals + 1 if self._look(report, progress) else 0
                    look_at = time.monotonic() + (min(2.0**refusals, 60.0) if refusals else 0.0)
                self._pipeline(stop, report, progress, None, None, 0)
                failures = 0
            except PgvecError as exc:
                failures += 1
                report.last_error = exc
                log.warning("%s", exc)
                if progress is not None:
                    progress(report)
            stop.wait(min(poll.total_seconds() * 2 ** min(failures, 6), 60.0))
        return report

    def _look(self, report: WorkerReport, progress: Callable[[WorkerReport], None] | None) -> bool:
        """Leaves the versions alone whose embedder is refused now. Whether there is one."""
        refused = self._embedders.check()
        self._left_out = set(refused)
        for exc in refused.values():
            report.last_error = exc
            log.warning("%s", exc)
        if refused and progress is not None:
            progress(report)
        return bool(refused)

    def _pipeline(
        self,
        stop: threading.Event,
        report: WorkerReport,
        progress: Callable[[WorkerReport], None] | None,
        deadline: float | None,
        mark: Mark | None,
        failures: int,
    ) -> int:
        """Reads ahead, embeds, writes behind, until nothing can be claimed.

        Takes and returns how many claims in a row have failed.
        """
        reading: Future[Claim | None] | None = None
        writing: Future[None] | None = None
        with (
            ThreadPoolExecutor(1, thread_name_prefix="pgvec-read") as reader,
            ThreadPoolExecutor(1, thread_name_prefix="pgvec-write") as writer,
        ):
            try:
                reading = reader.submit(self._claim)
                while True:
                    claim = reading.result()
                    reading = None
                    if claim is None:
                        break
                    over = stop.is_set() or (deadline is not None and time.monotonic() >= deadline)
                    if over or (mark is not None and mark.passed(claim)):
                        self._queue.release(claim)
                        break
                    reading = reader.submit(self._claim)
                    if self._embed(claim, report, stop, reading):
                        if writing is not None:
                            writing.result()
                        writing = writer.submit(self._write, claim, report)
                        failures = 0
                    elif claim.error is not None:
                        failures += 1
                        if failures >= self.patience:
                            raise claim.error
                    if progress is not None:
                        progress(report)
            finally:
                ahead = reading.result() if reading is not None else None
                if ahead is not None:
                    self._queue.release(ahead)
                if writing is not None:
                    writing.result()
                if progress is not None:
                    progress(report)
        return failures

    def retry_failed(self, version: str | None = None) -> int:
        """Opens the items again that were set aside. Returns how many."""
        return self._queue.retry_set_aside(version)

    # --------------------------------------------------------------- steps

    def _claim(self) -> Claim | None:
        labels = [label for label in self.versions if label not in self._left_out]
        return self._queue.claim(labels, self._claim_items)

    def _embed(
        self,
        claim: Claim,
        report: WorkerReport,
        stop: threading.Event,
        ahead: Future[Claim | None] | None = None,
    ) -> bool:
        """Makes the claim's vectors. False when it failed or was given back.

        Effects: prolongs the lease, also that of the claim that was read ``ahead`` and waits.
        """
        if claim.attempts > self.max_attempts and len(claim.items) > 1:
            # One of them is suspect, and must be met alone.
            self._claim_items = 1
            self._queue.release(claim)
            return False
        if claim.attempts > self.max_attempts:
            # Claimed again and again and never heard of: it takes its workers down with it.
            tried = claim.attempts - 1
            claim.error = EmbedderFailed(f"claimed {tried} times and never completed.")
            self._fail(claim, report)
            return False
        try:
            sound = self._sound_items(claim, claim.items, report, stop, ahead)
        except EmbedderUnavailable as exc:
            claim.error = exc
            sound = []
        except LeaseLost as exc:
            report.fenced += len(claim.items)
            log.warning("%s", exc)
            return False
        except BaseException:
            # Ctrl-C in the model, or the database is away: others need not wait for the lease.
            with suppress(Exception):
                self._queue.release(claim)
            raise
        if stop.is_set() and len(sound) < len(claim.items):
            claim.error = None
            self._queue.release(claim)
            return False
        if not sound:
            self._fail(claim, report)
            return False
        claim.keep(sound)
        return True

    def _sound_items(
        self,
        claim: Claim,
        items: list[int],
        report: WorkerReport,
        stop: threading.Event,
        ahead: Future[Claim | None] | None,
    ) -> list[int]:
        """Those of the items whose texts could all be embedded; ``claim.error`` says why not all.

        Until their last try, items fail together and are tried again. Then each stands for itself,
        or a bad text would have those set aside that happened to be claimed with it.
        """
        wanted = {row[2] for row in claim.rows if not set(items).isdisjoint(row[0])}
        try:
            self._make(claim, wanted - claim.vectors.keys(), report, stop, ahead)
            return [] if stop.is_set() and not wanted <= claim.vectors.keys() else items
        except EmbedderUnavailable:
            raise
        except EmbedderError as exc:
            claim.error = exc
        if len(items) == 1 or claim.attempts < self.max_attempts:
            return []
        half = len(items) // 2
        return [
            item
            for part in (items[:half], items[half:])
            for item in self._sound_items(claim, part, report, stop, ahead)
        ]

    def _make(
        self,
        claim: Claim,
        wanted: set[str],
        report: WorkerReport,
        stop: threading.Event,
        ahead: Future[Claim | None] | None,
    ) -> None:
        texts = sorted(wanted, key=len, reverse=True)
        rows = Counter(row[2] for row in claim.rows)
        done = 0
        while done < len(texts) and not stop.is_set():
            began = time.monotonic()
            if began > claim.prolong_at:
                self._queue.renew(claim)
                self._renew_ahead(ahead)
                claim.prolong_at = began + self.lease.total_seconds() / 3
            if self.brake.hold(stop, self.lease.total_seconds() / 6):
                continue
            began = time.monotonic()
            part = texts[done : done + self.brake.pace.most(self._call_size)]
            self.brake.pace.spend(sum(rows[text] for text in part), began)
            made = self._embedders.documents(claim.target, part)
            self._call_size = self._next_size(time.monotonic() - began, len(part))
            claim.vectors.update(zip(part, vectors.pack(made, self._storage), strict=True))
            report.embedded += len(part)
            done += len(part)

    def _next_size(self, seconds: float, texts: int) -> int:
        # A call should stay well inside the lease, and be as large as that allows: sorting by
        # length pays within one call only.
        most = self.lease.total_seconds() / 6
        if seconds > most:
            return max(int(texts * most / seconds), 1)
        if seconds < self.lease.total_seconds() / 30 and texts == self._call_size:
            return min(self._call_size * 2, _CLAIM_CHUNKS)
        return self._call_size

    def _write(self, claim: Claim, report: WorkerReport) -> None:
        for attempt in range(_WRITE_TRIES):
            try:
                completed, fenced, written, deleted = self._queue.complete(claim)
            except (LockTimeout, StaleSnapshot) as exc:
                log.info("%s of %s waits: %s", claim.target, self.collection, exc)
                time.sleep(min(0.05 * 2**attempt, 1.0))
                continue
            except Busy:
                break
            except VersionNotWritable as gone:
                # Abandoned or retired while we worked: its items are gone with it.
                log.info("%s", gone)
                return
            report.completed += completed
            report.fenced += fenced
            report.written += written
            report.deleted += deleted
            if claim.error is not None:
                self._fail(claim, report)
            took = time.monotonic() - claim.began
            if took < _QUICK_CLAIM and len(claim.rows) * 2 <= _CLAIM_CHUNKS:
                self._claim_items = min(self._claim_items * 2, 1024)
            elif took > 4 * _QUICK_CLAIM or len(claim.rows) > _CLAIM_CHUNKS:
                self._claim_items = max(self._claim_items // 2, 1)
            return
        self._queue.release(claim)

    def _renew_ahead(self, ahead: Future[Claim | None] | None) -> None:
        if ahead is None or not ahead.done() or ahead.exception() is not None:
            return
        claim = ahead.result()
        if claim is not None:
            # If it is lost, that shows when its turn comes.
            with suppress(LeaseLost):
                self._queue.renew(claim)

    def _fail(self, claim: Claim, report: WorkerReport) -> None:
        failed, set_aside = self._queue.fail(claim, self.max_attempts, self.retry_in)
        report.failed += failed
        report.set_aside += set_aside
        report.last_error = claim.error
        self._claim_items = 1
