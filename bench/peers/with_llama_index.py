"""llama-index: ``PGVectorStore.add`` of nodes with embeddings, 2,048 at once as its index does."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from llama_index.core.schema import TextNode
from llama_index.vector_stores.postgres import PGVectorStore

BATCH = 2048

given = json.load(sys.stdin)
texts = json.loads(Path(given["texts"]).read_text())
vectors = np.load(given["vectors"])
nodes = [
    TextNode(
        text=text,
        metadata={"n": i, "source": "bench", "document_id": f"d{i // 10}"},
        embedding=vector.tolist(),
    )
    for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
]
plain = given["url"].split("://", 1)[1]
store = PGVectorStore.from_params(
    connection_string="postgresql+psycopg2://" + plain,
    async_connection_string="postgresql+asyncpg://" + unquote(plain),
    table_name="docs",
    embed_dim=vectors.shape[1],
)
began = time.perf_counter()
for start in range(0, len(nodes), BATCH):
    store.add(nodes[start : start + BATCH])
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "rows": len(nodes), "how": f"add, {BATCH} nodes at once"}))
