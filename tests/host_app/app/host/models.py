"""The application's models."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgvec_versions import ChunkMixin, active_view


class Base(DeclarativeBase):
    """What all models share."""


class Document(Base):
    """A document as the users know it."""

    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    chunks: Mapped[list[DocChunk]] = relationship(back_populates="document", viewonly=True)


class DocChunk(ChunkMixin, Base):
    """A chunk of a document, with columns of the application's own."""

    __collection__ = "docs"
    __table_args__ = (Index("docs_tenant", "tenant"),)

    tenant: Mapped[str] = mapped_column(Text, server_default="public")
    language: Mapped[str | None] = mapped_column(Text)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"))
    document: Mapped[Document | None] = relationship(back_populates="chunks")


ActiveDoc = active_view(DocChunk)
