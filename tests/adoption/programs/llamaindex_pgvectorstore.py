"""LlamaIndex: ``PGVectorStore`` of llama-index-vector-stores-postgres, table ``data_store``."""

from __future__ import annotations

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.vector_stores.postgres import PGVectorStore
from program import DIMENSIONS, embed, serve


class Store:
    def __init__(self, url: str) -> None:
        self.store = PGVectorStore.from_params(
            connection_string=url.replace("postgresql://", "postgresql+psycopg2://"),
            async_connection_string=url.replace("postgresql://", "postgresql+asyncpg://"),
            table_name="store",
            embed_dim=DIMENSIONS,
        )

    def write(self, documents: dict[str, str]) -> None:
        self.store.delete_nodes(list(documents))  # it has no upsert
        self.store.add(
            [
                TextNode(id_=key, text=text, metadata={"key": key}, embedding=embed(text))
                for key, text in documents.items()
            ]
        )

    def search(self, text: str, count: int) -> list[str]:
        query = VectorStoreQuery(query_embedding=embed(text), similarity_top_k=count)
        return [node.metadata["key"] for node in self.store.query(query).nodes or []]

    def read(self, key: str) -> list[str]:
        return [node.get_content() for node in self.store.get_nodes(node_ids=[key])]

    def delete(self, keys: list[str]) -> None:
        self.store.delete_nodes(keys)


if __name__ == "__main__":
    serve(Store)
