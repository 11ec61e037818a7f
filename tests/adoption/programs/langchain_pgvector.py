"""LangChain's older ``PGVector``: all its collections are in one table."""

from __future__ import annotations

import warnings

from langchain_core.embeddings import Embeddings
from program import embed, serve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langchain_postgres import PGVector


class Tiny(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [embed(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return embed(text)


class Store:
    def __init__(self, url: str) -> None:
        connection = url.replace("postgresql://", "postgresql+psycopg://")
        self.store, self.other = (
            PGVector(Tiny(), connection=connection, collection_name=name, use_jsonb=True)
            for name in ("texts", "others")
        )

    def write(self, documents: dict[str, str]) -> None:
        keys = list(documents)
        self.store.add_texts(list(documents.values()), [{"key": key} for key in keys], keys)
        # The other collection has the same texts, under other ids: none may be found.
        self.other.add_texts(
            list(documents.values()), [{"key": "other"}] * len(keys), [f"other {k}" for k in keys]
        )

    def search(self, text: str, count: int) -> list[str]:
        return [found.metadata["key"] for found in self.store.similarity_search(text, k=count)]

    def read(self, key: str) -> list[str]:
        return [found.page_content for found in self.store.get_by_ids([key])]

    def delete(self, keys: list[str]) -> None:
        self.store.delete(keys)


if __name__ == "__main__":
    serve(Store)
