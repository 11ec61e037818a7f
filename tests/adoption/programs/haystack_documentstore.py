"""Haystack: ``PgvectorDocumentStore`` of pgvector-haystack."""

from __future__ import annotations

from haystack.dataclasses import Document
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret
from haystack_integrations.components.retrievers.pgvector import PgvectorEmbeddingRetriever
from haystack_integrations.document_stores.pgvector import PgvectorDocumentStore
from program import DIMENSIONS, embed, serve


class Store:
    def __init__(self, url: str) -> None:
        self.store = PgvectorDocumentStore(
            connection_string=Secret.from_token(url),
            table_name="store",
            embedding_dimension=DIMENSIONS,
        )
        self.retriever = PgvectorEmbeddingRetriever(document_store=self.store)

    def write(self, documents: dict[str, str]) -> None:
        self.store.write_documents(
            [
                Document(id=key, content=text, meta={"key": key}, embedding=embed(text))
                for key, text in documents.items()
            ],
            policy=DuplicatePolicy.OVERWRITE,
        )

    def search(self, text: str, count: int) -> list[str]:
        found = self.retriever.run(query_embedding=embed(text), top_k=count)
        return [document.meta["key"] for document in found["documents"]]

    def read(self, key: str) -> list[str]:
        same = {"field": "meta.key", "operator": "==", "value": key}
        return [d.content or "" for d in self.store.filter_documents(same)]

    def delete(self, keys: list[str]) -> None:
        self.store.delete_documents(keys)


if __name__ == "__main__":
    serve(Store)
