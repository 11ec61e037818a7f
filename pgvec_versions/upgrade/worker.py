"""Worker: claim → embed → write, overlapped. After a crash the next worker goes on.

While a worker embeds one claim, it reads the next and writes the previous one, each on its own
connection. No transaction is open while the model runs. A claim is a lease: the worker renews it
while it works, and a worker that comes back after its lease has run out changes nothing.
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
from typing import TYPE_CHECKING

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
    ServerError,
    StaleSnapshot,
    VersionNotWritable,
)
from pgvec_versions.postgres import vectors
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.upgrade.claims import Claim, Mark
from pgvec_versions.upgrade.patience import LONGEST_PAUSE, POLL, pause_after
from pgvec_versions.upgrade.sizes import Sizes
from pgvec_versions.upgrade.throttle import Brake, Throttle
from pgvec_versions.upgrade.work_queue import WorkQueue

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

log = logging.getLogger("pgvec_versions.worker")

#: How often a write that meets a lock or a conflict is repeated.
_WRITE_TRIES = 10
#: The pause before such a write is repeated: doubled each time, up to the longest. Units: seconds.
_WRITE_PAUSE = 0.05
_LONGEST_WRITE_PAUSE = 1.0
#: How long a drain waits for items that it cannot claim: doubled each time, up to the longest.
#: Units: seconds.
_DRAIN_PAUSE = 0.02
_LONGEST_DRAIN_PAUSE = 1.0


@dataclass(slots=True)
class WorkerReport:
    """What a worker did. Units: chunks for embedded, written and deleted, work items for the rest.

    Fenced items were no longer the worker's: nothing was written for them.
    """

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

    ``lease`` is how long a claim lasts without a renewal; ``max_attempts`` how often an item may
    fail before it is split or set aside; ``retry_in`` how long it waits after a failure;
    ``patience`` how many claims in a row may fail before a drain gives up; ``throttle`` how fast
    the worker may go. A worker claims nothing for a paused version.
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
        self._sizes = Sizes(lease)
        self._left_out: set[str] = set()

    @property
    def versions(self) -> list[str]:
        """The versions this worker fills."""
        return self._embedders.labels

    def refresh(self) -> None:
        """Finds versions that were registered since. Raises: EmbedderMismatch."""
        with autocommitted(self.engine) as connection:
            self._embedders.verify(read_collection(connection, self.collection), connection)

    # --------------------------------------------------------------- loops

    def run_once(self) -> WorkerReport:
        """Claims once, embeds, writes. A report of zeros: there was nothing to claim."""
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
        on_wait: Callable[[], None] | None = None,
    ) -> WorkerReport:
        """Works until nothing is open for its versions; waits for items that other workers hold.

        Without ``later_too`` it does only what is open now: writers who never pause would keep it
        busy for ever.
        ``stop`` ends it early, and it gives back what it has claimed. ``deadline`` is in
        ``time.monotonic()`` seconds. With ``report`` it adds its numbers to that one. It waits for
        the items of a paused version. It calls ``on_wait`` each time it finds that it must wait.
        Raises: the embedder's error once ``patience`` claims in a row have failed: then the
        embedder is down, and not one text bad.
        """
        stop = stop or threading.Event()
        report = WorkerReport() if report is None else report
        mark = None if later_too else Mark(self._queue.newest(self.versions))
        with self._queue.presence:
            self._drain(stop, progress, deadline, mark, report, on_wait)
        return report

    def _drain(
        self,
        stop: threading.Event,
        progress: Callable[[WorkerReport], None] | None,
        deadline: float | None,
        mark: Mark | None,
        report: WorkerReport,
        on_wait: Callable[[], None] | None,
    ) -> None:
        failures = 0
        pause = _DRAIN_PAUSE
        while not stop.is_set() and (deadline is None or time.monotonic() < deadline):
            before = report.completed
            failures = self._pipeline(stop, report, progress, deadline, mark, failures)
            if not isinstance(report.last_error, EmbedderUnavailable):
                failures = 0
            waiting, next_in = self._queue.waiting(self.versions, mark)
            if waiting == 0 or stop.is_set():
                break
            if on_wait is not None:
                on_wait()
            advanced = report.completed > before
            pause = _DRAIN_PAUSE if advanced else min(pause * 2, _LONGEST_DRAIN_PAUSE)
            stop.wait(min(next_in, pause) or pause)

    def run(
        self,
        stop: threading.Event,
        *,
        poll: timedelta = POLL,
        progress: Callable[[WorkerReport], None] | None = None,
    ) -> WorkerReport:
        """Works until ``stop``; every ``poll`` it finds new items and newly registered versions.

        While the database or an embedder cannot be reached, it waits and tries again, with growing
        pauses; so it does while the server is full, out of memory or connections, or read-only. It
        logs such a trouble once, gives its claims back, and goes on when the trouble is over. It
        checks every embedder's canaries before the first claim, and again when that is due. It
        claims nothing for a version whose embedder makes other vectors, and checks that embedder
        again with growing pauses.
        """
        report = WorkerReport()
        with self._queue.presence:
            self._run(stop, poll, progress, report)
        return report

    def _run(
        self,
        stop: threading.Event,
        poll: timedelta,
        progress: Callable[[WorkerReport], None] | None,
        report: WorkerReport,
    ) -> None:
        failures = refusals = 0
        check_at = time.monotonic()
        trouble: type[ServerError] | None = None
        while not stop.is_set():
            try:
                self._queue.settle()
                self.refresh()
                if time.monotonic() >= check_at:
                    refusals = refusals + 1 if self._check_embedders(report, progress) else 0
                    pause = min(2.0**refusals, LONGEST_PAUSE) if refusals else 0.0
                    check_at = time.monotonic() + pause
                self._pipeline(stop, report, progress, None, None, 0)
                failures = 0
                if trouble is not None and not stop.is_set():
                    log.warning("the database works again; the worker goes on.")
                    trouble = None
            except PgvecError as exc:
                failures += 1
                report.last_error = exc
                if not isinstance(exc, ServerError):
                    log.warning("%s", exc)
                elif type(exc) is not trouble:
                    log.warning("%s The worker waits and tries again.", exc)
                    trouble = type(exc)
                if progress is not None:
                    progress(report)
            stop.wait(pause_after(failures, poll))
        with suppress(PgvecError):
            self._queue.settle()

    def _check_embedders(
        self, report: WorkerReport, progress: Callable[[WorkerReport], None] | None
    ) -> bool:
        """Stops claiming for versions whose embedder is refused. Returns whether there are any."""
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
        """Reads ahead, embeds, writes behind, until there is nothing to claim.

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
                        self._queue.give_back(claim)
                        break
                    reading = reader.submit(self._claim)
                    if self._embed(claim, report, stop, reading):
                        writing = self._write_behind(writer, writing, claim, report)
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
                    self._queue.give_back(ahead)
                if writing is not None:
                    writing.result()
                if progress is not None:
                    progress(report)
        return failures

    def _write_behind(
        self,
        writer: ThreadPoolExecutor,
        writing: Future[None] | None,
        claim: Claim,
        report: WorkerReport,
    ) -> Future[None]:
        """Begins to write the claim once the previous write has ended. Raises what that raised."""
        try:
            if writing is not None:
                writing.result()
        except BaseException:
            self._queue.give_back(claim)
            raise
        return writer.submit(self._write, claim, report)

    def retry_failed(self, version: str | None = None) -> int:
        """Opens the items again that were set aside. Returns how many."""
        return self._queue.retry_set_aside(version)

    # --------------------------------------------------------------- steps

    def _claim(self) -> Claim | None:
        labels = [label for label in self.versions if label not in self._left_out]
        return self._queue.claim(labels, self._sizes.claim)

    def _embed(
        self,
        claim: Claim,
        report: WorkerReport,
        stop: threading.Event,
        ahead: Future[Claim | None] | None = None,
    ) -> bool:
        """Makes the claim's vectors. Returns False when it failed or was given back.

        Effects: renews the lease, and that of the claim that was read ``ahead`` and waits.
        """
        if claim.attempts > self.max_attempts and len(claim.items) > 1:
            # One of them is suspect: claim them one by one.
            self._sizes.claim_one()
            self._queue.give_back(claim)
            return False
        if claim.attempts > self.max_attempts:
            # Claimed again and again, and no worker came back: it takes its workers down with it.
            tried = claim.attempts - 1
            claim.error = EmbedderFailed(f"claimed {tried} times and never completed.")
            self._fail(claim, report)
            return False
        try:
            embedded = self._embedded_items(claim, claim.items, report, stop, ahead)
        except EmbedderUnavailable as exc:
            claim.error = exc
            embedded = []
        except LeaseLost as exc:
            report.fenced += len(claim.items)
            log.warning("%s", exc)
            return False
        except BaseException:
            # Ctrl-C in the model, or no database: others need not wait until the lease runs out.
            self._queue.give_back(claim)
            raise
        if stop.is_set() and len(embedded) < len(claim.items):
            claim.error = None
            self._queue.give_back(claim)
            return False
        if not embedded:
            self._fail(claim, report)
            return False
        claim.keep(embedded)
        return True

    def _embedded_items(
        self,
        claim: Claim,
        items: list[int],
        report: WorkerReport,
        stop: threading.Event,
        ahead: Future[Claim | None] | None,
    ) -> list[int]:
        """The items whose texts could all be embedded; ``claim.error`` says why not the others.

        Until their last try, items fail together and are tried again. On the last try they are
        halved until a bad text is alone: otherwise the items claimed with it would be set aside.
        """
        here = set(items)
        wanted = {c.content for c in claim.chunks if not here.isdisjoint(c.item_ids)}
        try:
            self._embed_texts(claim, wanted - claim.vectors.keys(), report, stop, ahead)
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
            for item in self._embedded_items(claim, part, report, stop, ahead)
        ]

    def _embed_texts(
        self,
        claim: Claim,
        wanted: set[str],
        report: WorkerReport,
        stop: threading.Event,
        ahead: Future[Claim | None] | None,
    ) -> None:
        # The longest first: texts of about one length make a call quick.
        texts = sorted(wanted, key=len, reverse=True)
        copies = Counter(chunk.content for chunk in claim.chunks)
        done = 0
        while done < len(texts) and not stop.is_set():
            began = time.monotonic()
            if began > claim.renew_at:
                self._queue.renew(claim)
                self._renew_ahead(ahead)
                claim.renew_at = self._queue.renewal(began)
            if self.brake.hold(stop, self._sizes.longest_call):
                continue
            began = time.monotonic()
            part = texts[done : done + self.brake.pace.most(self._sizes.call)]
            self.brake.pace.spend(sum(copies[text] for text in part), began)
            made = self._embedders.documents(claim.target, part)
            self._sizes.call_took(time.monotonic() - began, len(part))
            claim.vectors.update(zip(part, vectors.pack(made, self._storage), strict=True))
            report.embedded += len(part)
            done += len(part)

    def _write(self, claim: Claim, report: WorkerReport) -> None:
        for attempt in range(_WRITE_TRIES):
            try:
                done = self._queue.complete(claim)
            except (LockTimeout, StaleSnapshot) as exc:
                log.info("%s of %s waits: %s", claim.target, self.collection, exc)
                time.sleep(min(_WRITE_PAUSE * 2**attempt, _LONGEST_WRITE_PAUSE))
                continue
            except Busy:
                break
            except VersionNotWritable as gone:
                # Abandoned or retired meanwhile: its items are gone with it.
                log.info("%s", gone)
                return
            except BaseException:
                # The server is full, read-only or gone: others need not wait for the lease.
                self._queue.give_back(claim)
                raise
            report.completed += done.completed
            report.fenced += done.fenced
            report.written += done.written
            report.deleted += done.deleted
            if claim.error is not None:
                self._fail(claim, report)
            self._sizes.claim_took(time.monotonic() - claim.began, len(claim.chunks))
            return
        self._queue.give_back(claim)

    def _renew_ahead(self, ahead: Future[Claim | None] | None) -> None:
        if ahead is None or not ahead.done() or ahead.exception() is not None:
            return
        claim = ahead.result()
        if claim is not None:
            # A lost lease shows when it is this claim's turn.
            with suppress(LeaseLost):
                self._queue.renew(claim)

    def _fail(self, claim: Claim, report: WorkerReport) -> None:
        try:
            failed = self._queue.fail(claim, self.max_attempts, self.retry_in)
        except BaseException:
            self._queue.give_back(claim)
            raise
        report.failed += failed.failed
        report.set_aside += failed.set_aside
        report.last_error = claim.error
        self._sizes.claim_one()
