"""An OpenAI-compatible endpoint: a real server on the loopback, with scripted answers."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pgvec_versions.embedders import HttpEmbedder


@dataclass
class Answer:
    """The answer to one request; without a body, the right vectors."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    hang: bool = False
    cut: bool = False


class Endpoint:
    """A server that plays its script, and then answers every request with the right vectors."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.let_go = threading.Event()
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

    def close(self) -> None:
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
