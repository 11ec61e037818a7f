"""vecshift: ``init`` and ``apply`` with its built-in test model, on a table with an HNSW index.

Its own figure of seconds stands: without the start of its process, and without its index build.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psycopg

given = json.load(sys.stdin)
texts = json.loads(Path(given["texts"]).read_text())
vectors = np.load(given["vectors"])
dimensions = vectors.shape[1]
with psycopg.connect(given["url"], autocommit=True) as connection:
    connection.execute(
        f"CREATE TABLE documents (id bigint PRIMARY KEY, content text NOT NULL,"
        f" metadata jsonb NOT NULL, embedding vector({dimensions}) NOT NULL)"
    )
    with connection.cursor() as cursor, cursor.copy("COPY documents FROM STDIN") as copy:
        for i, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
            copy.write_row((i, text, json.dumps({"n": i}), str(vector.tolist())))
    connection.execute("CREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops)")
    connection.execute("ANALYZE documents")

command = str(Path(sys.executable).parent / "vecshift")
model = f"hash/{dimensions}"
environment = {**os.environ, "VECSHIFT_DSN": given["url"]}
with tempfile.TemporaryDirectory() as folder:
    job = str(Path(folder) / "vecshift.yaml")
    said = ""
    for verb in (
        ["init", "--table", "public.documents", "--model", model, "--output", job],
        ["apply", "--yes", "--no-index", "--json", job],
    ):
        said = subprocess.run(
            [command, *verb],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
result = next(event for event in events if event["event"] == "result")
assert result["status"] == "complete", result
how = f"apply --no-index, {model}"
print(json.dumps({"seconds": result["seconds"], "rows": result["rows_written"], "how": how}))
