"""Refuses a model whose folder would run code, or load files that its pin does not cover.

``trust_remote_code=False`` is not enough: sentence-transformers before 6.0 imports any class that
``modules.json`` of a local folder names, and 6.0 still imports what a Router or a tokenizer names.
So every name that a loader would import must be one of sentence-transformers' own modules, and
anything else that leads out of the folder is refused. This happens before the library reads the
folder.

Source: sentence_transformers ``util/misc.py`` (import_module_class), ``base/modules/router.py``,
``base/modules/dense.py``; transformers ``dynamic_module_utils.py``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

from pgvec_versions.errors import ConfigError

_WEIGHTS = "model.safetensors"
_SHARDS = "model.safetensors.index.json"
_PICKLE = "pytorch_model.bin"

#: The modules that a model may have. Their configuration says what they compute, and is pinned.
_MODULES = (
    "Transformer",
    "Pooling",
    "Normalize",
    "Dense",
    "Dropout",
    "LayerNorm",
    "StaticEmbedding",
    "WeightedLayerPooling",
    "Router",
    "Asym",
)
_MODULE_TYPE = re.compile(
    r"sentence_transformers\.(models|base\.modules|sentence_transformer\.modules)"
    rf"(\.[A-Za-z_]+)?\.({'|'.join(_MODULES)})"
)
_ACTIVATION = re.compile(r"torch\.nn\.modules\.(activation|linear)\.[A-Za-z0-9]+")

# Vocabularies: any word may be a key in them.
_NO_SETTINGS = ("tokenizer.json", "vocab.json", "added_tokens.json")
_ADAPTERS = ("adapter_config.json",)


def refuse_code(folder: Path, name: str) -> None:
    """Checks that loading the folder runs nothing in it and reads nothing outside it.

    Raises: ConfigError, with the file and what it asks for.
    """
    modules = _modules(folder, name)
    _refuse_pickles(folder, modules, name)
    for module in modules:
        kind = module.get("type")
        if kind is not None:
            _require_module(kind, "modules.json", name)
    for path in _settings(folder):
        shown = path.relative_to(folder).as_posix()
        if path.name in _ADAPTERS:
            raise _refused(name, shown, "it is an adapter, and its base model is not pinned")
        _refuse_settings(_json(path, name), shown, name)


def _modules(folder: Path, name: str) -> list[dict[str, Any]]:
    """The modules of the model; a plain transformers folder has none."""
    path = folder / "modules.json"
    if not path.exists():
        return []
    found = _json(path, name)
    items = cast("list[Any]", found) if isinstance(found, list) else [None]
    modules: list[dict[str, Any]] = []
    for item in items:
        module = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        inner = module.get("path")
        if not isinstance(inner, str) or not _inside(inner):
            raise _refused(name, "modules.json", "it does not list modules of this folder")
        modules.append(module)
    return modules


def _inside(inner: str) -> bool:
    path = PurePosixPath(inner)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in inner


def _refuse_pickles(folder: Path, modules: list[dict[str, Any]], name: str) -> None:
    """Refuses a module, such as a Dense layer, that would be read from a pickle."""
    places = [folder / module["path"] for module in modules]
    # No list names the modules of a Router: any folder with a pickle may be one.
    places += [Path(place) for place, _, names in _walk(folder) if _PICKLE in names]
    for place in places:
        weights = [_WEIGHTS, _SHARDS] if place == folder else [_WEIGHTS]
        if (place / _PICKLE).exists() and not any((place / file).exists() for file in weights):
            raise ConfigError(
                f"module {place.name} of {name} has its weights as {_PICKLE}.",
                hint="Only safetensors are read; save the model again with safetensors.",
            )


def _settings(folder: Path) -> Iterator[Path]:
    for place, _, names in _walk(folder):
        for file in sorted(names):
            if (
                file.endswith(".json")
                and file not in _NO_SETTINGS
                and not file.endswith(".index.json")
                and not (place == str(folder) and file == "modules.json")
            ):
                yield Path(place, file)


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    been = set[str]()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in been else [f for f in folders if not f.startswith(".")]
        been.add(real)
        yield place, folders, names


def _json(path: Path, name: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise _refused(name, path.name, f"it cannot be read ({type(exc).__name__})") from exc


def _refuse_settings(found: Any, file: str, name: str) -> None:
    """Checks every setting, at any depth."""
    if isinstance(found, list):
        for item in cast("list[Any]", found):
            _refuse_settings(item, file, name)
    if not isinstance(found, Mapping):
        return
    for key, value in cast("Mapping[str, Any]", found).items():
        if key == "auto_map" and value:
            raise _refused(name, file, "auto_map names code of the model's own")
        if key == "trust_remote_code" and value:
            raise _refused(name, file, "it asks for trust_remote_code")
        if key == "base_model_name_or_path" and value:
            raise _refused(name, file, "it takes another model as its base, which is not pinned")
        if key in ("attn_implementation", "_attn_implementation") and "/" in str(value):
            raise _refused(name, file, f"{key} names code of the hub")
        if key == "tokenizer_class" and "." in str(value):
            raise _refused(name, file, f"tokenizer_class names a class to import: {value!r}")
        if key == "activation_function" and "." in str(value) and not _is_activation(value):
            raise _refused(name, file, f"activation_function is not one of torch's: {value!r}")
        if key == "types" and isinstance(value, Mapping) and Path(file).name in _ROUTERS:
            for inner, kind in cast("Mapping[str, Any]", value).items():
                if not _inside(inner):
                    raise _refused(name, file, "it names a module outside this folder")
                _require_module(kind, file, name)
        _refuse_settings(value, file, name)


_ROUTERS = ("router_config.json", "config.json")


def _is_activation(value: Any) -> bool:
    return isinstance(value, str) and bool(_ACTIVATION.fullmatch(value))


def _require_module(kind: Any, file: str, name: str) -> None:
    if not isinstance(kind, str) or not _MODULE_TYPE.fullmatch(kind):
        raise _refused(
            name,
            file,
            f"it names a module that is not sentence-transformers' own: {kind!r}",
        )


def _refused(name: str, file: str, why: str) -> ConfigError:
    return ConfigError(
        f"model {name} is not loaded: {file}: {why}.",
        hint="Nothing of it was run. Only models made of sentence-transformers' own modules, with"
        f" all their files in the folder, are loaded: {', '.join(_MODULES)}.",
        detail={"model": name, "file": file},
    )
