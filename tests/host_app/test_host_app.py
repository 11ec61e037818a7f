"""A real application with the built wheel: migrations, models, requests, upgrades."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.host_app.conftest import APP, Run

# What differs between servers is tested elsewhere; here it is the application that matters, and
# its whole life (its own tests, its migrations as a script) on the older server too.
on_18 = pytest.mark.parametrize("server", [18], indirect=True, ids=["pg18"])


@on_18
def test_the_application_uses_the_wheel_and_not_the_checkout(run: Run, host_python: Path) -> None:
    found = run("host.where").stdout.split()
    assert len(found) == 2
    for path in found:
        assert Path(path).is_relative_to(host_python.parents[1])


def test_its_own_tests_pass(run: Run) -> None:
    done = run("pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", "tests", ok=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@on_18
def test_alembic_check_passes_after_any_number_of_upgrades(run: Run, empty_database: str) -> None:
    run("alembic", "upgrade", "head")
    for number in range(3, 6):
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute("SELECT pgvec.register_version('docs', %s, 8)", (f"n{number}",))
            for verb in ("build_index", "make_ready", "cut_over"):
                connection.execute(f"SELECT pgvec.{verb}('docs', %s)".encode(), (f"n{number}",))
            connection.execute(
                "UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'"
            )
            connection.execute("CALL pgvec.retire_due()")
    for schemas in ((), ("-x", "schemas")):
        assert "No new upgrade operations" in run("alembic", *schemas, "check").stdout


@on_18
def test_a_real_change_of_the_models_shows_with_its_refresh(run: Run, tmp_path: Path) -> None:
    run("alembic", "upgrade", "head")
    ini = _copy(tmp_path, ("language: Mapped[str | None]", "lingua: Mapped[str | None]"))
    seen = run("alembic", "-c", ini, "check", ok=False)
    assert "New upgrade operations" in seen.stdout + seen.stderr
    run("alembic", "-c", ini, "revision", "--autogenerate", "--rev-id", "0005", "-m", "renamed")
    (made,) = (tmp_path / "app/migrations/versions").glob("0005*.py")
    calls = re.findall(r"op\.(\w+)\((.*)\)$", made.read_text(), flags=re.MULTILINE)
    assert [(verb, arguments.split(", sa")[0]) for verb, arguments in calls] == [
        ("add_column", "'docs'"),
        ("refresh_collection", "'docs'"),
        ("refresh_collection", "'docs', without=['language']"),
        ("drop_column", "'docs', 'language'"),
        ("add_column", "'docs'"),
        ("refresh_collection", "'docs'"),
        ("refresh_collection", "'docs', without=['lingua']"),
        ("drop_column", "'docs', 'lingua'"),
    ]
    run("alembic", "-c", ini, "upgrade", "head")
    assert "No new" in run("alembic", "-c", ini, "check").stdout
    run("alembic", "-c", ini, "downgrade", "-1")
    assert "No new" in run("alembic", "check").stdout


def test_the_script_of_the_migrations_runs_in_psql(
    run: Run, empty_database: str, server: EmbeddedServer
) -> None:
    script = run("alembic", "upgrade", "head", "--sql").stdout
    psql = shlex.split(server.psql_command("x"))[0]
    done = subprocess.run(
        [psql, empty_database, "-X", "-q", "-v", "ON_ERROR_STOP=1"],
        input=script,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "No new" in run("alembic", "check").stdout
    assert "0004" in run("alembic", "current").stdout


@on_18
def test_a_catalog_newer_than_the_package_is_refused_in_one_line(
    run: Run, empty_database: str
) -> None:
    run("alembic", "upgrade", "0003")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("INSERT INTO pgvec.catalog_version (version) VALUES (99)")
    done = run("host.where", "open", ok=False)
    assert done.stderr.strip().splitlines()[-1] == (
        "pgvec_versions.errors.CatalogMismatch: the catalog in this database has version 99,"
        " this package brings 1. Upgrade the package: pip install -U pgvec-versions"
    )
    refused = run("alembic", "downgrade", "base", ok=False)
    assert refused.returncode != 0
    (line,) = (refused.stdout + refused.stderr).strip().splitlines()
    assert "version 99" in line


def _copy(folder: Path, change: tuple[str, str]) -> str:
    """The application with a changed model; its alembic.ini."""
    shutil.copytree(APP, folder / "app", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    models = folder / "app/host/models.py"
    before = models.read_text()
    assert change[0] in before
    models.write_text(before.replace(*change))
    return str(folder / "app/alembic.ini")
