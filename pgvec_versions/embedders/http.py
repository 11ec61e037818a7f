"""An endpoint with OpenAI's embeddings API; every wait and every answer has a limit."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pgvec_versions.embedders import keys
from pgvec_versions.embedders.address import origin_and_address
from pgvec_versions.embedders.gates import Gate
from pgvec_versions.embedders.http_answers import (
    clean,
    parsed,
    retry_after_seconds,
    status_words,
    vectors_in_order,
)
from pgvec_versions.embedders.identity import EmbedderIdentity
from pgvec_versions.embedders.options import at_least_one, missing_extra, positive
from pgvec_versions.embedders.pauses import Pause
from pgvec_versions.embedders.protocol import Vectors, checked, prefixed, unit_rows
from pgvec_versions.errors import ConfigError, EmbedderFailed, EmbedderUnavailable

if TYPE_CHECKING:
    from pgvec_versions.embedders.transport import Answer, Connections

#: The name of this kind in an identity and in ``pgvec.toml``.
PROVIDER = "openai-compatible"

#: The longest single wait, even if the endpoint asks for more. Units: seconds.
MAX_WAIT = 60.0

#: The longest answer that is read, for a batch of any size. Units: bytes, unpacked.
MOST_BYTES = 512 * 1024 * 1024

# How long an answer may be. It may repeat the request. Beside that: a number in the longest form of
# JSON, indented; what is around a vector; what is around all of them. Units: bytes.
_A_NUMBER = 64
_A_VECTOR = 1024
_AROUND = 64 * 1024
#: As much of an error's body as is read: its message is at the beginning. Units: bytes.
_AN_ERROR = 64 * 1024

_EXTRA = "http"
_TOO_MANY_REQUESTS = HTTPStatus.TOO_MANY_REQUESTS
#: From this status on the server is at fault, and the next attempt may succeed.
_SERVER_ERRORS = 500
#: The waits between attempts double from here. Units: seconds.
_FIRST_WAIT = 0.5
#: As much of an encoding's name as an error repeats. Units: characters.
_SHOWN_ENCODING = 40


class HttpEmbedder:
    """Embeds by ``POST {base_url}/embeddings``, in batches, and retries each a few times.

    ``revision`` is free text: the snapshot or date that the provider states. An endpoint cannot
    prove it. ``dimensions`` is what must come back; with ``send_dimensions`` the request asks for
    it too. Threads may share an instance: ``concurrency`` requests are on their way at once, the
    others wait. When the endpoint asks for a pause (``Retry-After``), all threads keep it. Each
    request reads the key from the environment variable ``api_key_env``. The identity
    has ``base_url`` and the name of that variable, never the key.

    Units: ``timeout`` in seconds, for connecting and between two pieces of an answer. ``deadline``
    in seconds, for a batch from its first attempt to its last byte, with all waits and retries.
    An answer may have 64 bytes for each number, 1 KiB for each vector, the length of the request
    and 64 KiB, unpacked; and never more than ``MOST_BYTES``. A redirect is not followed.
    Effects: keeps connections open until ``close`` or the end of a ``with`` block.
    Raises: ConfigError.
    Source: https://platform.openai.com/docs/api-reference/embeddings/create
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        revision: str | None,
        dimensions: int,
        api_key_env: str | None = None,
        send_dimensions: bool = False,
        normalize: bool = False,
        query_prefix: str = "",
        document_prefix: str = "",
        batch_size: int = 128,
        timeout: float = 30.0,
        max_attempts: int = 5,
        deadline: float = 300.0,
        concurrency: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Checks the options. Opens no connection."""
        for name, value in (
            ("dimensions", dimensions),
            ("batch_size", batch_size),
            ("timeout", timeout),
            ("max_attempts", max_attempts),
            ("deadline", deadline),
        ):
            positive(name, value)
        at_least_one("concurrency", concurrency)
        if not revision:
            raise ConfigError(
                f"model {model} is not pinned: no revision is given.",
                hint='State the snapshot or the date that the provider names: revision = "…"',
            )
        keys.check_name(api_key_env)
        self._origin, base = origin_and_address(base_url)
        self._url = base + "/embeddings"
        self._model = model
        self._dimensions = dimensions
        self._api_key_env = api_key_env
        self._send_dimensions = send_dimensions
        self._normalize = normalize
        self._query_prefix = query_prefix
        self._document_prefix = document_prefix
        self._batch_size = batch_size
        self._timeout = timeout
        self._max_attempts = max_attempts
        self._deadline = deadline
        self._sleep = sleep
        self._concurrency = concurrency
        self._gate = Gate(concurrency)
        self._pause = Pause()
        self._opening = threading.Lock()
        self._connections: Connections | None = None
        self._identity = EmbedderIdentity(
            provider=PROVIDER,
            model=model,
            revision=revision,
            options={
                "dimensions": dimensions,
                "normalize": normalize,
                "query_prefix": query_prefix,
                "document_prefix": document_prefix,
                "base_url": base,
                "api_key_env": api_key_env,
            },
        )

    @property
    def identity(self) -> EmbedderIdentity:
        """Which model, pinned."""
        return self._identity

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return self._dimensions

    @property
    def concurrency(self) -> int:
        """How many requests are on their way at once, at most."""
        return self._concurrency

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to store.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError for a missing key.
        """
        return self._embed(prefixed(texts, self._document_prefix))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to search for.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError for a missing key.
        """
        return self._embed(prefixed(texts, self._query_prefix))

    def require_allowed_key(self, where: str) -> None:
        """Checks that not only the file ``where`` allows this host to get this variable's secret.

        Raises: ConfigError; see ``keys``.
        """
        if self._api_key_env is not None:
            keys.require_allowed(self._origin, self._api_key_env, where=where)

    def close(self) -> None:
        """Closes the connections; the next request opens new ones."""
        with self._opening:
            connections, self._connections = self._connections, None
        if connections is not None:
            connections.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """``close``."""
        self.close()

    def _embed(self, texts: list[str]) -> Vectors:
        batches = [
            self._batch(texts[start : start + self._batch_size], first_row=start)
            for start in range(0, len(texts), self._batch_size)
        ]
        if not batches:
            return np.empty((0, self._dimensions), dtype=np.float32)
        return np.concatenate(batches)

    def _batch(self, texts: list[str], *, first_row: int) -> Vectors:
        what = str(self._identity)
        with self._gate.place():
            answer = self._post(texts)
        rows = checked(
            vectors_in_order(answer, count=len(texts), what=what),
            count=len(texts),
            dimensions=self._dimensions,
            what=what,
            first_row=first_row,
        )
        return unit_rows(rows) if self._normalize else rows

    def _post(self, texts: list[str]) -> Any:
        """The parsed answer to one batch, retried until it succeeds or the attempts are used up."""
        try:
            import httpx  # noqa: F401  # pyright: ignore[reportUnusedImport]
            import tenacity

            from pgvec_versions.embedders import transport
        except ImportError as exc:
            raise missing_extra(_EXTRA, exc) from exc
        key = self._key()
        body = self._body(texts)
        limits = self._most_bytes(len(texts), len(body)), _AN_ERROR
        headers = _headers(key)
        with self._opening:
            if self._connections is None:
                self._connections = transport.Connections(
                    self._url, self._timeout, self._concurrency
                )
            connections = self._connections
        deadline = transport.Deadline(self._deadline)
        tried = _Tried()

        def attempt() -> Answer:
            self._keep_pause(tried, wait)
            tried.attempts += 1
            try:
                answer = connections.post(body, headers, deadline, limits)
            except transport.BROKEN as exc:
                raise tried.noted(_TryAgain(type(exc).__name__)) from exc
            if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERRORS:
                asked = retry_after_seconds(
                    answer.headers.get("retry-after"), now=datetime.now(UTC)
                )
                words = clean(status_words(answer), key)
                failure = _TryAgain(words, status=answer.status, retry_after=asked)
                if asked is not None:
                    tried.waited_until = self._pause.ask(min(asked, MAX_WAIT), failure)
                raise tried.noted(failure)
            return answer

        def wait(seconds: float) -> None:
            if seconds >= deadline.left:
                raise transport.OutOfTimeError
            self._sleep(seconds)

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._max_attempts),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(_TryAgain),
            sleep=wait,
            reraise=True,
        )
        try:
            answer = retrying(attempt)
        except _TryAgain as last:
            raise self._unavailable(last) from last
        except transport.OutOfTimeError as exc:
            raise self._out_of_time(tried) from exc
        except transport.TooLargeError as exc:
            raise EmbedderFailed(
                f"{self._identity}: the answer to {len(texts)} texts is longer than the"
                f" {limits[0]} bytes that it may have.",
                hint="Nothing of it was kept. Is base_url right?",
                detail={"limit": limits[0], "texts": len(texts), "dimensions": self._dimensions},
            ) from exc
        except transport.UnknownEncodingError as exc:
            encoding = clean(str(exc), key)[:_SHOWN_ENCODING]
            raise EmbedderFailed(
                f"{self._identity}: the answer is packed as {encoding!r},"
                " which the request did not ask for.",
            ) from exc
        return parsed(answer, key, what=str(self._identity))

    def _keep_pause(self, tried: _Tried, wait: Callable[[float], None]) -> None:
        """Waits as long as the endpoint asked any thread to wait. Raises: what ``wait`` raises."""
        # This thread has just waited until then, before it came here.
        self._pause.over(tried.waited_until)
        while True:
            left, until, why = self._pause.left(tried.waited_until)
            if not left:
                return
            if isinstance(why, _TryAgain) and tried.last is None:
                tried.noted(why)
            wait(left)
            tried.waited_until = until
            self._pause.over(until)

    def _body(self, texts: list[str]) -> bytes:
        body: dict[str, Any] = {
            "model": self._model,
            "input": texts,
            "encoding_format": "float",
        }
        if self._send_dimensions:
            body["dimensions"] = self._dimensions
        try:
            return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeError as exc:
            raise EmbedderFailed(
                f"{self._identity}: a text holds half a surrogate pair, which is no UTF-8."
            ) from exc

    def _most_bytes(self, texts: int, request: int) -> int:
        """How long the answer to a batch may be. Units: bytes, unpacked."""
        vectors = texts * (self._dimensions * _A_NUMBER + _A_VECTOR)
        return min(vectors + request + _AROUND, MOST_BYTES)

    def _key(self) -> str | None:
        if self._api_key_env is None:
            return None
        key = os.environ.get(self._api_key_env, "").strip()
        # Printable ASCII only: the HTTP library would show any other key in its own error.
        if not key or not key.isascii() or not key.isprintable():
            state = "holds characters that no key has" if key else "is not set"
            raise ConfigError(
                f"the environment variable {self._api_key_env} {state}.",
                hint=f"It must hold the API key for {self._identity}.",
            )
        return key

    def _unavailable(self, last: _TryAgain) -> EmbedderUnavailable:
        return EmbedderUnavailable(
            f"{self._identity} is not available after {self._max_attempts} attempts;"
            f" the last one: {last}.",
            hint="Nothing was written; try again later.",
            detail={
                "status": last.status,
                "attempts": self._max_attempts,
                "retry_after": last.retry_after,
            },
        )

    def _out_of_time(self, tried: _Tried) -> EmbedderUnavailable:
        seen = f"; the last attempt that ended: {tried.last}" if tried.last else ""
        return EmbedderUnavailable(
            f"{self._identity} did not answer within {self._deadline:g} seconds{seen}.",
            hint="Nothing was written; try again later, with smaller batches (batch_size) or a"
            " longer deadline.",
            detail={
                "deadline": self._deadline,
                "attempts": tried.attempts,
                "status": tried.last.status if tried.last else None,
                "retry_after": tried.last.retry_after if tried.last else None,
            },
        )


class _Tried:
    """The attempts so far, for the error."""

    def __init__(self) -> None:
        self.attempts = 0
        self.last: _TryAgain | None = None
        self.waited_until = 0.0

    def noted(self, failure: _TryAgain) -> _TryAgain:
        self.last = failure
        return failure


class _TryAgain(Exception):
    """A failed attempt; the next one may succeed."""

    def __init__(
        self, words: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(words)
        self.status = status
        self.retry_after = retry_after


def _wait(retry_state: Any) -> float:
    """How long to wait before the next attempt. Units: seconds, at most MAX_WAIT."""
    last = retry_state.outcome.exception()
    asked = last.retry_after if isinstance(last, _TryAgain) else None
    if asked is not None:
        return min(asked, MAX_WAIT)
    # Half of it random, so that workers that failed together do not come back together.
    step = min(_FIRST_WAIT * 2.0**retry_state.attempt_number, MAX_WAIT)
    return step / 2 + random.uniform(0, step / 2)


def _headers(key: str | None) -> list[tuple[str, str]]:
    headers = [
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("Content-Type", "application/json"),
        ("User-Agent", "pgvec-versions"),
    ]
    return [*headers, ("Authorization", f"Bearer {key}")] if key else headers
