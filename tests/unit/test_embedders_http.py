"""An OpenAI-compatible endpoint: requests, answers, refusals and settings."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

from pgvec_versions.embedders import Embedder, HttpEmbedder
from pgvec_versions.errors import BadEmbedding, ConfigError, EmbedderFailed, InvalidArgument
from tests.unit.http_endpoint import Answer, Embedding, Endpoint, listing, right, vector

KEY = "sk-very-secret-key"


# Requests and answers


def test_texts_come_back_as_the_vectors_of_the_endpoint(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    embedder = embedding()
    assert isinstance(embedder, Embedder)
    rows = embedder.embed_documents(["hello", "you"])
    assert rows.dtype == np.float32
    assert rows.tolist() == [vector("hello"), vector("you")]
    assert endpoint.paths == ["/v1/embeddings"]
    assert endpoint.requests == [
        {"model": "m", "input": ["hello", "you"], "encoding_format": "float"}
    ]
    assert "Authorization" not in endpoint.headers[0]
    assert embedding.waits == []


def test_the_key_and_the_dimensions_are_sent_when_they_are_asked_for(
    endpoint: Endpoint, embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY + "\n")
    embedding(api_key_env="ACME_KEY", send_dimensions=True).embed_queries(["hello"])
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert endpoint.requests[0]["dimensions"] == 3


def test_many_texts_travel_in_batches_and_stay_in_order(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    texts = [chr(97 + n) * (n + 1) for n in range(7)]
    rows = embedding(batch_size=3).embed_documents(texts)
    assert [len(request["input"]) for request in endpoint.requests] == [3, 3, 1]
    assert rows.tolist() == [vector(text) for text in texts]


def test_no_texts_need_no_request(endpoint: Endpoint, embedding: Embedding) -> None:
    assert embedding().embed_documents([]).shape == (0, 3)
    assert endpoint.requests == []


def test_a_shuffled_answer_is_put_in_order_by_its_index(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    answer = json.loads(right(["a", "bb", "ccc"]))
    answer["data"] = [answer["data"][i] for i in (2, 0, 1)]
    endpoint.script = [Answer(body=json.dumps(answer))]
    rows = embedding().embed_documents(["a", "bb", "ccc"])
    assert rows.tolist() == [vector("a"), vector("bb"), vector("ccc")]


def test_each_side_has_its_own_prefix(endpoint: Endpoint, embedding: Embedding) -> None:
    embedder = embedding(query_prefix="q: ", document_prefix="d: ")
    embedder.embed_queries(["x"])
    embedder.embed_documents(["x"])
    assert [request["input"] for request in endpoint.requests] == [["q: x"], ["d: x"]]


def test_normalize_gives_unit_length(embedding: Embedding) -> None:
    rows = embedding(normalize=True).embed_documents(["hello", "you"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        rows[0] * np.linalg.norm(vector("hello")), vector("hello"), rtol=1e-5
    )


def test_one_string_in_place_of_a_list_is_refused(embedding: Embedding) -> None:
    with pytest.raises(InvalidArgument):
        embedding().embed_queries("hello")


def test_a_closed_embedder_opens_again(endpoint: Endpoint, embedding: Embedding) -> None:
    with embedding() as embedder:
        embedder.embed_queries(["a"])
    embedder.embed_queries(["a"])
    assert len(endpoint.requests) == 2


# Refusals


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 422])
def test_a_refusal_is_not_tried_again_and_shows_status_and_first_line(
    endpoint: Endpoint, embedding: Embedding, status: int
) -> None:
    body = "\nno such thing\nsecond line"
    endpoint.script = [Answer(status, {"Location": "http://127.0.0.1:1/"}, body)] * 2
    with pytest.raises(EmbedderFailed, match=f"{status} .*: no such thing$") as caught:
        embedding().embed_documents(["a"])
    assert len(endpoint.requests) == 1
    assert caught.value.detail == {"status": status, "body": "no such thing"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, json.dumps({"error": {"message": f"bad key {KEY}\nsee help"}}, indent=2)),
        (401, f"bad key {KEY}"),
        (200, json.dumps({"error": f"bad key {KEY}"})),
    ],
)
def test_the_key_is_never_shown(
    endpoint: Endpoint,
    embedding: Embedding,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: str,
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    endpoint.script = [Answer(status, {}, body)]
    embedder = embedding(api_key_env="ACME_KEY")
    with pytest.raises(EmbedderFailed, match=r"bad key \*\*\*$") as caught:
        embedder.embed_documents(["a"])
    assert KEY not in f"{caught.value} {caught.value.detail}"
    assert KEY not in repr(embedder.identity)


def test_a_key_across_the_end_of_a_long_line_is_not_shown_in_part(
    endpoint: Endpoint, embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    endpoint.script = [Answer(400, {}, "x" * 190 + KEY + "y" * 500)]
    with pytest.raises(EmbedderFailed) as caught:
        embedding(api_key_env="ACME_KEY").embed_documents(["a"])
    assert KEY[:4] not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", ["", "  ", "sk-\u00e9", "sk-a\nInjected: header"])
def test_a_key_that_cannot_be_one_is_refused_unseen(
    endpoint: Endpoint, embedding: Embedding, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ACME_KEY", value)
    with pytest.raises(ConfigError, match="environment variable ACME_KEY") as caught:
        embedding(api_key_env="ACME_KEY").embed_documents(["a"])
    assert "sk-" not in str(caught.value)
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (listing([[1, 2, 3]]), "expected 2 vectors, one for each index from 0 to 1, got 1"),
        (listing([[1, 2, 3]] * 3), "got 3 with 3 different indexes"),
        (listing([[1, 2, 3]] * 2).replace('"index": 1', '"index": 0'), "got 2 with 1 different"),
        (listing([[1, 2, 3]] * 3).replace('"index": 2', '"index": 0'), "got 3 with 2 different"),
        (listing([[1, 2, 3]] * 2).replace('"index"', '"place"'), "each with its index"),
        (listing([[1, 2], [3, 4]]), "expected 2 vectors of 3 dimensions, got 2 of 2"),
        (listing([[1, 2, 3], [1, 2]]), "vector 1 has 2 dimensions"),
        (listing([[1, 2, 3], [1, float("nan"), 3]]), "vector 1 is not finite"),
        (listing([[0, 0, 0], [1, 2, 3]]), "vector 0 is all zeros"),
        (listing(["AACAPw==", "AACAPw=="]), "not numbers"),
        ("<html>welcome</html>", "not a list of embeddings"),
        ("[]", "not a list of embeddings"),
        ('{"data": 3}', "not a list of embeddings"),
        ('{"data": [1, 2]}', "not a list of embeddings"),
    ],
)
def test_a_wrong_answer_is_refused_and_not_tried_again(
    endpoint: Endpoint, embedding: Embedding, body: str, complaint: str
) -> None:
    endpoint.script = [Answer(body=body)]
    with pytest.raises(BadEmbedding, match=complaint):
        embedding().embed_documents(["a", "b"])
    assert len(endpoint.requests) == 1


def test_a_bad_vector_is_named_by_its_place_among_all_texts(
    endpoint: Endpoint, embedding: Embedding
) -> None:
    endpoint.script = [Answer(), Answer(body=listing([[1, 2, 3], [0, 0, 0]]))]
    with pytest.raises(BadEmbedding, match="vector 3 is all zeros"):
        embedding(batch_size=2).embed_documents(["a", "b", "c", "d"])


def test_a_text_that_is_no_utf8_is_refused(embedding: Embedding) -> None:
    with pytest.raises(EmbedderFailed, match="no UTF-8"):
        embedding().embed_documents(["\ud800"])


# Settings


def test_where_it_is_served_and_the_name_of_the_key_are_part_of_the_identity(
    embedding: Embedding,
) -> None:
    here = embedding(api_key_env="A")
    assert here.identity == embedding(api_key_env="A", timeout=1, batch_size=1).identity
    assert here.identity.options["base_url"] == embedding.endpoint.url
    changes: list[dict[str, Any]] = [
        {"base_url": "https://example.org/v1"},
        {"api_key_env": "B"},
        {"api_key_env": None},
        {"revision": "2025"},
        {"dimensions": 4},
        {"normalize": True},
        {"query_prefix": "q"},
        {"document_prefix": "d"},
    ]
    for option in changes:
        assert embedding(**{"api_key_env": "A", **option}).identity != here.identity


@pytest.mark.parametrize(
    "same", ["https://example.org/v1/", "https://EXAMPLE.org/v1", "HTTPS://example.org:443/v1"]
)
def test_an_address_is_written_in_one_way(same: str) -> None:
    options: dict[str, Any] = {"revision": "1", "dimensions": 3}
    plain = HttpEmbedder("https://example.org/v1", "m", **options)
    assert HttpEmbedder(same, "m", **options).identity == plain.identity


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1",
        "ftp://host/v1",
        "https://",
        f"https://me:{KEY}@host/v1",
        f"https://host/v1?key={KEY}",
        "http://host:port/v1",
        "http://ho st/v1",
        "http://[::1/v1",
        "https://api.openai.com\\@host/v1",
        "https://host\\.api.openai.com/v1",
        "https://\u0430pi.openai.com/v1",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_unseen(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        HttpEmbedder(url, "m", revision="1", dimensions=3)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("revision", [None, ""])
def test_an_endpoint_without_a_stated_revision_is_refused(revision: str | None) -> None:
    with pytest.raises(ConfigError, match="no revision is given"):
        HttpEmbedder("http://127.0.0.1:1", "m", revision=revision, dimensions=3)


@pytest.mark.parametrize("library", ["httpx", "tenacity"])
def test_a_missing_library_names_the_extra_to_install(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=r"pip install 'pgvec-versions\[http\]'"):
        embedding().embed_documents(["a"])
