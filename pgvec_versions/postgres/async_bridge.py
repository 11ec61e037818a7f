"""psycopg's async objects with the methods of its sync ones, inside SQLAlchemy's greenlet.

So the store has one implementation: it calls ``connection.execute(…)``, and with an async
connection the event loop runs other tasks until the answer comes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import psycopg
from sqlalchemy.util import await_only


class _Bridged:
    """A connection, cursor, transaction or COPY; it awaits the coroutines of the async object."""

    __slots__ = ("_it",)

    def __init__(self, it: Any) -> None:
        self._it = it

    def __getattr__(self, name: str) -> Any:
        found: Any = getattr(self._it, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            return _settled(found(*args, **options))

        return call

    def __enter__(self) -> Any:
        return _settled(self._it.__aenter__())

    def __exit__(self, *raised: Any) -> bool | None:
        return cast("bool | None", await_only(self._it.__aexit__(*raised)))

    def __iter__(self) -> Iterator[Any]:
        rows = self._it.__aiter__()
        while True:
            try:
                yield await_only(anext(rows))
            except StopAsyncIteration:
                return


def _settled(value: Any) -> Any:
    if inspect.isawaitable(value):
        value = await_only(value)
    return _Bridged(value) if isinstance(value, AbstractAsyncContextManager) else value


def bridged(connection: psycopg.AsyncConnection[Any]) -> psycopg.Connection[Any]:
    """The connection for code without ``await`` that ``greenlet_spawn`` runs."""
    return cast("psycopg.Connection[Any]", _Bridged(connection))
