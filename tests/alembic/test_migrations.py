"""The catalog's own history: the same as ``install()``, and nothing left after it."""

from __future__ import annotations

import io
import threading

import psycopg
import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from pgvec_versions.errors import CatalogMismatch, RequirementMissing
from pgvec_versions.migrate_ops import VERSION_TABLE, DowngradePgvecOp, UpgradePgvecOp
from pgvec_versions.postgres.install import install, installed_version
from tests.alembic.tools import (
    Listing,
    Psql,
    alembic,
    catalog_config,
    downgrade,
    objects,
    one,
    online,
    script,
    upgrade,
)


def without_version_table(listing: Listing) -> Listing:
    return {row for row in listing if VERSION_TABLE not in row[1]}


def written(verb: str, revisions: str) -> str:
    buffer = io.StringIO()
    run = command.upgrade if verb == "upgrade" else command.downgrade
    run(catalog_config(None, buffer), revisions, sql=True)
    return buffer.getvalue()


def test_upgrade_makes_the_objects_that_install_makes(empty_database: str, database: str) -> None:
    upgrade(empty_database)
    made = objects(empty_database)
    assert {row[1] for row in made if VERSION_TABLE in row[1] and row[0] == "relation"} == {
        f"public.{VERSION_TABLE}",
        f"public.{VERSION_TABLE}_pkc",
    }
    assert without_version_table(made) == objects(database)
    assert sum(row[0] == "routine" for row in made) > 40


def test_downgrade_leaves_nothing_but_the_extension(empty_database: str) -> None:
    before = objects(empty_database)
    upgrade(empty_database)
    downgrade(empty_database)
    left = objects(empty_database) - before
    assert {row[:2] for row in left} == {("extension", "vector")}
    downgrade(empty_database)
    assert objects(empty_database) - before == left


def test_up_and_down_and_up_again_ends_in_the_same_place(empty_database: str) -> None:
    upgrade(empty_database)
    first = objects(empty_database)
    downgrade(empty_database)
    upgrade(empty_database)
    assert objects(empty_database) == first
    upgrade(empty_database)
    assert objects(empty_database) == first


def test_the_script_makes_and_takes_away_the_same(
    empty_database: str, database: str, psql: Psql
) -> None:
    before = objects(empty_database)
    psql(empty_database, written("upgrade", "head"))
    assert without_version_table(objects(empty_database)) == objects(database)
    assert one(empty_database, f"SELECT version_num FROM {VERSION_TABLE}") == "0001"
    psql(empty_database, written("downgrade", "head:base"))
    assert {row[:2] for row in objects(empty_database) - before} == {("extension", "vector")}


def test_a_catalog_from_pgvec_init_is_taken_over(database: str) -> None:
    installed = objects(database)
    one(
        database,
        "CREATE OR REPLACE FUNCTION pgvec.active_version(collection text) RETURNS text "
        "LANGUAGE sql AS $$ SELECT 'old' $$",
    )
    upgrade(database)
    assert without_version_table(objects(database)) == installed
    assert one(database, "SELECT count(*) FROM pgvec.catalog_version") == 1


def test_pgvec_init_after_the_migration_changes_nothing(empty_database: str) -> None:
    upgrade(empty_database)
    migrated = objects(empty_database)
    with psycopg.connect(empty_database) as connection:
        assert install(connection) == (1, 1)
    assert objects(empty_database) == migrated


def test_the_search_path_is_the_callers_again(empty_database: str) -> None:
    one(empty_database, "CREATE SCHEMA app")
    online(empty_database + "&options=-csearch_path%3Dapp", UpgradePgvecOp())
    assert (
        one(
            empty_database,
            "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'",
        )
        == "app"
    )


def test_a_newer_catalog_is_left_alone(database: str) -> None:
    one(database, "INSERT INTO pgvec.catalog_version (version) VALUES (99)")
    before = objects(database)
    for operation in (UpgradePgvecOp(), DowngradePgvecOp()):
        with pytest.raises(CommandError, match="version 99, this package brings 1") as raised:
            online(database, operation)
        assert isinstance(raised.value.__cause__, CatalogMismatch)
    assert objects(database) == before


@pytest.mark.parametrize(
    "operation", [UpgradePgvecOp(2), UpgradePgvecOp(0), DowngradePgvecOp(1), DowngradePgvecOp(-1)]
)
def test_a_catalog_version_that_the_package_does_not_have_is_refused(
    operation: UpgradePgvecOp | DowngradePgvecOp,
) -> None:
    with pytest.raises(CommandError, match="catalog version"):
        script(operation)


def test_a_driver_that_cannot_run_scripts_is_named(
    monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setattr(PGDialect_psycopg, "driver", "psycopg2")
    with pytest.raises(CommandError, match=r"postgresql\+psycopg://") as raised:
        online(database, UpgradePgvecOp())
    assert isinstance(raised.value.__cause__, RequirementMissing)


# --- The real command ---


def test_the_command_refuses_to_downgrade_under_a_collection_in_one_line(
    empty_database: str,
) -> None:
    done = alembic("-x", f"url={empty_database}", "upgrade", "head")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    one(empty_database, "SELECT pgvec.create_collection('docs')")
    before = objects(empty_database)
    done = alembic("downgrade", "base", PGVEC_DATABASE_URL=empty_database)
    assert done.returncode == 255
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("FAILED: the catalog is in use: collection docs still exists.")
    assert line.endswith("(PV008)")
    assert objects(empty_database) == before
    assert one(empty_database, f"SELECT version_num FROM {VERSION_TABLE}") == "0001"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "FAILED: no database is named. Write: alembic -x url="),
        (("-x", "url="), "FAILED: -x url is empty."),
        (("-x", "url=mysql://h/d"), "FAILED: the database URL is for mysql, not for PostgreSQL."),
        (("-x", "url=postgresql://nobody@127.0.0.1:1/none"), "FAILED: cannot use the database:"),
    ],
)
def test_a_database_that_cannot_be_had_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = alembic(*arguments, "upgrade", "head")
    assert done.returncode == 255
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith(says)


def test_the_script_needs_no_database() -> None:
    done = alembic("upgrade", "head", "--sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == written("upgrade", "head")


def test_two_installations_at_once_wait_for_each_other(empty_database: str) -> None:
    with (
        psycopg.connect(empty_database) as first,
        psycopg.connect(empty_database, autocommit=True) as watch,
    ):
        with first.transaction():
            install(first)
            first_pid = first.info.backend_pid
            results: list[object] = []

            def second() -> None:
                with psycopg.connect(empty_database) as other:
                    results.append(install(other))

            thread = threading.Thread(target=second)
            thread.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
            while watch.execute(waiting, [first_pid]).fetchone() != (1,):
                assert thread.is_alive()
        thread.join()
        assert results == [(1, 1)]
        assert installed_version(watch) == 1
