"""Whatever a name, a key or a value looks like, it is never read as SQL: every public entrance."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util import CommandError
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import Engine
from typer.testing import CliRunner

from pgvec_versions import AsyncChunkStore, Chunk, ChunkStore, PgvecError, Transition, Where
from pgvec_versions.chunks.mapped import declare_query_version
from pgvec_versions.cli import app
from pgvec_versions.errors import QueryVersionMismatch, translated
from pgvec_versions.migrate_ops import CreateCollectionOp, RegisterModelVersionOp
from tests.alembic.tools import script
from tests.db.helpers import create_collection, execute
from tests.effort import effort
from tests.tools import TinyEmbedder

HOSTILE = st.one_of(
    st.text(
        st.one_of(
            st.sampled_from("'\"\\%$;{}()[]-?:*_./ \n\t"),
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        ),
        max_size=20,
    ),
    st.sampled_from(
        [
            "docs; DROP TABLE docs",
            "x' OR '1'='1",
            '"; DROP SCHEMA pgvec CASCADE; --',
            "%s",
            "%(k)s",
            "{chunk_table}",
            "$$",
            "a" * 63,
            "a" * 64,
            "ß" * 32,
            "pg_catalog.pg_class",
            "Ünïcödé",
        ]
    ),
)
LIGHT = settings(max_examples=effort(ci=10, nightly=250))


@pytest.fixture
def store(engine: Engine) -> ChunkStore:
    tiny = TinyEmbedder()
    create_collection(engine, "docs", id_type="text")
    Transition(engine, "docs", "v1", tiny).run(cut_over=True)
    return ChunkStore(engine, "docs", {"v1": tiny})


def world(engine: Engine) -> list[tuple[Any, ...]]:
    """The relations, and what the catalog says."""
    return execute(
        engine,
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace IN ('pgvec'::regnamespace,"
        " 'pgvec_leaves'::regnamespace, 'public'::regnamespace)"
        " UNION ALL SELECT collection || model_version || state FROM pgvec.model_version"
        " ORDER BY 1",
    )


def test_the_store_keeps_and_finds_whatever_it_is_given(engine: Engine, store: ChunkStore) -> None:
    before = world(engine)

    @LIGHT
    @given(content=HOSTILE.filter(str.strip), document=HOSTILE, chunk_id=HOSTILE, key=HOSTILE)
    def check(content: str, document: str, chunk_id: str, key: str) -> None:
        chunk = Chunk(content, document, 0, {key: content}, chunk_id)
        store.add([chunk])
        for filter in ({key: content}, Where(key, "=", content), [Where(key, "exists")]):
            (hit,) = store.search(content, k=1, filter=filter)
            assert (hit.content, hit.document_id, hit.chunk_id) == (content, document, chunk_id)
            assert hit.metadata == {key: content}
        assert store.delete(document_ids=[document]) == 1
        assert store.delete(chunk_ids=[chunk_id]) == 0

    check()
    assert world(engine) == before


@pytest.mark.parametrize("entrance", ["create", "register", "search", "open"])
def test_a_hostile_name_is_refused_as_a_name(
    engine: Engine, store: ChunkStore, entrance: str
) -> None:
    before = world(engine)
    entrances: dict[str, Any] = {
        "create": lambda name: execute(engine, "SELECT pgvec.create_collection(%s)", name + "'"),
        "register": lambda name: Transition(engine, "docs", name + "'", TinyEmbedder()).begin(),
        "search": lambda name: store.search("x", version=name + "'"),
        "open": lambda name: ChunkStore(engine, name + "'"),
    }

    @LIGHT
    @given(name=HOSTILE)
    def check(name: str) -> None:
        with pytest.raises(PgvecError) as caught:
            entrances[entrance](name)
        assert caught.value.sqlstate in {"PV001", "PV002", "PV003"}

    check()
    assert world(engine) == before


def test_a_migration_with_hostile_names_is_refused_online_and_in_its_script(
    engine: Engine, store: ChunkStore, database: str
) -> None:
    before = world(engine)

    @LIGHT
    @given(name=HOSTILE)
    def check(name: str) -> None:
        for operation in (
            CreateCollectionOp(name + "'"),
            RegisterModelVersionOp("docs", name + "'", dimensions=8, embedder={name: name}),
        ):
            with engine.connect() as connection, pytest.raises(CommandError, match="PV003"):
                Operations(MigrationContext.configure(connection)).invoke(operation)
            with psycopg.connect(database) as raw, pytest.raises(psycopg.Error) as caught:
                raw.execute(script(operation).encode())
            assert caught.value.sqlstate == "PV003"

    check()
    assert world(engine) == before


def test_the_command_line_takes_hostile_names_as_names(
    engine: Engine, store: ChunkStore, database: str
) -> None:
    before = world(engine)

    @settings(LIGHT, max_examples=effort(ci=5, nightly=100))
    @given(name=HOSTILE.filter(lambda n: not n.startswith("-")))
    def check(name: str) -> None:
        for command in (["init", name + "'"], ["status", name + "'"], ["cut-over", name + "'"]):
            done = CliRunner().invoke(app, ["--database-url", database, *command])
            assert done.exit_code not in (0, 1), (command, done.output)

    check()
    assert world(engine) == before


def test_columns_schemas_and_roles_may_be_named_at_will(engine: Engine) -> None:
    counter = iter(range(1000))

    @settings(LIGHT, max_examples=effort(ci=4, nightly=60))
    @given(
        name=HOSTILE.map(lambda n: n.encode()[:40].decode(errors="ignore")).filter(
            # PostgreSQL keeps this prefix for itself.
            lambda n: n and not n.startswith("pg_")
        )
    )
    def check(name: str) -> None:
        number = next(counter)
        schema = sql.Identifier(f"{name}_{number}")
        role = sql.Identifier(f"{name}_r{number}")
        column = sql.Identifier(f"{name}_c")
        collection = f"docs_{number}"
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg.Connection)
            with raw.transaction(force_rollback=True):
                raw.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
                raw.execute(sql.SQL("CREATE ROLE {}").format(role))
                raw.execute(sql.SQL("SET LOCAL search_path = {}, public").format(schema))
                raw.execute("SELECT pgvec.create_collection(%s)", (collection,))
                table = sql.Identifier(collection)
                raw.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {} text").format(table, column))
                raw.execute("SELECT pgvec.refresh_collection(%s)", (collection,))
                for verb in ("read", "write", "worker"):
                    raw.execute(
                        sql.SQL("SELECT pgvec.{}(%s, quote_ident(%s)::regrole)").format(
                            sql.Identifier(f"grant_{verb}")
                        ),
                        (collection, f"{name}_r{number}"),
                    )
                raw.execute("SELECT pgvec.register_version(%s, 'v1', 2)", (collection,))
                raw.execute(
                    sql.SQL(
                        "INSERT INTO {} (model_version, content, embedding, {})"
                        " VALUES ('v1', 'x', '[1,2]', {})"
                    ).format(table, column, sql.Literal(name))
                )
                for verb in ("build_index", "make_ready", "cut_over"):
                    raw.execute(
                        sql.SQL("SELECT pgvec.{}(%s, 'v1')").format(sql.Identifier(verb)),
                        (collection,),
                    )
                raw.execute(
                    "SELECT set_config(%s, 'v1', true)", (f"pgvec.query_version.{collection}",)
                )
                raw.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
                raw.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
                found = raw.execute(
                    sql.SQL("SELECT {} FROM {}").format(
                        column, sql.Identifier(f"active_{collection}")
                    )
                ).fetchall()
                assert found == [(name,)]

    check()


@pytest.mark.parametrize("schema", ["50% off", "%s", '"%(ids)s".{chunk_table}'])
def test_a_store_works_in_a_schema_of_any_name(engine: Engine, schema: str) -> None:
    tiny = TinyEmbedder()
    with engine.begin() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        name = sql.Identifier(schema)
        raw.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        raw.execute(sql.SQL("SET LOCAL search_path = {}, public").format(name))
        raw.execute("SELECT pgvec.create_collection('docs')")
    Transition(engine, "docs", "v1", tiny).run(cut_over=True)
    store = ChunkStore(engine, "docs", {"v1": tiny})
    store.add([Chunk("a", "d", 0), Chunk("b", "d", 1)])
    assert store.add([Chunk("c", "d", 0), Chunk("b", "d", 1)]).replaced == 1
    assert store.search("c", k=1)[0].content == "c"
    assert store.delete(document_ids=["d"]) == 2


def test_sessions_and_the_async_store_take_hostile_labels_and_filters_as_such(
    engine: Engine, store: ChunkStore, database: str
) -> None:
    store.add([Chunk("text", "d", 0, chunk_id="1")])
    before = world(engine)

    async def search(loop_store: AsyncChunkStore, text: str) -> None:
        assert await loop_store.search("text", filter={text: text}) == []
        assert await loop_store.search("text", filter=[Where(text, "=", text)]) == []
        with pytest.raises(PgvecError):
            await loop_store.search("text", version=f"{text}'")
        with pytest.raises(PgvecError):
            await loop_store.add(["more"], version=f"{text}'")

    with asyncio.Runner() as runner:
        loop_store = AsyncChunkStore(database, "docs", {"v1": TinyEmbedder()})

        @LIGHT
        @given(text=HOSTILE.filter(lambda t: t not in ("", "any", "v1")))
        def check(text: str) -> None:
            with engine.begin() as connection:
                connection.execute(declare_query_version("docs", text))
                said = connection.exec_driver_sql("SHOW pgvec.query_version.docs").scalar()
                assert said == text
                with pytest.raises(QueryVersionMismatch), translated():
                    connection.exec_driver_sql("SELECT content FROM active_docs")
                connection.rollback()
            runner.run(search(loop_store, text))

        check()
        runner.run(loop_store.close())
    assert world(engine) == before
