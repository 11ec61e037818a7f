"""Haystack: ``PgvectorDocumentStore.write_documents`` of all documents at once."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from haystack import Document
from haystack.utils import Secret
from haystack_integrations.document_stores.pgvector import PgvectorDocumentStore

given = json.load(sys.stdin)
texts = json.loads(Path(given["texts"]).read_text())
vectors = np.load(given["vectors"])
documents = [
    Document(
        content=text,
        meta={"n": i, "source": "bench", "document_id": f"d{i // 10}"},
        embedding=vector.tolist(),
    )
    for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
]
store = PgvectorDocumentStore(
    connection_string=Secret.from_token(given["url"]),
    table_name="docs",
    embedding_dimension=vectors.shape[1],
    recreate_table=True,
)
store.count_documents()
began = time.perf_counter()
store.write_documents(documents)
seconds = time.perf_counter() - began
how = "write_documents of all"
print(json.dumps({"seconds": seconds, "rows": len(documents), "how": how}))
