"""vecs: ``Collection.upsert``, which batches by itself; no index yet, as its documents advise."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import vecs

given = json.load(sys.stdin)
texts = json.loads(Path(given["texts"]).read_text())
vectors = np.load(given["vectors"])
records = [
    (str(i), vector, {"content": text, "n": i, "source": "bench", "document_id": f"d{i // 10}"})
    for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
]
# SQLAlchemy 2.1 takes another driver by default than the one that vecs installs.
client = vecs.create_client(given["url"].replace("postgresql://", "postgresql+psycopg2://", 1))
docs = client.get_or_create_collection("docs", dimension=vectors.shape[1])
began = time.perf_counter()
docs.upsert(records)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "rows": len(records), "how": "upsert of all records"}))
