"""Eight searches at once with an endpoint that takes 200 ms, against one request at a time.

The endpoint is on the loopback and waits; so the time is the endpoint's, and not this machine's.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.figures import Figure
from bench.lab import Lab
from pgvec_versions import ChunkStore, Transition
from pgvec_versions.embedders import HttpEmbedder
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.install import install

ROW = "embedding-at-once"
TARGET = "≤ 0.25 ×"
THREADS = 8
#: How long the endpoint takes for a request. Units: seconds.
TAKES = 0.2


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        time.sleep(TAKES)
        data = [{"index": n, "embedding": [1.0, len(text)]} for n, text in enumerate(texts)]
        body = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def endpoint() -> Generator[str]:
    """The address of an endpoint."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def measure(lab: Lab) -> list[Figure]:
    """The wall time of eight searches, each in a thread of its own."""
    url = lab.url()
    with autocommitted(engine_for(url)) as connection:
        install(connection)
        connection.execute("SELECT pgvec.create_collection('docs')")
    with endpoint() as address:
        one, many = (
            HttpEmbedder(address, "m", revision="1", dimensions=2, concurrency=n)
            for n in (1, THREADS)
        )
        Transition(url, "docs", "v1", one).run(cut_over=True)
        slow, quick = (ChunkStore(url, "docs", {"v1": each}) for each in (one, many))
        for store in (slow, quick):
            at_once(store)  # canaries and connections
        theirs, ours = lab.alternate(lambda: at_once(slow), lambda: at_once(quick))
        one.close()
        many.close()
    return [
        Figure.compared(
            ROW,
            f"{THREADS} searches at once, concurrency = {THREADS}",
            "the same, concurrency = 1",
            ours.median * 1000,
            theirs.median * 1000,
            "ms",
            TARGET,
            endpoint_ms=TAKES * 1000,
            of_runs=ours.repeats,
        )
    ]


def at_once(store: ChunkStore) -> float:
    """Seconds until all have their answer."""
    with ThreadPoolExecutor(THREADS) as pool:
        began = time.perf_counter()
        for found in [pool.submit(store.search, f"q {n}") for n in range(THREADS)]:
            found.result()
        return time.perf_counter() - began
