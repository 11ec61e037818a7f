"""The application's own environment: the built wheel, and what else it needs from ours."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "app"
Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

# Its tests run in its own environment, not in ours.
collect_ignore = ["app"]


@pytest.fixture(scope="session")
def host_python(shared_folder: Path) -> Path:
    """The Python of an environment with the wheel, made once for all workers."""
    made = shared_folder / "host-env"
    with FileLock(f"{made}.lock"):
        if not (made / "ready").exists():
            _make(made, shared_folder / "wheel")
            (made / "ready").touch()
    return made / "bin" / "python"


def _make(environment: Path, wheels: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    venv.create(environment, symlinks=True)
    base = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", vars=base))
    (wheel,) = wheels.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    # A path file inside that folder is not followed: our editable install stays out.
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")


@pytest.fixture
def run(host_python: Path, empty_database: str) -> Run:
    """Runs ``python -m …`` of the application, on a database of its own that is empty."""

    def run_one(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(host_python), "-m", *arguments],
            cwd=APP,
            env={
                **{k: v for k, v in os.environ.items() if k != "PGVEC_DATABASE_URL"},
                "HOST_DATABASE_URL": empty_database,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            timeout=100,
        )
        if ok:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run_one
