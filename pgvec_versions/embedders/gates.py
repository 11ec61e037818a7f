"""How many calls an embedder gets at once: as many as it declares, from all threads and stores."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any

from pgvec_versions.embedders.options import at_least_one
from pgvec_versions.embedders.protocol import Embedder


def concurrency_of(embedder: Embedder) -> int:
    """How many calls the embedder takes at once: its ``concurrency``, or 1 if it has none.

    Raises: ConfigError.
    """
    declared = getattr(embedder, "concurrency", 1)
    at_least_one(f"concurrency of {type(embedder).__name__}", declared)
    return declared


class Gate:
    """Lets ``places`` calls in at once; the others wait in the order in which they came.

    ``threading.Semaphore`` cannot be awaited, and ``asyncio.Semaphore`` knows one event loop only.
    Here threads and the tasks of several loops wait in one queue.
    """

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._queue: deque[Future[None]] = deque()
        self._checks: dict[object, Future[None]] = {}

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        with self._lock:
            return sum(not ticket.cancelled() for ticket in self._queue)

    @contextmanager
    def place(self) -> Generator[None]:
        """A place for the length of the block. Blocks the thread until there is one."""
        ticket = self._ticket()
        try:
            ticket.result()
        except BaseException:
            self._hand_back(ticket)
            raise
        try:
            yield
        finally:
            self.leave()

    async def enter(self) -> None:
        """Takes a place without blocking the event loop; ``leave`` gives it back."""
        ticket = self._ticket()
        try:
            await asyncio.wrap_future(ticket)
        except BaseException:
            self._hand_back(ticket)
            raise

    def leave(self) -> None:
        """Gives a place to the next in the queue. Any thread may call it."""
        with self._lock:
            while self._queue:
                ticket = self._queue.popleft()
                # A call that was cancelled while it waited wants no place.
                if ticket.set_running_or_notify_cancel():
                    break
            else:
                self._free += 1
                return
        # Outside the lock: this wakes the waiting thread or loop.
        ticket.set_result(None)

    def once(self, key: object, check: Callable[[], None]) -> None:
        """Runs the check, unless a thread runs it for the same key: then waits for that result.

        Raises: what the check raised, in each thread that waited.
        """
        while True:
            with self._lock:
                running = self._checks.get(key)
                if running is None:
                    mine = self._checks[key] = Future[None]()
                    break
            try:
                return running.result()
            except CancelledError:
                continue  # Ctrl-C met the other thread, and not the check
        try:
            check()
        except Exception as exc:
            self._end(key)
            mine.set_exception(exc)
            raise
        except BaseException:
            self._end(key)
            mine.cancel()
            raise
        self._end(key)
        mine.set_result(None)

    def _end(self, key: object) -> None:
        with self._lock:
            del self._checks[key]

    def _ticket(self) -> Future[None]:
        ticket: Future[None] = Future()
        with self._lock:
            if not self._free:
                self._queue.append(ticket)
                return ticket
            self._free -= 1
        ticket.set_result(None)
        return ticket

    def _hand_back(self, ticket: Future[None]) -> None:
        """For a call that was interrupted while it waited: it may have got its place meanwhile."""
        if not ticket.cancel() and not ticket.cancelled():
            ticket.result()
            self.leave()


class _Gates:
    """The gate of each embedder object: one for the process, whatever uses the embedder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_object: dict[int, tuple[weakref.ref[Any], Gate]] = {}

    def of(self, embedder: Embedder) -> Gate:
        """The embedder's gate. An object that cannot be remembered gets a new one each time."""
        key = id(embedder)
        places = concurrency_of(embedder)
        with self._lock:
            if key not in self._by_object:
                gate = Gate(places)
                forget = self._by_object.pop
                try:
                    reference = weakref.ref(embedder, lambda _: forget(key, None))
                except TypeError:
                    return gate
                self._by_object[key] = (reference, gate)
            return self._by_object[key][1]


gate_of = _Gates().of
