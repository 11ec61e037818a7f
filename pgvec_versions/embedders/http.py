"""Any endpoint that speaks OpenAI's embeddings API, with bounded patience."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

import numpy as np

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
    import httpx

__all__ = ["MAX_WAIT", "PROVIDER", "HttpEmbedder", "retry_after_seconds"]

#: What the identity and ``pgvec.toml`` call this kind.
PROVIDER = "openai-compatible"

#: The longest single wait, whatever the endpoint asks for. Units: seconds.
MAX_WAIT = 60.0

_EXTRA = "http"
_FIRST_WAIT = 0.5
_SHOWN = 200  # characters of an answer that an error repeats


class HttpEmbedder:
    """Embeds by ``POST {base_url}/embeddings``, in batches, each retried a bounded number of times.

    ``revision`` is free text: the snapshot or date that the provider states, since an endpoint
    proves nothing. ``dimensions`` is what must come back; with ``send_dimensions`` it is asked
    for as well. The key is read from the environment variable ``api_key_env`` at each request.
    Where the model is served (``base_url``) and the key are not part of the identity.

    Units: ``timeout`` in seconds, for connecting and between two pieces of an answer. A silent
    endpoint is given up after max_attempts x timeout and at most (max_attempts - 1) x MAX_WAIT.
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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the options; contact nobody."""
        for name, value in (
            ("dimensions", dimensions),
            ("batch_size", batch_size),
            ("timeout", timeout),
            ("max_attempts", max_attempts),
        ):
            positive(name, value)
        if not revision:
            raise ConfigError(
                f"model {model} is not pinned: no revision is given.",
                hint='State the snapshot or the date that the provider names: revision = "…"',
            )
        self._url = _endpoint(base_url)
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
        self._sleep = sleep
        self._client: httpx.Client | None = None
        self._identity = EmbedderIdentity(
            provider=PROVIDER,
            model=model,
            revision=revision,
            options={
                "dimensions": dimensions,
                "normalize": normalize,
                "query_prefix": query_prefix,
                "document_prefix": document_prefix,
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

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

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
            import httpx
            import tenacity
        except ImportError as exc:
            raise missing_extra(_EXTRA, exc) from exc
        body: dict[str, Any] = {
            "model": self._model,
            "input": texts,
            "encoding_format": "float",
        }
        if self._send_dimensions:
            body["dimensions"] = self._dimensions
        key = self._key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout)
        client = self._client

        def attempt() -> httpx.Response:
            try:
                response = client.post(self._url, json=body, headers=headers)
            except httpx.RequestError as exc:
                raise _TryAgain(type(exc).__name__) from exc
            except UnicodeError as exc:
                raise EmbedderFailed(
                    f"{self._identity}: a text holds half a surrogate pair, which is no UTF-8."
                ) from exc
            if response.status_code == 429 or response.status_code >= 500:
                asked = retry_after_seconds(
                    response.headers.get("Retry-After"), now=datetime.now(UTC)
                )
                raise _TryAgain(
                    _status_words(response), status=response.status_code, retry_after=asked
                )
            return response

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._max_attempts),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(_TryAgain),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            response = retrying(attempt)
        except _TryAgain as last:
            raise self._unavailable(last) from last
        return self._parsed(response, key)

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

    def _parsed(self, response: httpx.Response, key: str | None) -> Any:
        try:
            answer: Any = response.json()
        except ValueError:
            answer = None
        if response.status_code != HTTPStatus.OK or _holds_error(answer):
            line = _first_line(answer, response.text)
            # Before the cut, which would leave the head of a key that lies across it.
            line = (line.replace(key, "***") if key else line)[:_SHOWN]
            raise EmbedderFailed(
                f"{self._identity} refused the request: {_status_words(response)}: {line}",
                detail={"status": response.status_code, "body": line},
            )
        return answer


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


def _endpoint(base_url: str) -> str:
    """The address to post to.

    Raises: ConfigError for what is not a plain http(s) address; a password in it would be shown.
    """
    try:
        parts = urlsplit(base_url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        sound = sound and parts.port != 0 and base_url.isprintable() and " " not in base_url
    except ValueError:  # a port that is no number
        sound = plain = False
    if not sound or not plain:
        raise ConfigError(
            "base_url must be an http or https address without user, password or query.",
            hint="For example https://api.openai.com/v1; the key goes into the environment"
            " variable that api_key_env names.",
        )
    return base_url.rstrip("/") + "/embeddings"


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


def _status_words(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _first_line(answer: Any, text: str) -> str:
    """What the body says, in one line: its error message if it has one, else its first line."""
    found: Any = answer
    for name in ("error", "message"):
        if isinstance(found, dict):
            found = cast("dict[str, Any]", found).get(name, cast("object", found))
    words = found if isinstance(found, str) else json.dumps(found) if found else text
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return (lines or ["(no text)"])[0]
