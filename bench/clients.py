"""Load from several clients at once, by pgbench, which comes with the server.

It is written in C, so no interpreter lock slows the clients. Clients and server share the machine's
cores, on both sides of a comparison.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

#: pgbench takes up to 128 scripts; each holds one query vector as a literal.
MOST_SCRIPTS = 64


@dataclass(frozen=True)
class Load:
    """What pgbench saw. Shape: a row a query. Units: seconds, ``began`` since 1970."""

    per_second: float
    began: npt.NDArray[np.float64]
    took: npt.NDArray[np.float64]


class Clients:
    """pgbench with its clients on its way; ``result`` waits for its end."""

    def __init__(
        self,
        url: str,
        scripts: Sequence[str],
        *,
        clients: int,
        seconds: int,
        settings: Mapping[str, str],
        rate: int | None = None,
        log: bool = False,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pgvec-clients-")
        self._log = log
        folder = Path(self._folder.name)
        command = [str(_program(url)), "--no-vacuum", "--protocol=prepared", f"--client={clients}"]
        command += [f"--jobs={min(clients, os.cpu_count() or 1)}", f"--time={seconds}"]
        if rate is not None:
            command.append(f"--rate={rate}")
        if log:
            command += ["--log", f"--log-prefix={folder / 'log'}"]
        for number, script in enumerate(scripts[:MOST_SCRIPTS]):
            file = folder / f"{number}.sql"
            file.write_text(script)
            command.append(f"--file={file}")
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._process = subprocess.Popen(
            [*command, url],
            env=os.environ | {"PGOPTIONS": options},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self) -> Load:
        """Raises: RuntimeError with pgbench's last line when a query failed."""
        out, err = self._process.communicate()
        rate = re.search(r"^tps = ([0-9.]+)", out, re.MULTILINE)
        if self._process.returncode or rate is None:
            raise RuntimeError(f"pgbench: {(err.strip().splitlines() or ['no output'])[-1]}")
        logs = [_read(f) for f in Path(self._folder.name).glob("log.*")] if self._log else []
        self._folder.cleanup()
        seen = np.concatenate(logs) if logs else np.zeros((0, 2))
        return Load(float(rate[1]), seen[:, 1] - seen[:, 0], seen[:, 0])


def _read(file: Path) -> npt.NDArray[np.float64]:
    """(took, ended) of each query; with a rate, ``took`` counts from when it was due."""
    lines = np.loadtxt(file, usecols=(2, 4, 5), ndmin=2)
    return np.column_stack([lines[:, 0] / 1e6, lines[:, 1] + lines[:, 2] / 1e6])


def _program(url: str) -> Path:
    """The pgbench of the server that listens there."""
    with psycopg.connect(url, autocommit=True) as connection:
        row: tuple[Any, ...] | None = connection.execute(
            "SELECT setting FROM pg_config WHERE name = 'BINDIR'"
        ).fetchone()
    assert row is not None
    return Path(row[0]) / "pgbench"


def literal(vector: npt.NDArray[np.float32]) -> str:
    """A vector as a quoted literal for a script."""
    return "'[" + ",".join(f"{x:.7g}" for x in vector.tolist()) + "]'"
