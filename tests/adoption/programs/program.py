"""What the programs share: a small embedder, and a loop that takes orders on stdin.

A program runs in an environment that has its library and nothing of this project. Each order is one
line of JSON, ``[verb, argument…]``, and so is each answer: ``{"answer": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

DIMENSIONS = 8


def embed(text: str) -> list[float]:
    """The vector that ``tests.tools.TinyEmbedder("old", 8)`` makes of a text."""
    digest = hashlib.sha256(f"old\0{text}".encode()).digest()
    row = np.random.default_rng(list(digest)).standard_normal(DIMENSIONS).astype(np.float32)
    return [float(x) for x in (row / np.linalg.norm(row)).astype(np.float32)]


class Store(Protocol):
    """A store of documents, used by a library's public functions."""

    def write(self, documents: dict[str, str]) -> None:
        """Writes texts by key. A key that is there gets the new text."""
        ...

    def search(self, text: str, count: int) -> list[str]:
        """The keys of the nearest documents, the nearest first."""
        ...

    def read(self, key: str) -> list[str]:
        """The text of a document, or nothing."""
        ...

    def delete(self, keys: list[str]) -> None:
        """Deletes documents."""
        ...


def serve(open_store: Callable[[str], Store]) -> None:
    """Opens the store at the URL of the command line, as the application does when it starts.

    Answers ``null`` to that, and then takes orders until stdin ends.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # a library may print what it likes

    def answer(work: Callable[[], Any]) -> Any:
        done = None
        try:
            done = work()
            said = {"answer": None if hasattr(done, "write") else done}
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)
        return done

    store = answer(lambda: open_store(sys.argv[1]))
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        answer(lambda: getattr(store, verb)(*arguments))  # noqa: B023 - called at once
