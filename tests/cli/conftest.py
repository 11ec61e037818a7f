"""The command line in this process: what it prints and the exit code it ends with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pgvec_versions.cli import main
from tests.tools import MINILM, MINILM_REVISION


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on stderr. Fails when there are more, or a stack trace."""
        lines = [line for line in self.err.splitlines() if line.startswith("pgvec:")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


Run = Callable[..., Ended]


def static(**options: Any) -> dict[str, Any]:
    """An embedder table for pgvec.toml: the fast real model."""
    return {"provider": "static-tokens", "model": MINILM, "revision": MINILM_REVISION, **options}


@pytest.fixture
def run(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs ``pgvec …`` in an empty folder against ``database``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGVEC_DATABASE_URL", database)
    monkeypatch.delenv("PGVEC_CONFIG", raising=False)
    monkeypatch.delenv("PGVEC_DEBUG", raising=False)

    def run_it(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["pgvec", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run_it


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Path]:
    """Writes pgvec.toml for collection docs."""

    def write(
        label: str,
        embedder: dict[str, Any],
        retire_after: str = "7 days",
        **previous: dict[str, Any],
    ) -> Path:
        def table(values: dict[str, Any]) -> str:
            return (
                "{ "
                + ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
                + " }"
            )

        lines = [
            "[collections.docs]",
            f'model_version = "{label}"',
            f'retire_after = "{retire_after}"',
            f"embedder = {table(embedder)}",
        ]
        lines += [
            "[collections.docs.previous]",
            *(f'"{old.replace("_", "-")}" = {table(spec)}' for old, spec in previous.items()),
        ]
        path = tmp_path / "pgvec.toml"
        path.write_text("\n".join(lines))
        return path

    return write
