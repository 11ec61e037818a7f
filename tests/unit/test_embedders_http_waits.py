"""An endpoint that is busy, slow or gone: how long the embedder waits, and when it gives up."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pgvec_versions.embedders.http import MAX_WAIT
from pgvec_versions.embedders.http_answers import retry_after_seconds
from pgvec_versions.errors import EmbedderUnavailable
from tests.unit.http_endpoint import Answer, Embedding, Endpoint, vector

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_too_many_requests_is_waited_out_as_long_as_asked(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    endpoint.script = [Answer(429, {"Retry-After": "7"}, "slow down")]
    assert embedding().embed_documents(["a"]).tolist() == [vector("a")]
    assert embedding.waits == [7.0]
    assert len(endpoint.requests) == 2


def test_a_date_to_retry_after_is_honoured(endpoint: Endpoint, embedding: Embedding) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    endpoint.script = [Answer(503, {"Retry-After": date}, "")]
    embedding().embed_documents(["a"])
    (waited,) = embedding.waits
    assert 20 < waited <= 40


def test_no_single_wait_is_longer_than_the_cap(endpoint: Endpoint, embedding: Embedding) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    endpoint.script = [
        Answer(429, {"Retry-After": "86400"}, ""),
        Answer(429, {"Retry-After": date}, ""),
        *[Answer(500, {}, "")] * 17,
    ]
    embedding(max_attempts=20).embed_documents(["a"])
    assert embedding.waits[:2] == [MAX_WAIT, MAX_WAIT]
    assert len(embedding.waits) == 19
    assert max(embedding.waits) <= MAX_WAIT
    assert embedding.waits[-1] >= MAX_WAIT / 2


def test_without_a_word_from_the_server_waits_grow_and_vary(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    def waits() -> list[float]:
        embedding.waits.clear()
        endpoint.script = [Answer(500, {}, "")] * 4
        embedding().embed_documents(["a"])
        return list(embedding.waits)

    one, other = waits(), waits()
    assert one != other
    for found in (one, other):
        for wait, step in zip(found, (1, 2, 4, 8), strict=True):
            assert step / 2 <= wait <= step


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_an_endpoint_that_stays_down_is_given_up_with_status_and_attempts(
    endpoint: Endpoint, embedding: Embedding, status: int
) -> None:
    endpoint.script = [Answer(status, {"Retry-After": "3"}, "")] * 10
    with pytest.raises(EmbedderUnavailable, match=f"after 4 attempts.* {status}") as caught:
        embedding(max_attempts=4).embed_documents(["a"])
    assert len(endpoint.requests) == 4
    assert embedding.waits == [3.0] * 3
    assert caught.value.detail == {"status": status, "attempts": 4, "retry_after": 3.0}


def test_a_timeout_is_tried_again(endpoint: Endpoint, embedding: Embedding) -> None:
    endpoint.script = [Answer(hang=True)]
    rows = embedding(timeout=0.3).embed_documents(["a"])
    assert rows.tolist() == [vector("a")]
    assert len(endpoint.requests) == 2


def test_an_endpoint_that_only_times_out_is_given_up(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    endpoint.script = [Answer(hang=True)] * 2
    with pytest.raises(EmbedderUnavailable, match=r"after 2 attempts.*ReadTimeout") as caught:
        embedding(timeout=0.05, max_attempts=2).embed_documents(["a"])
    assert caught.value.detail["status"] is None


def test_a_connection_cut_in_the_middle_is_tried_again(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    endpoint.script = [Answer(cut=True)]
    assert embedding().embed_documents(["a"]).tolist() == [vector("a")]
    assert len(endpoint.requests) == 2


def test_nobody_listening_is_tried_again_and_then_given_up(embedding: Embedding) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EmbedderUnavailable, match=r"after 3 attempts.*ConnectError"):
            embedding(base_url=url, max_attempts=3).embed_documents(["a"])
    assert len(embedding.waits) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun Mar  1 12:00:30 2026", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("\u0663", None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, now=NOW) == seconds
