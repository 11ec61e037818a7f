"""A database of a host: its own tables, a collection with columns of the host's, two versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from pgvec_versions import Chunk, ChunkStore, Transition
from tests.models.host import Base, DocChunk, Document
from tests.tools import TinyEmbedder

OLD, NEW = TinyEmbedder("old"), TinyEmbedder("new")
EMBEDDERS = {"v1": OLD, "v2": NEW}

ADD_COLUMNS = b"""
    CREATE TABLE documents (id integer PRIMARY KEY, title text NOT NULL);
    ALTER TABLE docs ADD COLUMN tenant text NOT NULL DEFAULT 'red';
    ALTER TABLE docs ADD COLUMN source_id integer REFERENCES documents;
    SELECT pgvec.refresh_collection('docs');
"""


@dataclass
class HostDatabase:
    """A database whose collection ``docs`` is on v1, with v2 ready."""

    url: str
    engine: Engine
    store: ChunkStore

    def cut_over(self, label: str) -> None:
        Transition(self.engine, "docs", label, EMBEDDERS[label]).cut_over()


@pytest.fixture
def host(database: str) -> Iterator[HostDatabase]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pgvec.create_collection('docs')")
        connection.execute(ADD_COLUMNS)
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    Transition(engine, "docs", "v1", OLD).run(cut_over=True)
    store = ChunkStore(engine, "docs", EMBEDDERS)
    store.add([Chunk(f"text {n}", document_id="d", position=n) for n in range(20)])
    with Session(engine) as session, session.begin():
        session.add(Document(id=1, title="Handbook"))
        session.flush()
        for chunk in session.query(DocChunk).where(DocChunk.position < 3):
            chunk.source_id = 1
    Transition(engine, "docs", "v2", NEW).run()
    yield HostDatabase(database, engine, store)
    engine.dispose()
