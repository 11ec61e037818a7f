"""The overview of ``pgvec`` is made without importing the verbs; it says what they say."""

from __future__ import annotations

import inspect
import subprocess
import sys

from pgvec_versions.cli import app
from pgvec_versions.cli.verbs import VERBS


def test_the_overview_is_that_of_the_verbs() -> None:
    lines = {
        str(command.name): (inspect.getdoc(command.callback) or "").splitlines()[0]
        for command in app.registered_commands
    }
    assert lines == {name: verb.line for name, verb in VERBS.items()}
    assert list(lines) == list(VERBS)


def test_help_and_the_package_import_no_model_and_no_numbers() -> None:
    look = (
        "import sys, contextlib\n"
        "import pgvec_versions\n"
        "from pgvec_versions.cli import main\n"
        "sys.argv = ['pgvec', '--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = {'torch', 'numpy', 'sqlalchemy', 'sentence_transformers', 'pandas'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=120
    )
    assert out.stdout.splitlines()[-1] == "[]", out.stdout[-500:]
    assert "cut-over" in out.stdout


def test_a_store_imports_no_model() -> None:
    look = (
        "import sys\n"
        "from pgvec_versions import ChunkStore, Transition, Worker, AsyncChunkStore\n"
        "print(sorted({'torch', 'sentence_transformers', 'typer', 'alembic'} & sys.modules.keys()))"
    )
    out = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=120
    )
    assert out.stdout.strip() == "[]"
