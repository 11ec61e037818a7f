"""The catalog's next version, made up: what the package of before and the package of after do.

One version apart, what runs goes on, and what starts is refused in one line that names the command.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import psycopg
import pytest

from pgvec_versions import Chunk, ChunkStore, Transition, Worker, roll_back
from pgvec_versions.cli import main
from pgvec_versions.errors import CatalogMismatch
from pgvec_versions.migrate_ops import DowngradePgvecOp, UpgradePgvecOp
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import close_shared_engines
from pgvec_versions.postgres.install import install, installed_version
from tests.alembic.tools import Psql, everything, objects, one, online, script
from tests.tools import TinyEmbedder

EMBEDDERS = {"v1": TinyEmbedder("a"), "v2": TinyEmbedder("b")}
UP = """
ALTER TABLE pgvec.collection ADD COLUMN owner_mail text;
CREATE TABLE pgvec.news (news_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text);
INSERT INTO pgvec.catalog_version (version) VALUES (2);
"""
DOWN = """
DELETE FROM pgvec.catalog_version WHERE version = 2;
DROP FUNCTION pgvec.newest();
DROP TABLE pgvec.news;
ALTER TABLE pgvec.collection DROP COLUMN owner_mail;
"""
NEWEST = """CREATE OR REPLACE FUNCTION pgvec.newest()
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT n.said FROM pgvec.news n ORDER BY n.news_id DESC LIMIT 1
$$;
"""


@pytest.fixture
def package(tmp_path: Path) -> Callable[[int], mock._patch[object]]:
    """The package of catalog 1, as it is, or that of catalog 2: with one file more of each kind."""
    later = tmp_path / "sql"
    shutil.copytree(sqlfiles.sql_folder(), later)
    (later / "catalog/0002.up.sql").write_text(UP)
    (later / "catalog/0002.down.sql").write_text(DOWN)
    (later / "functions/upgrade/newest.sql").write_text(NEWEST)
    folders = {1: sqlfiles.sql_folder(), 2: later}
    return lambda version: mock.patch.object(sqlfiles, "sql_folder", return_value=folders[version])


@pytest.fixture
def running(database: str) -> Iterator[ChunkStore]:
    """An application of catalog 1 that is at work: v1 active with two chunks."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pgvec.create_collection('docs')")
    Transition(database, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
    store = ChunkStore(database, "docs", EMBEDDERS)
    store.add([Chunk("one", "d", 0), Chunk("two", "d", 1)])
    yield store
    close_shared_engines()


def pgvec(verb: str, url: str) -> int:
    """The exit code of the command."""
    with (
        mock.patch.object(sys, "argv", ["pgvec", verb, "--database-url", url]),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return int(ended.value.code or 0)


def starts(url: str) -> None:
    """Everything that an application may start with."""
    ChunkStore(url, "docs", EMBEDDERS).search("one", k=1)
    Worker(url, "docs", EMBEDDERS).drain()


def test_the_package_of_after_refuses_the_catalog_of_before_until_it_is_upgraded(
    package, running: ChunkStore, database: str, capsys
) -> None:
    with package(2):
        for start in (
            lambda: ChunkStore(database, "docs", EMBEDDERS),
            lambda: Worker(database, "docs", EMBEDDERS),
            lambda: Transition(database, "docs", "v2", EMBEDDERS["v2"]).run(),
        ):
            with pytest.raises(CatalogMismatch) as caught:
                start()
            assert caught.value.detail == {"installed": 1, "package": 2}
            assert caught.value.hint == "Run: pgvec init"
        assert pgvec("status", database) == 5
        assert capsys.readouterr().err.splitlines() == [
            "pgvec: the catalog in this database has version 1, this package brings 2."
            " Run: pgvec init"
        ]
        assert pgvec("init", database) == 0
        assert one(database, "SELECT max(version) FROM pgvec.catalog_version") == 2
        starts(database)


def test_what_runs_with_the_package_of_before_goes_on_after_the_upgrade(
    package, running: ChunkStore, database: str
) -> None:
    begun = Transition(database, "docs", "v2", EMBEDDERS["v2"])
    begun.begin()
    worker = Worker(database, "docs", EMBEDDERS)
    with package(2):
        online(database, UpgradePgvecOp(2))
    running.add([Chunk("three", "d", 2)], keep_others=True)
    worker.drain()
    begun.build_index()
    begun.make_ready()
    begun.cut_over()
    assert running.search("three", k=1)[0].model_version == "v2"
    roll_back(running.engine, "docs", EMBEDDERS)
    assert running.search("three", k=1)[0].content == "three"
    with package(2):
        starts(database)


def test_the_package_of_before_refuses_to_start_on_the_catalog_of_after(
    package, running: ChunkStore, database: str, capsys
) -> None:
    with package(2), psycopg.connect(database) as connection:
        assert install(connection) == (1, 2)
    before = everything(database)
    with pytest.raises(CatalogMismatch, match="pip install -U pgvec-versions") as caught:
        starts(database)
    assert caught.value.detail == {"installed": 2, "package": 1}
    for operation in (UpgradePgvecOp(1), DowngradePgvecOp(0)):
        with pytest.raises(Exception, match="has version 2, this package brings 1") as stopped:
            online(database, operation)
        assert len(str(stopped.value).splitlines()) == 1
    for verb in ("init", "status", "retire"):
        assert pgvec(verb, database) == 5
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("Upgrade the package: pip install -U pgvec-versions")
    assert everything(database) == before, "a refusal changes nothing"


def test_one_version_up_and_down_again_leaves_no_trace_and_keeps_the_chunks(
    package, running: ChunkStore, database: str
) -> None:
    before = objects(database)
    with package(2):
        online(database, UpgradePgvecOp(2))
        assert objects(database) != before
        online(database, DowngradePgvecOp(1))
    assert objects(database) == before
    assert {hit.content for hit in running.search("one")} == {"one", "two"}
    starts(database)


def test_a_history_of_both_steps_works_from_nothing_and_as_a_script(
    package, empty_database: str, psql: Psql
) -> None:
    with package(2):
        online(empty_database, UpgradePgvecOp(1))
        online(empty_database, UpgradePgvecOp(2))
        stepwise = objects(empty_database)
        online(empty_database, DowngradePgvecOp(1), DowngradePgvecOp(0))
        psql(empty_database, script(UpgradePgvecOp(1)))
        psql(empty_database, script(UpgradePgvecOp(2)))
        assert objects(empty_database) == stepwise
        psql(empty_database, script(DowngradePgvecOp(1)))
        with psycopg.connect(empty_database) as connection:
            assert installed_version(connection) == 1
