"""One HTTP exchange, limited by a deadline and by a number of bytes. Needs httpx.

The HTTP library measures its timeouts from one piece of an answer to the next, so a server that
sends a byte now and then is never late. Here every wait for the network (connecting, TLS, sending,
headers, body) ends at one deadline. Only the look-up of the host's name has the system's own limit.
The body is unpacked in steps, and never beyond its limit.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

#: The errors of an exchange that may succeed the next time.
BROKEN = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    zlib.error,
)

_ENCODINGS = ("gzip", "x-gzip", "deflate")
#: Lets zlib find out from the header which of the two it is.
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
#: A request is sent in pieces of this size. Units: bytes.
_PIECE = 16 * 1024
#: How long an unused connection stays open: httpx's default. Units: seconds.
_KEEP_ALIVE = 5.0


class OutOfTimeError(Exception):
    """The deadline has passed."""


class TooLargeError(Exception):
    """The answer is longer than its limit, packed or unpacked."""


class UnknownEncodingError(Exception):
    """The answer is packed in a way that the request did not ask for."""


class Deadline:
    """The moment at which everything must end. Units: seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began = time.monotonic()

    @property
    def left(self) -> float:
        """The time left, never negative."""
        return max(0.0, self.seconds - (time.monotonic() - self._began))

    def cut(self, timeout: float | None) -> float:
        """The timeout, shortened to end at the deadline. Raises: OutOfTimeError."""
        left = self.left
        if not left:
            raise OutOfTimeError
        return left if timeout is None else min(timeout, left)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``headers`` by lower-case name; ``body`` unpacked."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections to one origin, through the proxy that the environment names for it.

    Follows no redirect. Threads may share it.
    """

    def __init__(self, url: str, timeout: float, most: int) -> None:
        """``most``: how many connections are open at once. A further thread waits for one."""
        self._url = url
        self._timeout = timeout
        self._backend = _Backend()
        self._pool = _pool(url, self._backend, most)

    def post(
        self,
        body: bytes,
        headers: Sequence[tuple[str, str]],
        deadline: Deadline,
        limits: tuple[int, int],
    ) -> Answer:
        """Posts a body and reads the whole answer.

        ``limits``: the most bytes of an answer with status 200, and of any other. The latter is
        cut there.
        Raises: OutOfTimeError, TooLargeError, UnknownEncodingError, one of BROKEN.
        """
        most, most_of_error = limits
        waits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        self._backend.deadline = deadline
        try:
            with self._pool.stream(
                "POST",
                self._url,
                headers=list(headers),
                content=body,
                extensions={"timeout": waits},
            ) as response:
                named = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in response.headers
                }
                encoding = named.get("content-encoding", "").strip().lower()
                fine = response.status == HTTPStatus.OK
                read = _unpacked(
                    response.iter_stream(), encoding, most if fine else most_of_error, cut=not fine
                )
                untyped: Any = response
                reason: bytes = untyped.extensions.get("reason_phrase", b"")
                return Answer(response.status, reason.decode("latin-1"), named, read)
        except BROKEN as exc:
            if not deadline.left:
                raise OutOfTimeError from exc
            raise
        finally:
            self._backend.deadline = None

    def close(self) -> None:
        """Closes all of them."""
        self._pool.close()


def _pool(url: str, backend: httpcore.NetworkBackend, most: int) -> httpcore.ConnectionPool:
    options: dict[str, Any] = {
        "ssl_context": httpx.create_ssl_context(),
        "network_backend": backend,
        "max_connections": most,
        "max_keepalive_connections": most,
        "keepalive_expiry": _KEEP_ALIVE,
    }
    parts = urlsplit(url)
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return httpcore.ConnectionPool(**options)
    way = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    where = f"{way.scheme}://{way.hostname}" + (f":{way.port}" if way.port else "")
    who = (unquote(way.username), unquote(way.password or "")) if way.username else None
    if way.scheme.startswith("socks5"):
        return httpcore.SOCKSProxy(where, proxy_auth=who, **options)
    return httpcore.HTTPProxy(where, proxy_auth=who, **options)


def _unpacked(packed: Iterable[bytes], encoding: str, most: int, *, cut: bool) -> bytes:
    """The body, unpacked. If it is longer than ``most`` bytes, it is cut or refused."""
    if encoding not in (*_ENCODINGS, "", "identity"):
        raise UnknownEncodingError(encoding)
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in _ENCODINGS else None
    body = bytearray()
    came = 0
    for piece in packed:
        came += len(piece)
        rest = piece
        while rest and len(body) <= most:
            if unpack is None:
                body += rest
                break
            if unpack.eof:
                break
            body += unpack.decompress(rest, most + 1 - len(body))
            rest = unpack.unconsumed_tail
        if len(body) > most or came > most:
            if cut:
                return bytes(body[:most])
            raise TooLargeError
    if unpack is not None and came and not unpack.eof and not cut:
        raise zlib.error("the packed answer ends too early")
    return bytes(body)


class _Backend(httpcore.NetworkBackend):
    """The network. Every wait ends at the deadline of the calling thread."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()
        self._of_thread = threading.local()

    @property
    def deadline(self) -> Deadline | None:
        return getattr(self._of_thread, "deadline", None)

    @deadline.setter
    def deadline(self, deadline: Deadline | None) -> None:
        self._of_thread.deadline = deadline

    def cut(self, timeout: float | None) -> float | None:
        # A connection is closed after its exchange, without a deadline.
        return timeout if self.deadline is None else self.deadline.cut(timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise httpcore.ConnectError(str(exc)) from exc
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        # One by one, because the library would give each address of a host the whole timeout.
        for *_, address in found:
            try:
                stream = self._inner.connect_tcp(
                    str(address[0]), port, self.cut(timeout), local_address, socket_options
                )
                return _Stream(stream, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                last = exc
        raise last

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection. Every wait ends at the deadline of the calling thread."""

    def __init__(self, inner: httpcore.NetworkStream, backend: _Backend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.cut(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces, because a single call would start its timeout again after each piece it sent.
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], self._backend.cut(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._backend.cut(timeout))
        return _Stream(inner, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
