"""What a change costs: writes, the guard and searches against another revision, in one run.

Run: ``python -m bench.before REVISION [--chunks N]``, in a git checkout. Two databases of one
server, one with the catalog of this checkout and one with that of the revision, run the same
statements in turn, while two versions are live. A ratio below 1: this checkout is faster.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from bench.lab import timed
from pgvec_versions.postgres.embedded import EmbeddedServer, embedded_server
from tests.tools import copy_version, literal, live_collection

_ROOT = Path(__file__).parent.parent
_DIMENSIONS = 64
#: Rows a statement, and how often each kind of statement is measured.
_WRITES = ((1, 60), (500, 8))
_ROUNDS = 7
#: As many queries as make the luck of one graph small: HNSW draws its levels at random.
_QUERIES = 20
#: One statement in a loop inside the server, once for each query, and loops.
_READS = {
    "guard": ("PERFORM pgvec.assert_query_version('docs', 'v1')", 1_000),
    "search through the view": (
        "PERFORM chunk_id FROM active_docs ORDER BY embedding <=> {query} LIMIT 10",
        50,
    ),
    "nearest": ("PERFORM * FROM pgvec.nearest('docs', {query}, 'v1', 10)", 20),
    "nearest, filtered": (
        "PERFORM * FROM pgvec.nearest('docs', {query}, 'v1', 10, '{{\"even\": true}}')",
        20,
    ),
}

Connection = psycopg.Connection[Any]


def vector(seed: int) -> str:
    return literal([((seed * 7 + place) % 97 + 1) / 97 for place in range(_DIMENSIONS)])


def queries() -> list[str]:
    """The same vectors in every run."""
    drawn = np.random.default_rng(1).standard_normal((_QUERIES, _DIMENSIONS)).astype(np.float32)
    return [literal(row) for row in drawn]


def database(server: EmbeddedServer, name: str, tree: Path, chunks: int) -> Connection:
    """A database with the catalog of a tree; v1 active, v2 ready, both full."""
    url = server.url(name)
    subprocess.run(
        [sys.executable, "-m", "pgvec_versions", "init", "--database-url", url],
        check=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )
    connection = psycopg.connect(url, autocommit=True)
    live_collection(connection, count=chunks, dimensions=_DIMENSIONS)
    connection.execute("SELECT pgvec.register_version('docs', 'v2', %s)", (_DIMENSIONS,))
    copy_version(connection, "docs", "v1", "v2", _DIMENSIONS)
    for verb in ("build_index", "make_ready"):
        connection.execute(f"SELECT pgvec.{verb}('docs', 'v2')".encode())
    connection.execute("SET pgvec.query_version.docs = 'v1'")
    connection.execute("ANALYZE")
    return connection


def writes(turn: int, rows: int, chunks: int) -> Iterator[tuple[str, str]]:
    """Statements through v1: new chunks, another text, other metadata, gone again."""
    ids = ", ".join(f"md5('x{turn}-{row}')::uuid" for row in range(rows))
    old = ", ".join(f"md5('chunk{(turn * rows + row) % chunks + 1}')::uuid" for row in range(rows))
    values = ", ".join(
        f"(md5('x{turn}-{row}')::uuid, 'v1', 't{turn}-{row}', '{vector(turn + row)}')"
        for row in range(rows)
    )
    mine = "WHERE model_version = 'v1' AND chunk_id IN"
    yield (
        "insert",
        f"INSERT INTO docs (chunk_id, model_version, content, embedding) VALUES {values}",
    )
    edited = literal([3.0] + [1.0] * (_DIMENSIONS - 1))
    yield "edit", f"UPDATE docs SET content = 'e', embedding = '{edited}' {mine} ({ids})"
    yield "metadata", f"UPDATE docs SET metadata = '{{\"n\": {turn}}}' {mine} ({old})"
    yield "delete", f"DELETE FROM docs {mine} ({ids})"


def by_turns(databases: dict[str, Connection], turn: int) -> list[tuple[str, Connection]]:
    found = list(databases.items())
    return found if turn % 2 else found[::-1]


def measure(databases: dict[str, Connection], chunks: int) -> Iterator[tuple[str, float, float]]:
    """What, before, now. Units: seconds; medians of writes, the least of reads."""
    for rows, times in _WRITES:
        took: dict[str, dict[str, list[float]]] = {}
        for turn in range(times):
            for name, connection in by_turns(databases, turn):
                for kind, statement in writes(turn * 1000 + rows, rows, chunks):
                    seconds = timed(lambda c=connection, s=statement: c.execute(s.encode()))
                    took.setdefault(kind, {}).setdefault(name, []).append(seconds)
        for kind, of in took.items():
            before, now = (statistics.median(of[name]) for name in databases)
            yield f"{kind}, {rows} rows a statement", before, now
    for what, (call, loops) in _READS.items():
        statements = " ".join(call.format(query=f"'{query}'") + ";" for query in queries())
        loop = f"DO $$BEGIN FOR i IN 1..{loops} LOOP {statements} END LOOP; END$$".encode()
        best: dict[str, list[float]] = {}
        for turn in range(_ROUNDS):
            for name, connection in by_turns(databases, turn):
                seconds = timed(lambda c=connection, s=loop: c.execute(s))
                best.setdefault(name, []).append(seconds / (loops * _QUERIES))
        before, now = (min(best[name]) for name in databases)
        yield what, before, now


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.before", description=__doc__.splitlines()[0])
    parser.add_argument("revision")
    parser.add_argument("--chunks", type=int, default=5_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pgvec-before-"))
    folder.chmod(0o755)
    git = ["git", "-C", str(_ROOT), "worktree"]
    subprocess.run([*git, "add", "-q", "--detach", folder / "tree", options.revision], check=True)
    try:
        with embedded_server(folder / "data", postgres_version=18) as server:
            trees = {"before": folder / "tree", "now": _ROOT}
            databases = {
                name: database(server, f"bench_{name}", tree, options.chunks)
                for name, tree in trees.items()
            }
            for what, before, now in measure(databases, options.chunks):
                print(f"{what:32} {before * 1e6:10.1f} µs {now * 1e6:10.1f} µs {now / before:6.2f}")
            for connection in databases.values():
                connection.close()
    finally:
        subprocess.run([*git, "remove", "--force", folder / "tree"], check=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
