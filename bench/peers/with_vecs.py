"""vecs: ``Collection.upsert``, which batches by itself; no index yet, as its documents advise."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import vecs

given = json.load(sys.stdin)
texts = json.load(open(given["texts"]))
vectors = np.load(given["vectors"])
records = [
    (str(i), vector, {"content": text, "n": i, "source": "bench", "document_id": f"d{i // 10}"})
    for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
]
client = vecs.create_client(given["url"])
docs = client.get_or_create_collection("docs", dimension=vectors.shape[1])
began = time.perf_counter()
docs.upsert(records)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "rows": len(records), "how": "upsert of all records"}))
