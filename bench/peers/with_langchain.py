"""LangChain: ``PGVectorStore.add_embeddings``, the store that its documents recommend."""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore

BATCH = 1000


class Nothing(Embeddings):
    """Never called: the vectors are ready-made."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError


given = json.load(sys.stdin)
texts = json.loads(Path(given["texts"]).read_text())
vectors = np.load(given["vectors"])
embeddings = vectors.tolist()
metadatas = [{"n": i, "source": "bench", "document_id": f"d{i // 10}"} for i in range(len(texts))]
ids = [str(uuid.uuid4()) for _ in texts]
url = given["url"].replace("postgresql://", "postgresql+psycopg://", 1)
engine = PGEngine.from_connection_string(url=url)
engine.init_vectorstore_table(table_name="docs", vector_size=vectors.shape[1])
store = PGVectorStore.create_sync(engine=engine, table_name="docs", embedding_service=Nothing())
began = time.perf_counter()
for start in range(0, len(texts), BATCH):
    part = slice(start, start + BATCH)
    store.add_embeddings(texts[part], embeddings[part], metadatas[part], ids[part])
seconds = time.perf_counter() - began
how = f"add_embeddings, {BATCH} at once"
print(json.dumps({"seconds": seconds, "rows": len(texts), "how": how}))
