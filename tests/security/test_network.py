"""What the network may do to us: never for ever, never without end, never with another's secret."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pgvec_versions.config import load_config
from pgvec_versions.embedders import HttpEmbedder, build_embedder, differences
from pgvec_versions.embedders.http import MOST_BYTES
from pgvec_versions.errors import (
    ConfigError,
    EmbedderFailed,
    EmbedderUnavailable,
    PgvecError,
)

SECRET = "wJalrXUtnFEMI-not-yours"
ENOUGH = 8.0  # seconds: a deadline of one second that is kept ends long before


class Wire:
    """A server of raw bytes: each connection is handed to ``plays``, in turn the last for ever."""

    def __init__(self, *plays: Callable[[socket.socket], None]) -> None:
        self.plays = list(plays)
        self.heard: list[bytes] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def _listen(self) -> None:
        while True:
            try:
                came, _ = self._listener.accept()
            except OSError:
                return
            if self.over.is_set():
                came.close()
                return
            play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
            thread = threading.Thread(target=self._one, args=(came, play))
            self._threads.append(thread)
            thread.start()

    def _one(self, came: socket.socket, play: Callable[[socket.socket], None]) -> None:
        with came:
            came.settimeout(ENOUGH)
            try:
                self.heard.append(request(came))
                play(came)
            except OSError:
                pass

    def drip(self, head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
        """Sends ``head``, then ``drop`` again and again, ever in time for the next timeout."""

        def play(came: socket.socket) -> None:
            came.sendall(head)
            while not self.over.wait(0.1):
                came.sendall(drop)

        return play

    def close(self) -> None:
        self.over.set()
        with socket.create_connection(self._listener.getsockname()[:2]):
            pass
        self._thread.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()


def request(came: socket.socket) -> bytes:
    heard = b""
    while b"\r\n\r\n" not in heard:
        more = came.recv(65536)
        if not more:
            return heard
        heard += more
    head, _, body = heard.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += came.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes, *headers: str, status: str = "200 OK") -> Callable[[socket.socket], None]:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, "Connection: close"))

    def play(came: socket.socket) -> None:
        came.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return play


def vectors(count: int = 1) -> bytes:
    data = [{"index": i, "embedding": [1.0, 2.0, 3.0]} for i in range(count)]
    return json.dumps({"data": data}).encode()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Wire]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made: list[Wire] = []

    def make(*plays: Any) -> Wire:
        made.append(Wire(*plays))
        return made[-1]

    yield make
    for one in made:
        one.close()


def embedder(url: str, **options: Any) -> HttpEmbedder:
    settings: dict[str, Any] = {"revision": "1", "dimensions": 3, **options}
    return HttpEmbedder(url, "m", **settings)


# The duration


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 500 Down\r\nContent-Length: 100000\r\n\r\n", b" "),
    ],
    ids=["body", "chunks", "headers", "no answer yet", "an error"],
)
def test_a_server_that_drips_ends_at_the_deadline(
    wire: Callable[..., Wire], head: bytes, drop: bytes
) -> None:
    server = wire(lambda came: None)
    server.plays = [server.drip(head, drop)]
    began = time.monotonic()
    with (
        embedder(server.url, timeout=30, deadline=1) as asked,
        pytest.raises(EmbedderUnavailable, match="within 1 seconds") as caught,
    ):
        asked.embed_documents(["a"])
    assert time.monotonic() - began < ENOUGH
    assert caught.value.detail["deadline"] == 1
    assert caught.value.detail["attempts"] == 1


def test_a_tls_handshake_that_never_comes_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
        began = time.monotonic()
        with embedder(url, timeout=30, deadline=1) as asked, pytest.raises(EmbedderUnavailable):
            asked.embed_documents(["a"])
        assert time.monotonic() - began < ENOUGH


@pytest.mark.parametrize("status", ["429 Slow", "503 Down"])
def test_what_the_server_asks_to_wait_counts_into_the_deadline(
    wire: Callable[..., Wire], status: str
) -> None:
    server = wire(answer(b"", "Retry-After: 50", status=status))
    slept: list[float] = []
    with (
        embedder(server.url, deadline=20, sleep=slept.append) as asked,
        pytest.raises(EmbedderUnavailable) as caught,
    ):
        asked.embed_documents(["a"])
    assert slept == []
    assert len(server.heard) == 1
    assert caught.value.detail == {
        "deadline": 20,
        "attempts": 1,
        "status": int(status[:3]),
        "retry_after": 50.0,
    }


def test_retries_share_one_deadline(wire: Callable[..., Wire]) -> None:
    server = wire(lambda came: None)
    server.plays = [server.drip(b"", b"")]
    began = time.monotonic()
    with (
        embedder(
            server.url, timeout=0.4, deadline=1, max_attempts=1000, sleep=lambda _: None
        ) as asked,
        pytest.raises(EmbedderUnavailable),
    ):
        asked.embed_documents(["a"])
    assert time.monotonic() - began < ENOUGH
    assert len(server.heard) < 10


def test_no_redirect_is_followed(wire: Callable[..., Wire]) -> None:
    other = wire(answer(vectors()))
    server = wire(answer(b"gone", f"Location: {other.url}/embeddings", status="307 There"))
    with embedder(server.url) as asked, pytest.raises(EmbedderFailed, match="307"):
        asked.embed_documents(["a"])
    assert other.heard == []


# The size


def bomb(size: int, member: int = 1) -> bytes:
    packed = gzip.compress(b" " * size, 9)
    for _ in range(member - 1):
        packed = gzip.compress(packed, 9)
    return packed


def test_a_gzip_bomb_is_not_unpacked(wire: Callable[..., Wire]) -> None:
    packed = bomb(300_000_000)
    assert len(packed) < 400_000
    server = wire(answer(packed, "Content-Encoding: gzip"))
    # Loaded before memory is looked at.
    with embedder(server.url) as asked, pytest.raises(EmbedderFailed):
        asked.embed_documents(["a"])
    tracemalloc.start()
    try:
        with (
            embedder(server.url) as asked,
            pytest.raises(EmbedderFailed, match="longer than") as caught,
        ):
            asked.embed_documents(["a"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000
    assert caught.value.detail["limit"] < 100_000
    assert caught.value.detail["texts"] == 1
    assert len(server.heard) == 2  # it is not asked again


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("deflate", zlib.compress(b" " * 50_000_000)),
        ("gzip", gzip.compress(b"") * 20_000),
        ("gzip, gzip", bomb(1_000_000, 2)),
        ("br", b"anything"),
        ("zstd", b"anything"),
    ],
    # Not made of the bytes: gzip writes the time, and every worker must find the same tests.
    ids=["deflate", "gzip", "gzip twice", "br", "zstd"],
)
def test_however_it_is_packed_it_is_bounded_or_refused(
    wire: Callable[..., Wire], encoding: str, body: bytes
) -> None:
    server = wire(answer(body, f"Content-Encoding: {encoding}"))
    with embedder(server.url) as asked, pytest.raises(EmbedderFailed):
        asked.embed_documents(["a"])


def test_an_answer_without_end_is_left(wire: Callable[..., Wire]) -> None:
    left = threading.Event()

    def endless(came: socket.socket) -> None:
        came.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                came.sendall(b" " * 65536)
        except OSError:
            left.set()

    server = wire(endless)
    with embedder(server.url) as asked, pytest.raises(EmbedderFailed, match="longer than"):
        asked.embed_documents(["a"])
    assert left.wait(ENOUGH)


def test_the_bound_goes_with_what_was_asked_for(wire: Callable[..., Wire]) -> None:
    server = wire(answer(b" " * 400_000))
    limits: list[int] = []
    for texts, dimensions in ((1, 3), (2, 3), (2, 300)):
        with (
            embedder(server.url, dimensions=dimensions) as asked,
            pytest.raises(EmbedderFailed) as caught,
        ):
            asked.embed_documents(["a"] * texts)
        limits.append(caught.value.detail["limit"])
    one, two, wide = limits
    assert two - one == 3 * 64 + 1024 + len(',"a"')
    assert wide - two == 2 * 297 * 64
    with (
        embedder(server.url, dimensions=10**9) as asked,
        pytest.raises(PgvecError),
    ):
        asked.embed_documents(["a"])
    assert embedder(server.url, dimensions=10**9)._most_bytes(1, 0) == MOST_BYTES  # pyright: ignore[reportPrivateUsage]


def test_an_honest_packed_answer_of_long_numbers_passes(wire: Callable[..., Wire]) -> None:
    numbers = [-0.12345678901234567e-100 * (n + 1) + 1 for n in range(1536)]
    data = [{"index": i, "embedding": numbers, "object": "embedding"} for i in range(64)]
    body = json.dumps({"object": "list", "data": data}, indent=8).encode()
    server = wire(answer(gzip.compress(body), "Content-Encoding: gzip"))
    with embedder(server.url, dimensions=1536) as asked:
        assert asked.embed_documents(["a"] * 64).shape == (64, 1536)
    assert b"accept-encoding: gzip\r\n" in server.heard[0].lower()


def test_an_error_of_any_length_is_shown_in_a_line(wire: Callable[..., Wire]) -> None:
    packed = gzip.compress(b"no\x1b]52;c;eA==\x07 such model " + b"x" * 50_000_000)
    server = wire(answer(packed, "Content-Encoding: gzip", status="404 No"))
    with embedder(server.url) as asked, pytest.raises(EmbedderFailed) as caught:
        asked.embed_documents(["a"])
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"data":' * 8000, b"\xff\xfe\x00", b'{"data": 1e999}', b"9" * 60_000]
)
def test_json_that_breaks_a_reader_is_an_error_of_ours(
    wire: Callable[..., Wire], body: bytes
) -> None:
    server = wire(answer(body))
    with embedder(server.url) as asked, pytest.raises(PgvecError):
        asked.embed_documents(["a"])


# The secret


def hostile(folder: Path, url: str, variable: str) -> None:
    (folder / "pgvec.toml").write_text(
        f"""
        [collections.docs]
        model_version = "v1"
        embedder = {{ provider = "openai-compatible", model = "m", revision = "1",
                     base_url = "{url}", api_key_env = "{variable}", dimensions = 3 }}
        """.replace("\n                     ", " ")
    )


@pytest.mark.parametrize("variable", ["AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "PGPASSWORD"])
def test_a_file_cannot_send_a_secret_to_a_host_of_its_choice(
    wire: Callable[..., Wire], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    server = wire(answer(vectors()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, SECRET)
    monkeypatch.delenv("PGVEC_ALLOW_KEY", raising=False)
    hostile(tmp_path, server.url, variable)
    spec = load_config().collection("docs").embedder
    with pytest.raises(ConfigError) as caught:
        build_embedder(spec)
    said = str(caught.value)
    assert variable in said
    assert server.url.removesuffix("/v1") in said
    assert "pgvec.toml" in said
    assert SECRET not in said
    assert server.heard == []
    # What the message says to type is what it takes.
    name, _, pair = caught.value.detail["allow"].partition("=")
    assert f"{name}='{pair}'" in said
    monkeypatch.setenv(name, pair)
    with build_embedder(spec) as allowed:  # type: ignore[attr-defined]
        allowed.embed_queries(["a"])
    assert f"Bearer {SECRET}".encode() in server.heard[0]


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://api.openai.com/v1", ""),
        ("https://api.openai.com:8443/v1", ""),
        ("https://api.openai.com.evil.example/v1", ""),
        ("https://evil.example/api.openai.com/v1", ""),
        ("https://evil.example/v1", "good.example=OPENAI_API_KEY"),
        ("https://evil.example/v1", "evil.example=OTHER_KEY"),
        ("https://evil.example/v1", "evil.example"),
        ("http://good.example/v1", "good.example=OPENAI_API_KEY"),
        ("https://good.example:444/v1", "good.example=OPENAI_API_KEY"),
        ("https://sub.good.example/v1", "good.example=OPENAI_API_KEY"),
        ("https://evil.example/v1", "*=OPENAI_API_KEY"),
    ],
)
def test_nothing_near_an_allowed_pair_is_allowed(
    monkeypatch: pytest.MonkeyPatch, url: str, allow: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("PGVEC_ALLOW_KEY", allow)
    with pytest.raises(ConfigError, match="PGVEC_ALLOW_KEY"):
        build_embedder(hosted(url))


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("https://api.openai.com/v1", ""),
        ("https://API.openai.com:443/v1", ""),
        ("https://good.example/v1", "other.example=X good.example=OPENAI_API_KEY"),
        ("https://good.example/v1", "other.example=X,https://good.example/=OPENAI_API_KEY"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080=OPENAI_API_KEY"),
        ("https://[::1]:8080/v1", "[::1]:8080=OPENAI_API_KEY"),
    ],
)
def test_what_was_allowed_is_allowed(monkeypatch: pytest.MonkeyPatch, url: str, allow: str) -> None:
    monkeypatch.setenv("PGVEC_ALLOW_KEY", allow)
    build_embedder(hosted(url))


def hosted(url: str, variable: str | None = "OPENAI_API_KEY") -> dict[str, Any]:
    spec: dict[str, Any] = {
        "provider": "openai-compatible",
        "model": "m",
        "revision": "1",
        "base_url": url,
        "dimensions": 3,
    }
    return spec if variable is None else {**spec, "api_key_env": variable}


@pytest.mark.parametrize("name", ["", "sk-live-123", "A B", "A\x1b[2J", "A=B", "1A"])
def test_what_is_no_name_of_a_variable_is_refused_unseen(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_embedder(hosted("https://api.openai.com/v1", name))
    assert not name or name not in str(caught.value)


def test_a_host_without_a_key_needs_no_word(wire: Callable[..., Wire]) -> None:
    server = wire(answer(vectors()))
    with build_embedder(hosted(server.url, None)) as made:  # type: ignore[attr-defined]
        made.embed_queries(["a"])
    assert b"authorization" not in server.heard[0].lower()


def test_host_and_variable_are_compared_and_the_key_is_in_no_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    options: dict[str, Any] = {"revision": "1", "dimensions": 3}
    here = HttpEmbedder("https://one.example/v1", "m", api_key_env="A_KEY", **options).identity
    there = HttpEmbedder("https://two.example/v1", "m", api_key_env="B_KEY", **options).identity
    assert set(differences(here.to_json(), there)) == {"options.base_url", "options.api_key_env"}
    assert SECRET not in json.dumps(here.to_json()) + repr(here) + here.fingerprint


def test_a_proxy_of_the_environment_is_still_used(
    monkeypatch: pytest.MonkeyPatch, wire: Callable[..., Wire]
) -> None:
    proxy = wire(answer(vectors()))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
    with embedder("http://models.example/v1") as asked:
        asked.embed_queries(["a"])
    assert proxy.heard[0].startswith(b"POST http://models.example/v1/embeddings ")
