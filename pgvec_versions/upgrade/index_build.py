"""The build of a version's index: beside its writers, and if that cannot be, in one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg

from pgvec_versions.errors import Busy, PgvecError
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import (
    PgConnection,
    autocommitted,
    behind_pooler,
    with_settings,
)
from pgvec_versions.postgres.locks import NO_LIMITS, unlimited
from pgvec_versions.postgres.notices import OnWait, Wait, heard
from pgvec_versions.postgres.rows import read_rows, read_value
from pgvec_versions.upgrade.estimates import build_memory

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: How long a snapshot may be held that a concurrent build would have to wait for. Units: seconds.
_LONGEST_SNAPSHOT = 1.0
_LOOK_AGAIN = 0.05
#: How often the build is asked whom it waits for. Units: seconds.
_ASK = 1.0
_LEAST_WAIT = 10.0
#: How long a broken index may wait to be dropped: other builds or long readers may use the leaf.
_DROP_WAIT = {"lock_timeout": "10s"}


class IndexBuild:
    """Builds the HNSW index of one version; see ``Transition.build_index``."""

    def __init__(
        self, engine: Engine, collection: str, model_version: str, on_wait: OnWait
    ) -> None:
        self.engine = engine
        #: How long it waits at least for other transactions at its end. Units: seconds.
        self.least_wait = _LEAST_WAIT
        self._named = {"collection": collection, "model_version": model_version}
        self._on_wait = on_wait

    def run(self, memory_mb: int | None, parallel_workers: int | None) -> bool:
        """Returns False when a valid index was there."""
        if memory_mb is None:
            # It counts the chunks: no time limit may end that.
            with unlimited(self.engine) as raw:
                memory_mb = build_memory(raw, **self._named)
        with autocommitted(self.engine) as raw:
            statements = read_rows(raw, sqlfiles.query("index_statements"), self._named)
            if not statements:
                return False
            if not behind_pooler(raw) and not self._held_up(raw):
                settings = NO_LIMITS | self._settings(raw, memory_mb, parallel_workers)
                with heard(raw, self._on_wait), with_settings(raw, settings):
                    built = self._beside_writers(raw, [row.statement for row in statements])
                if built is not None:
                    return built
        return self._in_one_transaction(memory_mb, parallel_workers)

    def _settings(
        self, raw: PgConnection, memory_mb: int, parallel_workers: int | None
    ) -> dict[str, str]:
        settings = {"maintenance_work_mem": f"{memory_mb}MB"}
        if not read_value(raw, sqlfiles.query("parallel_is_safe")):
            parallel_workers = 0
        if parallel_workers is not None:
            settings["max_parallel_maintenance_workers"] = str(parallel_workers)
        return settings

    def _held_up(self, raw: PgConnection) -> bool:
        """Whether somebody holds a snapshot for so long that a concurrent build could not end."""

        def snapshots() -> set[Any]:
            return set(read_rows(raw, sqlfiles.query("old_snapshots")))

        earlier = snapshots()
        deadline = time.monotonic() + _LONGEST_SNAPSHOT
        while earlier and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
            earlier &= snapshots()
        if not earlier:
            return False
        pids = ", ".join(str(row.pid) for row in earlier)
        self._on_wait(
            Wait(
                f"build_index would wait for the snapshot of process {pids}, so it builds in one "
                f"transaction: whoever writes rows of {self._named['model_version']} waits."
            )
        )
        return True

    def _in_one_transaction(self, memory_mb: int, parallel_workers: int | None) -> bool:
        options = {"memory": f"{memory_mb}MB", "workers": parallel_workers}
        with unlimited(self.engine) as raw, heard(raw, self._on_wait):
            return bool(read_value(raw, sqlfiles.query("build_index"), {**self._named, **options}))

    def _beside_writers(self, raw: PgConnection, statements: list[str]) -> bool | None:
        """Returns None when it had to wait for too long at its end, and gave up."""
        given_up = threading.Event()
        try:
            for statement in statements:
                if statement.startswith("DROP"):
                    with with_settings(raw, _DROP_WAIT):
                        raw.execute(statement.encode())
                else:
                    with self._asking_whom_it_waits_for(raw, given_up):
                        raw.execute(statement.encode())
        except psycopg.errors.DuplicateTable as exc:
            if read_value(raw, sqlfiles.query("index_state"), self._named) == "valid":
                return False
            raise Busy(
                "another session is building the index of {model_version} in {collection}.".format(
                    **self._named
                ),
                hint="Wait for it, or end it, and call again.",
                detail=dict(self._named),
            ) from exc
        except BaseException as exc:
            self._clean_up(raw)
            if given_up.is_set() and isinstance(exc, psycopg.errors.QueryCanceled):
                return None
            raise
        return True

    def _clean_up(self, raw: PgConnection) -> None:
        """Drops what a build leaves that was stopped. If that fails, the next build does it."""
        with suppress(psycopg.Error, PgvecError), with_settings(raw, _DROP_WAIT):
            broken = read_value(raw, sqlfiles.query("drop_broken_index"), self._named)
            if broken is not None:
                raw.execute(cast("LiteralString", broken).encode())

    @contextmanager
    def _asking_whom_it_waits_for(
        self, raw: PgConnection, given_up: threading.Event
    ) -> Generator[None]:
        """Tells ``on_wait`` whom the build waits for, and ends a wait that takes too long.

        Any session can hold a snapshot for as long as it likes. So the build waits as long as it
        has worked, and at least ``least_wait``; then another build costs no more than waiting on.
        """
        ended = threading.Event()
        pid = raw.info.backend_pid
        began = time.monotonic()

        def ask() -> None:
            said = set[str]()
            since: float | None = None
            while not ended.wait(_ASK):
                with suppress(PgvecError), autocommitted(self.engine) as other:
                    who = read_value(other, sqlfiles.query("build_waits_for"), {"pid": pid})
                    if who is None:
                        since = None
                        continue
                    since = since or time.monotonic()
                    patience = max(since - began, self.least_wait)
                    if who not in said:
                        said.add(who)
                        self._on_wait(
                            Wait(
                                f"build_index waits for the transaction of {who}, "
                                f"{patience:.0f} s at most; then it builds in one transaction."
                            )
                        )
                    if time.monotonic() - since > patience:
                        given_up.set()
                        other.execute(sqlfiles.query("cancel_build"), {"pid": pid})
                        return

        asking = threading.Thread(target=ask, name="pgvec-build", daemon=True)
        asking.start()
        try:
            yield
        finally:
            ended.set()
            asking.join()
