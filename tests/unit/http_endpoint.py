"""An OpenAI-compatible endpoint: a real server on the loopback, with scripted answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pgvec_versions.embedders import HttpEmbedder

#: How long a request waits for others before it is answered all the same. Units: seconds.
LONGEST_HOLD = 10.0


@dataclass
class Answer:
    """The answer to one request; without a body, the right vectors."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    hang: bool = False
    cut: bool = False


class Endpoint:
    """A server that plays its script, and then answers every request with the right vectors.

    With ``together`` it answers no request before that many have been on their way at once, and
    with ``held`` none before that is true.
    """

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.let_go = threading.Event()
        self.together = 1
        self.held: Callable[[], bool] = lambda: True
        self.most_in_flight = 0
        self._in_flight = 0
        self._arrivals = threading.Condition()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                endpoint.reply(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.paths.append(handler.path)
        self.requests.append(body)
        self.headers.append(dict(handler.headers.items()))
        self._wait_for_others()
        answer = self.script.pop(0) if self.script else Answer()
        # A client that ignores its timeout gets the answer after a second.
        if answer.hang and self.let_go.wait(1):
            handler.close_connection = True
            return
        text = answer.body if answer.body is not None else right(body["input"])
        data = text.encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data) + (10 if answer.cut else 0)))
        handler.end_headers()
        handler.wfile.write(data)
        if answer.cut:
            handler.close_connection = True

    def _wait_for_others(self) -> None:
        with self._arrivals:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            self._arrivals.notify_all()
            deadline = time.monotonic() + LONGEST_HOLD
            while self.most_in_flight < self.together or not self.held():
                # Nobody tells when ``held`` has become true.
                self._arrivals.wait(0.005)
                if time.monotonic() > deadline:
                    break
            # Before the answer: whoever has it may send the next request at once.
            self._in_flight -= 1

    def go_on(self) -> None:
        """Answers the requests that it holds, and holds none from now on."""
        with self._arrivals:
            self.together = 1
            self._arrivals.notify_all()

    def close(self) -> None:
        self.go_on()
        self.let_go.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def vector(text: str) -> list[float]:
    """The vector of a text: its length and its first letter tell it from others."""
    return [float(len(text)), float(ord(text[0])), 1.0]


def listing(vectors: list[Any]) -> str:
    data = [{"index": i, "embedding": v, "object": "embedding"} for i, v in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "m"})


def right(texts: list[str]) -> str:
    return listing([vector(text) for text in texts])


class Embedding:
    """Makes embedders for the endpoint. They record their waits instead of sleeping."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.waits: list[float] = []
        self.made: list[HttpEmbedder] = []

    def __call__(self, **options: Any) -> HttpEmbedder:
        base_url = options.pop("base_url", self.endpoint.url)
        settings: dict[str, Any] = {
            "revision": "2024-01",
            "dimensions": 3,
            "sleep": self.waits.append,
            **options,
        }
        embedder = HttpEmbedder(base_url, "m", **settings)
        self.made.append(embedder)
        return embedder
