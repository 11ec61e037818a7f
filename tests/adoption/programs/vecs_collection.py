"""vecs: a collection in schema ``vecs``. Texts have no column; they are in the metadata."""

from __future__ import annotations

import vecs
from program import DIMENSIONS, embed, serve


class Store:
    def __init__(self, url: str) -> None:
        self.store = vecs.create_client(url).get_or_create_collection("store", dimension=DIMENSIONS)

    def write(self, documents: dict[str, str]) -> None:
        self.store.upsert(
            [(key, embed(text), {"key": key, "text": text}) for key, text in documents.items()]
        )

    def search(self, text: str, count: int) -> list[str]:
        return [str(key) for key in self.store.query(embed(text), limit=count)]

    def read(self, key: str) -> list[str]:
        return [metadata["text"] for _, _, metadata in self.store.fetch([key])]

    def delete(self, keys: list[str]) -> None:
        self.store.delete(keys)


if __name__ == "__main__":
    serve(Store)
