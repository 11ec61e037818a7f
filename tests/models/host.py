"""A host's models, as an application would write them."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgvec_versions import ChunkMixin, active_view


class Base(DeclarativeBase):
    pass


class Document(Base):
    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    chunks: Mapped[list[DocChunk]] = relationship(
        back_populates="document",
        primaryjoin="and_(DocChunk.source_id == Document.id, DocChunk.tenant == 'red')",
        order_by="DocChunk.position",
    )


class DocChunk(ChunkMixin, Base):
    __collection__ = "docs"

    tenant: Mapped[str] = mapped_column(Text, server_default="red")
    source_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"))
    document: Mapped[Document | None] = relationship(back_populates="chunks")
    notes: Mapped[list[Note]] = relationship(
        primaryjoin="DocChunk.chunk_id == foreign(Note.chunk_id)",
        order_by="Note.id",
        viewonly=True,
    )

    @property
    def headline(self) -> str:
        return self.content.split(".")[0]


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    chunk_id: Mapped[str] = mapped_column(DocChunk.chunk_id.type)
    text: Mapped[str] = mapped_column(Text)


ActiveDoc = active_view(DocChunk)
