"""A poisoned text and an endpoint that fails in every way: they hold nobody up, nothing is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgvec_versions import Chunk, ChunkStore, Transition
from pgvec_versions.embedders import HttpEmbedder
from pgvec_versions.errors import BadEmbedding, EmbedderError, NotReady
from pgvec_versions.states import State
from tests.cli.conftest import Run, configure, run  # noqa: F401
from tests.db.helpers import assert_own_vectors, contents
from tests.faults.looks import one
from tests.tools import Connect, TinyEmbedder, are_canaries

ROOT = Path(__file__).resolve().parents[2]
POISON = "the poisoned text"
FAULTS = ("fine", "fine", "429", "503", "too few", "wrong shape", "NaN", "zeros", "cut", "late")


class FlakyEndpoint:
    """An OpenAI-compatible server that fails at random, and always on one text. Canaries apart."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.healthy = False
        self.model = TinyEmbedder("http", 8)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                endpoint.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        texts: list[str] = body["input"]
        sound = self.healthy or are_canaries(texts)
        fault = "fine" if sound else self.chance.choice(FAULTS)
        if not self.healthy and POISON in texts:
            fault = "poison"
        self.faults[fault] += 1
        vectors: list[Any] = [self.model.vector(text).tolist() for text in texts]
        status, headers = 200, {}
        if fault == "429":
            status, headers = 429, {"Retry-After": "0"}
        elif fault in ("503", "late"):
            status = {"503": 503, "late": 504}[fault]
        elif fault == "poison":
            status = 400
        elif fault == "too few":
            vectors = vectors[:-1]
        elif fault == "wrong shape":
            vectors[0] = vectors[0][:5]
        elif fault == "NaN":
            vectors[0] = [float("nan")] * 8
        elif fault == "zeros":
            vectors[0] = [0.0] * 8
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        said = json.dumps({"object": "list", "model": body["model"], "data": data}).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(said)))
        handler.end_headers()
        handler.wfile.write(said[: len(said) // 2] if fault == "cut" else said)
        if fault == "cut":
            handler.close_connection = True


@pytest.fixture
def endpoint() -> Iterator[FlakyEndpoint]:
    made = FlakyEndpoint(7)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_a_poisoned_text_and_a_flaky_endpoint_hold_nobody_up_until_an_operator_retries(
    endpoint: FlakyEndpoint,
    run: Run,  # noqa: F811
    configure: Callable[..., Path],  # noqa: F811
    database: str,
    connect: Connect,
) -> None:
    db = connect()
    db.execute("SELECT pgvec.create_collection('docs')")
    one_ = TinyEmbedder()
    Transition(database, "docs", "v1", one_).run(cut_over=True)
    good = [f"text {number:02}" for number in range(30)]
    ChunkStore(database, "docs", {"v1": one_}).add([*map(Chunk, good), Chunk(POISON)])
    spec = {
        "provider": "openai-compatible", "base_url": endpoint.url, "model": "m", "revision": "1",
        "dimensions": 8, "max_attempts": 4, "timeout": 5.0,
    }  # fmt: skip
    model = HttpEmbedder(
        endpoint.url, "m", revision="1", dimensions=8, max_attempts=4, timeout=5.0,
        sleep=lambda _: None,
    )  # fmt: skip
    two = Transition(
        database, "docs", "v2", model, chunks_per_item=3, max_attempts=6, retry_in=timedelta(0)
    )
    two.begin()
    for _ in range(40):
        try:
            two.backfill()
        except NotReady:
            # Set aside: the only thing that is left to say, once all else is done.
            if one(db, "SELECT count(*) FROM pgvec.work_item WHERE set_aside_at IS NULL") == 0:
                break
        except EmbedderError:
            continue
    have = [text for text in contents(two.engine, "v2") if text != POISON]
    aside = one(db, "SELECT count(*) FROM pgvec.work_item WHERE set_aside_at IS NOT NULL")
    assert POISON not in contents(two.engine, "v2")
    assert have == good, "a good text was held up by a bad one"
    assert aside == 1
    two.build_index()
    with pytest.raises(NotReady) as caught:
        two.make_ready()
    assert caught.value.detail["problems"]["set_aside"] == 1
    # The operator sees it, fixes the cause, and says so.
    configure("v2", spec)
    row = next(r for r in run("status", "--json").data if r["model_version"] == "v2")
    assert row["items_set_aside"] == 1
    assert "400" in row["last_error"]
    endpoint.healthy = True
    # A process of its own, whose connections to the endpoint end with it.
    done = json.loads(
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pgvec_versions",
                "worker",
                "--drain",
                "--retry-failed",
                "--json",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ).stdout
    )
    assert (done["reopened"], done["written"], done["set_aside"]) == (1, 1, 0)
    two.make_ready()
    assert two.state is State.READY
    model.close()
    assert_own_vectors(two.engine, {"v1": one_, "v2": endpoint.model})
    print(
        f"PostgreSQL {db.info.server_version // 10_000}: 31 texts through an endpoint that answered"
        f" {dict(endpoint.faults)}; one set aside, all others written, healed by --retry-failed"
    )


@pytest.mark.parametrize("bad", ["shape", "NaN", "count"])
def test_vectors_that_cannot_be_are_never_stored(bad: str, database: str, connect: Connect) -> None:
    class Bad(TinyEmbedder):
        def embed_documents(self, texts: Any) -> Any:
            made = super().embed_documents(texts)
            if are_canaries(texts):
                return made
            if bad == "shape":
                return made[:, :5]
            return made[:-1] if bad == "count" else made * np.nan

    db = connect()
    db.execute("SELECT pgvec.create_collection('docs')")
    Transition(database, "docs", "v1", TinyEmbedder()).run(cut_over=True)
    ChunkStore(database, "docs", {"v1": TinyEmbedder()}).add(["a", "b"])
    two = Transition(database, "docs", "v2", Bad("b"), max_attempts=1, retry_in=timedelta(0))
    two.begin()
    report = two.worker().drain()
    assert report.set_aside > 0
    assert isinstance(report.last_error, BadEmbedding)
    assert one(db, "SELECT count(*) FROM docs WHERE model_version = 'v2'") == 0
