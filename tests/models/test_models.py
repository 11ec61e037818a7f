"""A host's models: written to like any other, read through the routing view, never mixed."""

from __future__ import annotations

import re
import uuid
from typing import Any

import numpy as np
import pytest
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import Engine, MetaData, delete, event, insert, inspect, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, selectinload

from pgvec_versions import ChunkMixin, PgvecError, Worker, active_view
from pgvec_versions.chunks.mapped import (
    BigintChunkMixin,
    ChunkVector,
    TextChunkMixin,
    declare_query_version,
)
from pgvec_versions.errors import ConfigError, ReadOnlyView, error_for, translated
from tests.models.conftest import EMBEDDERS, NEW, OLD, HostDatabase
from tests.models.host import ActiveDoc, Base, DocChunk, Document, Note


def nearest(session: Session, words: str, store: Any, k: int = 3) -> list[DocChunk]:
    query = store.embed_query(words)
    session.execute(declare_query_version(ActiveDoc, query))
    found = select(ActiveDoc).order_by(ActiveDoc.embedding.cosine_distance(query)).limit(k)
    return list(session.scalars(found))


def test_a_query_through_the_model_finds_what_the_store_finds(host: HostDatabase) -> None:
    for label in ("v1", "v2"):
        if label == "v2":
            host.cut_over(label)
        with Session(host.engine) as session:
            found = nearest(session, "text 7", host.store, k=5)
        expected = host.store.search("text 7", k=5)
        assert [(str(c.chunk_id), c.content) for c in found] == [
            (h.chunk_id, h.content) for h in expected
        ]
        assert {c.model_version for c in found} == {label}
        assert found[0].headline == "text 7"
        assert isinstance(found[0], DocChunk)
        assert found[0].embedding == pytest.approx(EMBEDDERS[label].vector("text 7").tolist())


def test_a_query_through_the_model_uses_the_index(host: HostDatabase) -> None:
    query = host.store.embed_query("text 7")
    ordered = select(ActiveDoc.content).order_by(ActiveDoc.embedding.cosine_distance(query))
    with Session(host.engine) as session:
        session.execute(declare_query_version("docs", query))
        session.execute(text("SET LOCAL enable_seqscan = off"))

        def explain(conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
            return f"EXPLAIN {statement}", parameters

        event.listen(host.engine, "before_cursor_execute", explain, retval=True)
        try:
            plans = [str(row[0]) for row in session.execute(ordered.limit(5))]
        finally:
            event.remove(host.engine, "before_cursor_execute", explain)
    assert any(re.search(r"Index Scan using docs__v1_\w*hnsw", line) for line in plans), plans


def test_the_view_joins_filters_and_relates_like_a_table(host: HostDatabase) -> None:
    with Session(host.engine) as session:
        session.add(Note(id=1, chunk_id=_chunk_id(session, 1), text="a note"))
        session.flush()
        session.execute(declare_query_version(ActiveDoc, "any"))
        joined = (
            select(ActiveDoc.content, Document.title)
            .join(ActiveDoc.document)
            .where(ActiveDoc.tenant == "red", ActiveDoc.metadata_["n"].astext.is_(None))
            .order_by(ActiveDoc.position)
        )
        assert [tuple(row) for row in session.execute(joined)] == [
            (f"text {n}", "Handbook") for n in range(3)
        ]
        (chunk,) = session.scalars(
            select(ActiveDoc)
            .where(ActiveDoc.position == 1)
            .options(selectinload(ActiveDoc.document), selectinload(ActiveDoc.notes))
        )
        assert chunk.document is not None
        assert (chunk.document.title, [note.text for note in chunk.notes]) == (
            "Handbook",
            ["a note"],
        )
        natural = select(Document.title).join(ActiveDoc).where(ActiveDoc.position == 0)
        assert session.scalar(natural) == "Handbook"


def _chunk_id(session: Session, position: int) -> Any:
    return session.scalar(
        select(DocChunk.chunk_id).where(
            DocChunk.position == position, DocChunk.model_version == "v1"
        )
    )


def test_a_row_written_through_the_model_reaches_every_live_version(host: HostDatabase) -> None:
    with Session(host.engine) as session, session.begin():
        chunk = DocChunk(
            model_version="v1",
            content="new",
            tenant="blue",
            metadata_={"a": 1},
            embedding=OLD.vector("new"),
        )
        session.add(chunk)
        session.flush()
        assert isinstance(chunk.chunk_id, uuid.UUID)
        assert chunk.written_at is not None
        edited = session.scalars(
            select(DocChunk).where(DocChunk.model_version == "v1", DocChunk.position == 4)
        ).one()
        before = edited.written_at
        edited.content, edited.embedding = "changed", OLD.vector("changed").tolist()
        session.flush()
        assert edited.written_at > before
        session.delete(
            session.scalars(
                select(DocChunk).where(DocChunk.model_version == "v1", DocChunk.position == 5)
            ).one()
        )
    Worker(host.engine, "docs", EMBEDDERS).drain()
    host.cut_over("v2")
    with Session(host.engine) as session:
        session.execute(declare_query_version(ActiveDoc, "v2"))
        rows = {c.content: c for c in session.scalars(select(ActiveDoc))}
    assert {"new", "changed"} <= rows.keys()
    assert not {"text 4", "text 5"} & rows.keys()
    assert rows["new"].tenant == "blue"
    assert rows["new"].embedding == pytest.approx(NEW.vector("new").tolist(), abs=1e-6)


# --- Reading only ---


def write_insert(session: Session) -> None:
    session.add(ActiveDoc(model_version="v1", content="x", embedding=[1.0] * 8))
    session.flush()


def write_update(session: Session) -> None:
    session.scalars(select(ActiveDoc)).first().content = "x"  # type: ignore[union-attr]
    session.flush()


def write_delete(session: Session) -> None:
    session.delete(session.scalars(select(ActiveDoc)).first())
    session.flush()


@pytest.mark.parametrize("write", [write_insert, write_update, write_delete])
def test_a_flush_through_the_view_says_where_to_write(host: HostDatabase, write: Any) -> None:
    with Session(host.engine) as session:
        session.execute(declare_query_version(ActiveDoc, "v1"))
        with pytest.raises(ReadOnlyView, match=r"with DocChunk or ChunkStore\.add") as caught:
            write(session)
    assert caught.value.detail == {"collection": "docs", "view": "active_docs"}
    assert caught.value.sqlstate == "PV050"


@pytest.mark.parametrize(
    "statement",
    [
        insert(ActiveDoc).values(model_version="v1", content="x", embedding=[1.0] * 8),
        update(ActiveDoc).values(tenant="x"),
        delete(ActiveDoc),
        text("UPDATE docs_at_v1 SET tenant = 'x'"),
        text("DELETE FROM docs_at_v2"),
        text("INSERT INTO docs_at_v1 (model_version, content) VALUES ('v1', 'x')"),
    ],
    ids=str,
)
def test_the_database_refuses_every_write_through_a_view(
    host: HostDatabase, statement: Any
) -> None:
    with Session(host.engine) as session:
        session.execute(declare_query_version(ActiveDoc, "any"))
        with pytest.raises(DBAPIError) as caught:
            session.execute(statement)
    error = error_for(caught.value)
    assert isinstance(error, ReadOnlyView)
    assert error.detail["collection"] == "docs"
    assert error.hint == "Write to the chunk table, public.docs; every live version follows."


def test_views_stay_read_only_through_flips_and_refreshes(host: HostDatabase) -> None:
    host.cut_over("v2")
    with host.engine.begin() as connection:
        connection.execute(text("SELECT pgvec.roll_back('docs')"))
        connection.execute(text("SELECT pgvec.refresh_collection('docs')"))
    for name in ("active_docs", "docs_at_v1", "docs_at_v2"):
        with host.engine.connect() as connection:
            connection.execute(text("SET pgvec.query_version.docs = 'any'"))
            with pytest.raises(ReadOnlyView), translated():
                connection.execute(text(f"UPDATE {name} SET content = 'x'"))


# --- What the models are ---


def test_the_view_of_a_model_is_made_once() -> None:
    assert active_view(DocChunk) is ActiveDoc
    assert ActiveDoc.__name__ == "ActiveDocChunk"
    assert inspect(ActiveDoc).local_table.name == "active_docs"
    assert [c.key for c in inspect(ActiveDoc).local_table.columns] == [
        c.key for c in inspect(DocChunk).local_table.columns
    ]


def test_asking_for_chunks_never_gives_rows_of_the_view(host: HostDatabase) -> None:
    with Session(host.engine) as session:
        found = session.scalars(select(DocChunk)).all()
    assert {type(chunk) for chunk in found} == {DocChunk}
    assert len(found) == 40


def test_create_all_passes_over_what_a_collection_has_made(host: HostDatabase) -> None:
    Base.metadata.create_all(host.engine)
    assert "active_docs" in inspect(host.engine).get_view_names()


def test_create_all_does_not_make_a_chunk_table_of_its_own(database: str, engine: Engine) -> None:
    with pytest.raises(ConfigError, match=r"op\.create_collection\('docs'\)"):
        Base.metadata.create_all(engine)
    assert not inspect(engine).has_table("docs")


def test_collections_of_every_kind_have_a_model(engine: Engine) -> None:
    class Other(DeclarativeBase):
        metadata = MetaData(schema="shop")

    class Numbered(BigintChunkMixin, Other):
        __collection__ = "numbered"
        embedding: Mapped[list[float]] = mapped_column(ChunkVector("halfvec"))

    class Named(TextChunkMixin, Other):
        __collection__ = "named"

    class Plain(ChunkMixin, Other):
        __collection__ = "plain"

    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA shop"))
        connection.execute(text("SET LOCAL search_path = shop, public"))
        for name, options in (
            ("numbered", "id_type => 'bigint', storage => 'halfvec'"),
            ("named", "id_type => 'text'"),
            ("plain", "id_type => 'uuid'"),
        ):
            connection.execute(text(f"SELECT pgvec.create_collection('{name}', {options})"))
            connection.execute(text(f"SELECT pgvec.register_version('{name}', 'v1', 2)"))
            connection.execute(text(f"SELECT pgvec.build_index('{name}', 'v1')"))
    for model, given in ((Numbered, {}), (Named, {"chunk_id": "a"}), (Plain, {})):
        view = active_view(model)
        with Session(engine) as session, session.begin():
            row = model(model_version="v1", content="x", embedding=[1.0, 2.0], **given)
            session.add(row)
            session.flush()
            chunk_id = row.chunk_id
            for verb in ("make_ready", "cut_over"):
                session.execute(text(f"SELECT pgvec.{verb}('{model.__collection__}', 'v1')"))
        with Session(engine) as session:
            session.execute(declare_query_version(view, "v1"))
            distance = view.embedding.cosine_distance([2.0, 4.0])
            (found, far), *_ = session.execute(select(view, distance)).all()
            assert (found.chunk_id, found.embedding, far) == (chunk_id, [1.0, 2.0], 0.0)


def test_a_mapped_vector_is_a_list_whatever_pgvector_makes_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pgvector before 0.5 makes an array, which ``==`` compares number by number."""
    array = np.array([1.0, 2.0], dtype=np.float32)
    monkeypatch.setattr(VECTOR, "result_processor", lambda *_: lambda _: array)
    read = ChunkVector().result_processor(postgresql.dialect(), None)
    assert read("[1,2]") == [1.0, 2.0]


# --- Columns that come and go ---


def test_a_column_added_later_is_everywhere_after_one_refresh(host: HostDatabase) -> None:
    with host.engine.begin() as connection:
        connection.execute(text("ALTER TABLE docs ADD COLUMN \"a b\" text DEFAULT 'x'"))
        connection.execute(text("SELECT pgvec.refresh_collection('docs')"))
        connection.execute(text("SELECT pgvec.register_version('docs', 'v3', 8)"))
        connection.execute(text("SET LOCAL pgvec.query_version.docs = 'any'"))
        for name in ("active_docs", "docs_at_v1", "docs_at_v2"):
            assert connection.execute(text(f'SELECT DISTINCT "a b" FROM {name}')).all() == [("x",)]
        assert connection.execute(text('SELECT "a b" FROM pgvec_leaves.docs__v3')).all() == []


def test_a_column_leaves_the_views_and_then_the_table(host: HostDatabase) -> None:
    with host.engine.begin() as connection:
        connection.execute(text("CREATE ROLE pgvec_models_reader"))
        connection.execute(text("SELECT pgvec.grant_read('docs', 'pgvec_models_reader')"))
        with pytest.raises(PgvecError) as caught, translated(), connection.begin_nested():
            connection.execute(text("SELECT pgvec.refresh_collection('docs', '{content}')"))
        assert caught.value.sqlstate == "PV007"
        connection.execute(text("SELECT pgvec.refresh_collection('docs', '{tenant}')"))
        connection.execute(text("ALTER TABLE docs DROP COLUMN tenant"))
        connection.execute(text("SELECT pgvec.refresh_collection('docs')"))
    host.cut_over("v2")
    with host.engine.begin() as connection:
        assert "tenant" not in [c["name"] for c in inspect(connection).get_columns("active_docs")]
        connection.execute(text("SET LOCAL ROLE pgvec_models_reader"))
        connection.execute(text("SET LOCAL pgvec.query_version.docs = 'v2'"))
        assert connection.scalar(text("SELECT count(*) FROM active_docs")) == 20
        connection.execute(text("RESET ROLE"))
        connection.execute(text("DROP OWNED BY pgvec_models_reader"))
        connection.execute(text("DROP ROLE pgvec_models_reader"))
