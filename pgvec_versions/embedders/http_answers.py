"""What an OpenAI-compatible endpoint answers: vectors, an error, or how long to wait. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from pgvec_versions.errors import BadEmbedding, EmbedderFailed

if TYPE_CHECKING:
    from pgvec_versions.embedders.transport import Answer

#: As much of an answer as an error repeats. Units: characters.
_SHOWN = 200


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """The time that a ``Retry-After`` header asks for, never negative; None if it is unclear.

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
    # "-0000" means UTC without a known local zone, and Python returns no zone for it.
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def vectors_in_order(answer: Any, *, count: int, what: str) -> list[Any]:
    """The vectors in the order of the texts, by their ``index``. Raises: BadEmbedding."""
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


def parsed(answer: Answer, key: str | None, *, what: str) -> Any:
    """The JSON of an answer. ``key`` never appears in an error; ``what`` names the embedder.

    Raises: EmbedderFailed for a status other than 200, or an error in the body.
    """
    try:
        content: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if answer.status != HTTPStatus.OK or _is_error(content):
        line = _first_line(content, answer.body.decode("utf-8", "replace"))
        # Cleaned before it is cut: a cut through the key would leave its beginning.
        line = clean(line, key)[:_SHOWN]
        raise EmbedderFailed(
            f"{what} refused the request: {clean(status_words(answer), key)}: {line}",
            detail={"status": answer.status, "body": line},
        )
    return content


def _is_error(answer: object) -> bool:
    """Some gateways answer with status 200 and put the error into the body."""
    return isinstance(answer, dict) and "error" in answer and "data" not in answer


def clean(words: str, key: str | None) -> str:
    """Text from a server, without the key and without control characters."""
    hidden = words.replace(key, "***") if key else words
    return "".join(char if char.isprintable() else "?" for char in hidden)


def status_words(answer: Answer) -> str:
    """Status and reason, such as ``503 Service Unavailable``."""
    return f"{answer.status} {answer.reason}".strip()


def _first_line(answer: Any, text: str) -> str:
    """The body in one line: its error message if it has one, else its first line."""
    found: Any = answer
    for name in ("error", "message"):
        if isinstance(found, dict):
            found = cast("dict[str, Any]", found).get(name, cast("object", found))
    words = found if isinstance(found, str) else json.dumps(found) if found else text
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return (lines or ["(no text)"])[0]
