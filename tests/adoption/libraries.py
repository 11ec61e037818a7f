"""The libraries whose programs the tests run, each in an environment of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

HERE = Path(__file__).parent
#: A folder for the libraries' environments; they are made when a test needs them, and kept.
FOLDER = os.environ.get("PGVEC_TEST_LIBRARIES")


@dataclass(frozen=True)
class Library:
    """A program, the library that it uses, and the table that the library creates."""

    name: str
    program: str
    table: str


#: Adopted in place, and their programs go on.
IN_PLACE = [
    Library("langchain", "langchain_pgvectorstore", "store"),
    Library("llamaindex", "llamaindex_pgvectorstore", "data_store"),
    Library("langchain", "langchain_pgvector", "langchain_pg_embedding"),
]
#: When they start, they look for a table of the name, and take no view for it.
REFUSED = [
    Library("haystack", "haystack_documentstore", "store"),
    Library("vecs", "vecs_collection", "vecs.store"),
]


def python_of(library: Library) -> Path:
    """The Python of an environment with the library at its pinned version."""
    assert FOLDER is not None
    requirements = HERE / f"requirements-{library.name}.txt"
    mark = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = Path(FOLDER).absolute() / f"{library.name}-{mark}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not (home / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
            pip = [home / "bin/python", "-m", "pip", "install", "--quiet", "-r", requirements]
            subprocess.run(pip, check=True)
            (home / "complete").touch()
    return home / "bin/python"


class Failed(Exception):
    """What a program answered instead of an answer."""


class Program:
    """A program that runs: orders go in, answers come back."""

    def __init__(self, library: Library, url: str) -> None:
        environment = {
            key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")
        }
        self.process = subprocess.Popen(
            [python_of(library), HERE / f"programs/{library.program}.py", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment, "HAYSTACK_TELEMETRY_ENABLED": "False"},
        )
        self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline() or '{"error": "the program ended"}')
        if "error" in said:
            raise Failed(said["error"])
        return said["answer"]

    def __call__(self, verb: str, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        print(json.dumps([verb, *arguments]), file=self.process.stdin, flush=True)
        return self._answer()

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate()


@contextmanager
def running(library: Library, url: str) -> Iterator[Program]:
    """Starts a program, and ends it."""
    program = Program(library, url)
    try:
        yield program
    finally:
        program.end()
