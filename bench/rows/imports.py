"""How long the import takes, and `pgvec --help`; what it must not pull in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.figures import Figure
from bench.lab import Lab, timed

ROW = "imports"
TARGET = "≤ 1.3 ×"
HEAVY = ("torch", "sentence_transformers", "matplotlib", "scipy", "pandas", "pyarrow", "httpx")
LOADED = """
import json, sys, pgvec_versions
from pgvec_versions import *
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure(lab: Lab) -> list[Figure]:
    """Fresh interpreters, one after the other in turn, with warm file caches."""
    commands = {
        "import pgvec_versions": python("import pgvec_versions"),
        # Names load when they are first asked for; this is what a host pays.
        "import ChunkStore": python("from pgvec_versions import ChunkStore"),
        "pgvec --help": [str(Path(sys.executable).parent / "pgvec"), "--help"],
        "import sqlalchemy, psycopg": python("import sqlalchemy, psycopg"),
        "python -c pass": python("pass"),
    }
    for command in commands.values():
        run(command)
    spreads = lab.alternate(
        *[lambda command=command: timed(lambda: run(command)) for command in commands.values()],
        count=5 if lab.quick else 21,
    )
    taken = dict(zip(commands, spreads, strict=True))
    base = taken["import sqlalchemy, psycopg"]
    heavy = json.loads(run(python(LOADED.format(heavy=HEAVY))))
    return [
        Figure.compared(
            ROW,
            name,
            "import sqlalchemy, psycopg",
            taken[name].median * 1000,
            base.median * 1000,
            "ms",
            TARGET,
            heavy_modules=", ".join(heavy) or "none",
            bare_python_ms=taken["python -c pass"].median * 1000,
            spread=taken[name].times(1000).to_json(),
        )
        for name in ("import pgvec_versions", "import ChunkStore", "pgvec --help")
    ]
