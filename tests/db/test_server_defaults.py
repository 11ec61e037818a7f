"""Settings that a role or a database brings along never make a verb impossible."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine

from pgvec_versions import Chunk, ChunkStore, Transition, Worker, roll_back
from pgvec_versions.postgres.database import close_shared_engines, engine_for, transaction
from pgvec_versions.retirement.archive import export_version, restore_version
from pgvec_versions.retirement.job import retire_due
from pgvec_versions.states import State
from pgvec_versions.upgrade.transition import abandon
from tests.db.helpers import contents, create_collection, execute
from tests.tools import TinyEmbedder

EMBEDDERS = {"v1": TinyEmbedder("v1"), "v2": TinyEmbedder("v2"), "v3": TinyEmbedder("v3")}


def put_setting(database: str, name: str, value: str) -> None:
    """A default of the database: every new session begins with it."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(db.info.dbname), sql.Identifier(name), sql.Literal(value)
            )
        )


@pytest.fixture(params=["repeatable read", "serializable"])
def strict(request: pytest.FixtureRequest, database: str) -> Iterator[Engine]:
    """An engine on a database whose default isolation is above READ COMMITTED."""
    put_setting(database, "default_transaction_isolation", request.param)
    yield engine_for(database)
    close_shared_engines()


def test_a_default_isolation_stops_no_verb(strict: Engine) -> None:
    create_collection(strict, retire_after=timedelta(0))
    Transition(strict, "docs", "v1", EMBEDDERS["v1"]).run(cut_over=True)
    store = ChunkStore(strict, "docs", EMBEDDERS)
    store.add([Chunk(f"text {i}", "book", i) for i in range(20)])
    two = Transition(strict, "docs", "v2", EMBEDDERS["v2"])
    two.begin()
    assert Worker(strict, "docs", EMBEDDERS).drain().written == 20
    two.build_index()
    store.add([Chunk("edited", "book", 0)], keep_others=True)
    two.run(cut_over=True)
    store.delete(document_ids=["nobody"])
    store.add([Chunk("later", "more", 0)])
    assert store.search("later", k=1)[0].content == "later"
    assert roll_back(strict, "docs", "v1", EMBEDDERS) == "v1"
    assert roll_back(strict, "docs", "v2", EMBEDDERS) == "v2"
    assert contents(strict, "v1") == contents(strict, "v2")
    three = Transition(strict, "docs", "v3", EMBEDDERS["v3"])
    three.begin()
    assert abandon(strict, "docs", "v3")
    assert [gone.outcome for gone in retire_due(strict)] == ["retired"]


def test_a_retired_version_comes_back_under_it(strict: Engine, tmp_path) -> None:
    create_collection(strict, retire_after=timedelta(0))
    for label in ("v1", "v2"):
        Transition(strict, "docs", label, EMBEDDERS[label]).run(cut_over=True)
    export_version(strict, "docs", "v1", tmp_path / "v1.copy")
    retire_due(strict)
    restore_version(strict, "docs", "v1", tmp_path / "v1.copy")
    assert Transition(strict, "docs", "v1", EMBEDDERS["v1"]).state == State.DRAINING


def test_a_connection_has_its_own_isolation_again_afterwards(database: str) -> None:
    engine = create_engine(
        database.replace("postgresql:", "postgresql+psycopg:"), isolation_level="SERIALIZABLE"
    )
    for _ in range(2):
        with transaction(engine) as raw:
            found = raw.execute("SHOW transaction_isolation").fetchone()
            assert found == ("read committed",)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == (
                "serializable"
            )
    engine.dispose()


def test_a_callers_own_transaction_keeps_its_isolation(strict: Engine) -> None:
    with strict.begin() as caller, transaction(strict, caller) as raw:
        found = raw.execute("SHOW transaction_isolation").fetchone()
    assert found is not None
    assert found[0] in ("repeatable read", "serializable")


def slow_down(database: str, tag: str) -> None:
    """Lets each command of a kind take more than a second before it begins."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "CREATE FUNCTION take_time() RETURNS event_trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(1.1); END'"
        )
        db.execute(
            f"CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('{tag}')"
            " EXECUTE FUNCTION take_time()".encode()
        )


LIMITS = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]


@pytest.mark.parametrize("limit", [*LIMITS, "transaction_timeout"])
def test_a_time_limit_never_makes_an_index_build_impossible(
    database: str, engine: Engine, limit: str
) -> None:
    create_collection(engine)
    made = Transition(engine, "docs", "v1", EMBEDDERS["v1"])
    made.begin()
    with psycopg.connect(database) as db:
        known = db.execute("SELECT current_setting(%s, true)", (limit,)).fetchone()
    if known == (None,):
        pytest.skip("this server has no such setting")
    slow_down(database, "CREATE INDEX")
    put_setting(database, limit, "1s")
    engine.dispose()
    assert made.build_index()
    made.make_ready()
    # The limit is the session's again.
    assert execute(engine, f"SHOW {limit}") == [("1s",)]


def test_a_time_limit_never_makes_a_retirement_impossible(database: str, engine: Engine) -> None:
    create_collection(engine, retire_after=timedelta(0))
    for label in ("v1", "v2"):
        Transition(engine, "docs", label, EMBEDDERS[label]).run(cut_over=True)
    slow_down(database, "DROP TABLE")
    put_setting(database, "statement_timeout", "1s")
    engine.dispose()
    assert [gone.outcome for gone in retire_due(engine)] == ["retired"]
    assert execute(engine, "SHOW statement_timeout") == [("1s",)]
