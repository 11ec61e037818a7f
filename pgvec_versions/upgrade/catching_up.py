"""Works off what is open for one version: beside writers, and the last of it while they wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pgvec_versions.errors import NotReady
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.locks import writers_wait
from pgvec_versions.postgres.notices import OnWait, log_wait
from pgvec_versions.postgres.rows import read_value
from pgvec_versions.upgrade.pausing import paused, wait_while_paused
from pgvec_versions.upgrade.waiting import ClaimWatch
from pgvec_versions.upgrade.work_queue import OpenWork, open_work
from pgvec_versions.upgrade.worker import Worker, WorkerReport

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is. Units: chunks; ``seconds`` since the step began."""

    step: str
    done: int
    total: int
    seconds: float
    report: WorkerReport | None = None


OnProgress = Callable[[Progress], None]


class CatchingUp:
    """Embeds what is open for one version. ``new_worker`` gives a worker for that version alone.

    While it waits for other workers' claims, it takes over those of dead workers, and ``on_wait``
    hears of the others; with ``take_over`` it takes over those too.
    """

    def __init__(
        self,
        engine: Engine,
        collection: str,
        model_version: str,
        new_worker: Callable[[], Worker],
        on_wait: OnWait = log_wait,
        take_over: bool = False,
    ) -> None:
        self.engine = engine
        self.collection = collection
        self.model_version = model_version
        self._new_worker = new_worker
        self.claims = ClaimWatch(engine, collection, model_version, on_wait, take_over)

    def drain(
        self, step: str, total: int, on_progress: OnProgress | None, stop: threading.Event | None
    ) -> WorkerReport:
        """Embeds what is open now, once the version is not paused. Raises: NotReady, EmbedderError.

        Units: ``total`` is the number of chunks to expect.
        """
        began = time.monotonic()

        def show(report: WorkerReport) -> None:
            if on_progress is not None:
                done, seconds = report.written, time.monotonic() - began
                on_progress(Progress(step, done, max(total, done), seconds, report))

        stop = stop or threading.Event()
        worker = self._new_worker()
        report = WorkerReport()
        while True:
            wait_while_paused(self.engine, self.collection, self.model_version, stop)
            worker.drain(
                stop=stop,
                progress=show,
                later_too=False,
                report=report,
                on_wait=self.claims.look,
            )
            if stop.is_set() or not paused(self.engine, self.collection, [self.model_version]):
                break
        if not stop.is_set():
            self._refuse_set_aside(report)
        return report

    def _refuse_set_aside(self, report: WorkerReport) -> None:
        set_aside = self._open_work().set_aside
        if set_aside:
            reason = f" The last error: {report.last_error.message}" if report.last_error else ""
            raise NotReady(
                f"{set_aside} work items of {self.model_version} in {self.collection} "
                f"were set aside.{reason}",
                hint="See pgvec status; fix the cause, then: pgvec worker --drain --retry-failed.",
                detail={
                    "collection": self.collection,
                    "model_version": self.model_version,
                    "set_aside": set_aside,
                },
            )

    def _open_work(self) -> OpenWork:
        return open_work(self.engine, self.collection, [self.model_version])

    def in_rounds(
        self, on_progress: OnProgress | None = None, stop: threading.Event | None = None
    ) -> WorkerReport:
        """Drains in rounds until nothing is open, or until a round leaves as much as it found."""
        left = self._open_work().open
        while True:
            report = self.drain("catch up", left, on_progress, stop)
            before, left = left, self._open_work().open
            if left == 0 or left >= before or (stop is not None and stop.is_set()):
                return report

    def while_writers_wait(
        self, verb: str, lock_timeout: timedelta, longest_pause: timedelta, **more: Any
    ) -> Any:
        """Drains the last work items and calls the verb while writers wait, in one transaction."""
        worker = self._new_worker()
        parameters = {
            "collection": self.collection,
            "model_version": self.model_version,
            "lock_timeout": lock_timeout,
            "attempts": 1,
            **more,
        }
        with writers_wait(self.engine, self.collection, lock_timeout, longest_pause) as (raw, over):
            worker.drain(stop=over, on_wait=self.claims.look)
            return read_value(raw, sqlfiles.query(verb), parameters)
