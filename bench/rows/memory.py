"""The memory of a worker, for a hundred times the rows."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg

from bench.figures import Figure
from bench.lab import DIMENSIONS, Lab
from bench.writing import collection, load

ROW = "memory"
FILL = """
INSERT INTO docs (model_version, document_id, position, content, metadata, embedding)
SELECT 'v1', 'document-' || i / 10, i % 10, lpad((i % 1000)::text, 9, '0') || repeat(' text', 20),
       jsonb_build_object('n', i), e.embedding
  FROM generate_series({first}, {last}) i,
       LATERAL (SELECT v.embedding FROM sample v WHERE v.place = i % 1000) e
"""


def measure(lab: Lab) -> list[Figure]:
    """The largest resident set of a process that does nothing but one backfill."""
    few = 1_000 if lab.quick else 10_000
    many = few * (10 if lab.quick else 100)
    taken = {rows: worker(lab, rows) for rows in (few, many)}
    grown = taken[many] - taken[few]
    return [
        Figure.compared(
            ROW,
            f"growth of a worker's memory, {few:,} to {many:,} rows",
            "",
            grown,
            None,
            "MB",
            "≤ 50",
            few_rows_mb=taken[few],
            many_rows_mb=taken[many],
        )
    ]


def worker(lab: Lab, rows: int) -> float:
    """Units: MB at its peak."""
    sample = load(lab, 1_000)
    url = collection(lab, ("v1", sample.embedder("old")))
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE TABLE sample (place int PRIMARY KEY, embedding vector)")
        with admin.cursor() as cursor, cursor.copy("COPY sample FROM STDIN") as copy:
            for place, vector in enumerate(sample.vectors):
                copy.write_row((place, str(vector.tolist())))
        step = 50_000
        for first in range(0, rows, step):
            last = min(first + step, rows) - 1
            admin.execute(FILL.format(first=first, last=last).encode())
        admin.execute("ANALYZE docs")
    command = [sys.executable, "-m", "bench.memory_worker", url, str(rows), str(DIMENSIONS)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    lab.clean()
    return float(json.loads(ended.stdout.splitlines()[-1])["peak_mb"])
