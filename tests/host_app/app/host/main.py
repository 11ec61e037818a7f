"""The application: documents come in, questions are answered, each in one transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI, Request
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from host.embedders import embedders
from host.models import ActiveDoc, DocChunk, Document
from host.settings import database_url
from pgvec_versions import AsyncChunkStore, Chunk
from pgvec_versions.chunks.mapped import declare_query_version


class NewDocument(BaseModel):
    """What a user sends."""

    id: int
    title: str
    paragraphs: list[str]
    tenant: str = "public"


class Answer(BaseModel):
    """A chunk that was found, with its document."""

    title: str
    content: str
    model_version: str
    distance: float


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """One engine and one store for the life of the process."""
    engine = create_async_engine(database_url(), connect_args={"prepare_threshold": None})
    async with AsyncChunkStore(engine, "docs", embedders()) as store:
        app.state.engine, app.state.store = engine, store
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/documents", status_code=201)
async def put_document(given: NewDocument, request: Request) -> dict[str, int]:
    """Stores the document and its chunks, or nothing."""
    store = cast("AsyncChunkStore", request.app.state.store)
    key = f"document-{given.id}"
    async with AsyncSession(request.app.state.engine) as session, session.begin():
        await session.merge(Document(id=given.id, title=given.title))
        result = await store.add(
            [Chunk(text, key, n) for n, text in enumerate(given.paragraphs)], connection=session
        )
        of_document = update(DocChunk).where(DocChunk.document_id == key)
        await session.execute(
            of_document.where(DocChunk.model_version == result.model_version).values(
                source_id=given.id, tenant=given.tenant
            )
        )
    return {"added": result.added, "unchanged": result.unchanged, "embedded": result.embedded}


@app.get("/search")
async def search(q: str, request: Request, tenant: str = "public", k: int = 3) -> list[Answer]:
    """The nearest chunks of a tenant, by the active version."""
    store = cast("AsyncChunkStore", request.app.state.store)
    query = await store.embed_query(q)
    distance = cast("Any", ActiveDoc.embedding).cosine_distance(query)
    nearest = (
        select(Document.title, ActiveDoc.content, ActiveDoc.model_version, distance)
        .join(ActiveDoc.document)
        .where(ActiveDoc.tenant == tenant)
        .order_by(distance)
        .limit(k)
    )
    async with AsyncSession(request.app.state.engine) as session:
        await session.execute(declare_query_version(ActiveDoc, query))
        rows = (await session.execute(nearest)).all()
    return [
        Answer(title=title, content=content, model_version=label, distance=far)
        for title, content, label, far in rows
    ]


@app.get("/forgot")
async def forgot(request: Request) -> int:
    """What a programmer writes who never heard of versions: the guard answers."""
    async with AsyncSession(request.app.state.engine) as session:
        return len((await session.scalars(select(ActiveDoc))).all())
