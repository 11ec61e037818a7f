"""Other libraries, each in an environment of its own that the harness makes.

A peer is a script ``with_<name>.py`` beside this file. It is run with that environment's Python and
one JSON object on stdin (``url``, ``rows``, and ``texts`` and ``vectors``: a JSON and a npy file),
does the load as its own documents say, and prints one JSON object: ``seconds``, ``rows``, ``how``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.figures import Figure
from bench.lab import Lab

__all__ = ["PEERS", "Peer", "checked", "environment", "measured_peers"]

#: Name, packages to install, the job that it is measured at.
PEERS = (
    ("vecs", ("vecs",), "add"),
    ("llama_index", ("llama-index-vector-stores-postgres",), "add"),
    ("langchain", ("langchain-postgres",), "add"),
    ("haystack", ("pgvector-haystack",), "add"),
    ("vecshift", ("vecshift",), "backfill"),
)
_INSTALL_SECONDS, _RUN_SECONDS = 600, 300


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer did. Units: ``rate`` in rows a second; None when it failed, see ``how``."""

    name: str
    version: str
    rate: float | None
    rows: int
    how: str

    def failure(self, row: str) -> Figure:
        """The line that says so."""
        what = f"{self.name} {self.version}".strip()
        return Figure(
            row, what, "", 0.0, None, "failed", None, "", None, {"failed": self.how[:200]}
        )


def environment(
    lab: Lab, name: str, packages: tuple[str, ...], without: tuple[str, ...] = ()
) -> Path:
    """The Python of a new environment with these packages, kept in the work folder.

    ``without`` is taken out again.
    Raises: RuntimeError with pip's last line.
    """
    folder = lab.work / "environments" / name
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    steps = (
        ([sys.executable, "-m", "venv", str(folder)], 120),
        ([str(python), "-m", "pip", "install", "--quiet", *packages], _INSTALL_SECONDS),
        ([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *without], 60),
    )
    for command, limit in steps if without else steps[:2]:
        checked(command, limit)
    done.touch()
    return python


def checked(command: list[str], seconds: int, given: str = "") -> str:
    """What a command prints. Raises: RuntimeError with its last line."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, input=given, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took longer than {seconds} s") from None
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        raise RuntimeError(next((line for line in reversed(lines) if line.strip()), "no output"))
    return ended.stdout


def measured_peers(lab: Lab, job: str, rows: int) -> list[Peer]:
    """Every peer of that job, each with a new database. A failure is a result."""
    texts, vectors = lab.work / f"peer-texts-{rows}.json", lab.work / f"peer-vectors-{rows}.npy"
    if not texts.exists():
        texts.write_text(json.dumps(lab.texts(rows)))
    if not vectors.exists():
        np.save(vectors, lab.vectors(rows))
    found: list[Peer] = []
    for name, packages, its_job in PEERS:
        if its_job != job:
            continue
        version = ""
        try:
            python = environment(lab, name, packages)
            version = checked([str(python), "-c", _VERSION, packages[0]], 60).strip()
            given = {"url": lab.url(), "rows": rows, "texts": str(texts), "vectors": str(vectors)}
            script = str(Path(__file__).parent / f"with_{name}.py")
            said = checked([str(python), script], _RUN_SECONDS, json.dumps(given))
            answer = json.loads(said.strip().splitlines()[-1])
            rate = answer["rows"] / answer["seconds"]
            found.append(Peer(packages[0], version, rate, answer["rows"], answer["how"]))
        except (RuntimeError, ValueError, KeyError, IndexError, OSError) as exc:
            found.append(Peer(packages[0], version, None, rows, str(exc)))
        lab.clean()
    return found


_VERSION = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
