"""A scripted endpoint, and embedders that ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.http_endpoint import Embedding, Endpoint


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def embedding(endpoint: Endpoint) -> Iterator[Embedding]:
    made = Embedding(endpoint)
    yield made
    for embedder in made.made:
        embedder.close()
