"""LangChain: ``PGVectorStore`` of langchain-postgres."""

from __future__ import annotations

import uuid

from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from program import DIMENSIONS, embed, serve
from sqlalchemy.exc import ProgrammingError


class Tiny(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [embed(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return embed(text)


def _id(key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, key))


class Store:
    def __init__(self, url: str) -> None:
        engine = PGEngine.from_connection_string(
            url.replace("postgresql://", "postgresql+asyncpg://")
        )
        try:
            engine.init_vectorstore_table("store", DIMENSIONS)
        except ProgrammingError as error:
            if "already exists" not in str(error):
                raise
        self.store = PGVectorStore.create_sync(engine, Tiny(), "store")

    def write(self, documents: dict[str, str]) -> None:
        self.store.add_texts(
            list(documents.values()),
            [{"key": key} for key in documents],
            [_id(key) for key in documents],
        )

    def search(self, text: str, count: int) -> list[str]:
        found = self.store.similarity_search(text, k=count, filter={"key": {"$ne": "nobody"}})
        return [document.metadata["key"] for document in found]

    def read(self, key: str) -> list[str]:
        return [document.page_content for document in self.store.get_by_ids([_id(key)])]

    def delete(self, keys: list[str]) -> None:
        self.store.delete([_id(key) for key in keys])


if __name__ == "__main__":
    serve(Store)
