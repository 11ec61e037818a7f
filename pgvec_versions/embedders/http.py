"""Any endpoint that speaks OpenAI's embeddings API, with bounded patience."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

import numpy as np

from pgvec_versions.embedders import keys
from pgvec_versions.embedders.identity import EmbedderIdentity
from pgvec_versions.embedders.options import missing_extra, positive
from pgvec_versions.embedders.protocol import Vectors, checked, prefixed, unit_rows
from pgvec_versions.errors import (
    BadEmbedding,
    ConfigError,
    EmbedderFailed,
    EmbedderUnavailable,
)

if TYPE_CHECKING:
    from pgvec_versions.embedders.transport import Answer, Connections

__all__ = ["MAX_WAIT", "MOST_BYTES", "PROVIDER", "HttpEmbedder", "retry_after_seconds"]

#: What the identity and ``pgvec.toml`` call this kind.
PROVIDER = "openai-compatible"

#: The longest single wait, whatever the endpoint asks for. Units: seconds.
MAX_WAIT = 60.0

#: The longest answer that is read, however much was asked for. Units: bytes, unpacked.
MOST_BYTES = 512 * 1024 * 1024

# What an answer may take beside the request that it may repeat: a number in the longest way that
# JSON prints it, indented; what stands around a vector; what stands around them all. Units: bytes.
_A_NUMBER = 64
_A_VECTOR = 1024
_AROUND = 64 * 1024
_AN_ERROR = 64 * 1024  # as much of an error's text is looked at

_EXTRA = "http"
_FIRST_WAIT = 0.5
_SHOWN = 200  # characters of an answer that an error repeats
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9.])?|[0-9a-f:.]*:[0-9a-f:.]*")


class HttpEmbedder:
    """Embeds by ``POST {base_url}/embeddings``, in batches, each retried a bounded number of times.

    ``revision`` is free text: the snapshot or date that the provider states, since an endpoint
    proves nothing. ``dimensions`` is what must come back; with ``send_dimensions`` it is asked
    for as well. The key is read from the environment variable ``api_key_env`` at each request.
    ``base_url`` and the name of that variable are part of the identity, the key never is.

    Units: ``timeout`` in seconds, for connecting and between two pieces of an answer. ``deadline``
    in seconds, for a batch from its first attempt to its last byte, waits and retries counted in.
    An answer may have 64 bytes a number, 1 KiB a vector, the length of the request and 64 KiB, and
    never more than ``MOST_BYTES``; unpacked, if it comes packed. A redirect is not followed.
    Effects: keeps connections open until ``close`` or the end of a ``with``.
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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the options; contact nobody."""
        for name, value in (
            ("dimensions", dimensions),
            ("batch_size", batch_size),
            ("timeout", timeout),
            ("max_attempts", max_attempts),
            ("deadline", deadline),
        ):
            positive(name, value)
        if not revision:
            raise ConfigError(
                f"model {model} is not pinned: no revision is given.",
                hint='State the snapshot or the date that the provider names: revision = "…"',
            )
        keys.check_name(api_key_env)
        self._origin, base = _address(base_url)
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

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts that are to be stored.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError for a missing key.
        """
        return self._embed(prefixed(texts, self._document_prefix))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts that are to be searched for.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError for a missing key.
        """
        return self._embed(prefixed(texts, self._query_prefix))

    def require_allowed_key(self, where: str) -> None:
        """Return only if more than ``where`` says that this host may have this variable's secret.

        Raises: ConfigError; see ``keys``.
        """
        if self._api_key_env is not None:
            keys.require_allowed(self._origin, self._api_key_env, where=where)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._connections is not None:
            self._connections.close()
            self._connections = None

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
        answer = self._post(texts)
        rows = checked(
            _in_order(answer, count=len(texts), what=what),
            count=len(texts),
            dimensions=self._dimensions,
            what=what,
            first_row=first_row,
        )
        return unit_rows(rows) if self._normalize else rows

    def _post(self, texts: list[str]) -> Any:
        """The parsed answer to one batch, after as many attempts as it takes or are allowed."""
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
        if self._connections is None:
            self._connections = transport.Connections(self._url, self._timeout)
        connections = self._connections
        deadline = transport.Deadline(self._deadline)
        tried = _Tried()

        def attempt() -> Answer:
            tried.attempts += 1
            try:
                answer = connections.post(body, headers, deadline, limits)
            except transport.BROKEN as exc:
                raise tried.noted(_TryAgain(type(exc).__name__)) from exc
            if answer.status == 429 or answer.status >= 500:
                asked = retry_after_seconds(
                    answer.headers.get("retry-after"), now=datetime.now(UTC)
                )
                words = _clean(_status_words(answer), key)
                raise tried.noted(_TryAgain(words, status=answer.status, retry_after=asked))
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
            raise EmbedderFailed(
                f"{self._identity}: the answer is packed as {_clean(str(exc), key)[:40]!r},"
                " which was not asked for.",
            ) from exc
        return self._parsed(answer, key)

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
        # Printable ASCII only: the HTTP library would show another key in its own error.
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

    def _parsed(self, answer: Answer, key: str | None) -> Any:
        try:
            said: Any = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        if answer.status != HTTPStatus.OK or _holds_error(said):
            line = _first_line(said, answer.body.decode("utf-8", "replace"))
            # Before the cut, which would leave the head of a key that lies across it.
            line = _clean(line, key)[:_SHOWN]
            status = _clean(_status_words(answer), key)
            raise EmbedderFailed(
                f"{self._identity} refused the request: {status}: {line}",
                detail={"status": answer.status, "body": line},
            )
        return said


class _Tried:
    """What was tried, for the error."""

    def __init__(self) -> None:
        self.attempts = 0
        self.last: _TryAgain | None = None

    def noted(self, failure: _TryAgain) -> _TryAgain:
        self.last = failure
        return failure


class _TryAgain(Exception):
    """An attempt that a later one may make good."""

    def __init__(
        self, words: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(words)
        self.status = status
        self.retry_after = retry_after


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """What a ``Retry-After`` header asks for, never negative; None if it asks for nothing clear.

    Units: seconds.
    Source: RFC 9110, section 10.2.3: a number of seconds, or a date.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # "-0000" means UTC of unknown origin, and comes back without a zone.
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def _wait(state: Any) -> float:
    """How long to wait before the next attempt.

    Units: seconds, at most MAX_WAIT.
    """
    last = state.outcome.exception()
    asked = last.retry_after if isinstance(last, _TryAgain) else None
    if asked is not None:
        return min(asked, MAX_WAIT)
    # Half fixed and half random, so that workers that failed together come back apart.
    step = min(_FIRST_WAIT * 2.0**state.attempt_number, MAX_WAIT)
    return step / 2 + random.uniform(0, step / 2)


def _address(base_url: str) -> tuple[str, str]:
    """The origin (scheme, host and port) and the address, each written in one way only.

    Raises: ConfigError for what is not a plain http(s) address; a password in it would be shown.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:  # a port that is no number
        host, port, plain = "", None, False
    # Two programs read an odd address differently: what is checked must be what is connected to.
    sound = _is_plain(base_url) and bool(_HOST.fullmatch(host))
    if not sound or not plain or port == 0:
        raise ConfigError(
            "base_url must be an http or https address without user, password or query.",
            hint="For example https://api.openai.com/v1; the key goes into the environment"
            " variable that api_key_env names.",
        )
    scheme = base_url.split(":", 1)[0].lower()
    named = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[scheme]
    origin = f"{scheme}://{named}" + (f":{port}" if port not in (None, default) else "")
    return origin, origin + urlsplit(base_url).path.rstrip("/")


def _is_plain(base_url: str) -> bool:
    """Whether an address has a scheme of ours and no sign that has no place in one."""
    return (
        base_url.lower().startswith(("http://", "https://"))
        and base_url.isascii()
        and base_url.isprintable()
        and not any(sign in base_url for sign in ' \\"<>^`{|}')
    )


def _in_order(answer: Any, *, count: int, what: str) -> list[Any]:
    """The vectors in the order of the texts, by their ``index``."""
    try:
        items = cast("list[dict[str, Any]]", answer["data"])
        by_index = {item["index"]: item["embedding"] for item in items}
    except (KeyError, TypeError) as exc:
        raise BadEmbedding(
            f"{what}: the answer is not a list of embeddings, each with its index.",
            detail={"embedder": what},
        ) from exc
    if len(items) != count or set(by_index) != set(range(count)):
        raise BadEmbedding(
            f"{what}: expected {count} vectors, one for each index from 0 to {count - 1},"
            f" got {len(items)} with {len(by_index)} different indexes.",
            detail={"embedder": what, "expected": count, "got": len(items)},
        )
    return [by_index[index] for index in range(count)]


def _holds_error(answer: object) -> bool:
    """Some gateways answer 200 and put the error inside."""
    return isinstance(answer, dict) and "error" in answer and "data" not in answer


def _headers(key: str | None) -> list[tuple[str, str]]:
    headers = [
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("Content-Type", "application/json"),
        ("User-Agent", "pgvec-versions"),
    ]
    return [*headers, ("Authorization", f"Bearer {key}")] if key else headers


def _clean(words: str, key: str | None) -> str:
    """What a server said, without the key and without what would drive a terminal."""
    hidden = words.replace(key, "***") if key else words
    return "".join(char if char.isprintable() else "?" for char in hidden)


def _status_words(answer: Answer) -> str:
    return f"{answer.status} {answer.reason}".strip()


def _first_line(answer: Any, text: str) -> str:
    """What the body says, in one line: its error message if it has one, else its first line."""
    found: Any = answer
    for name in ("error", "message"):
        if isinstance(found, dict):
            found = cast("dict[str, Any]", found).get(name, cast("object", found))
    words = found if isinstance(found, str) else json.dumps(found) if found else text
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return (lines or ["(no text)"])[0]
