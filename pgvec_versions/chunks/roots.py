"""The root of a collection's documents: the folder that their ids are relative to.

The catalog keeps the root, so a file has the same id from whatever folder you add it. A root inside
the folder of ``pgvec.toml`` is kept relative to that folder: the ids are the same on every machine
with the same checkout. Any other root is kept as an absolute path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgvec_versions.catalog import Collection
from pgvec_versions.errors import ConfigError, InvalidArgument, UnreadableFile

__all__ = ["Root", "choose_root", "known_root"]


@dataclass(frozen=True, slots=True)
class Root:
    """The folder, and how the catalog names it."""

    folder: Path
    recorded: str

    def id_of(self, path: Path) -> str | None:
        """The id of a file or folder, which need not exist; None outside the root.

        The id of the root itself is empty. Links below the root are part of an id; whatever leads
        to the root is not.
        """
        parts: list[str] = []
        at = Path(os.path.abspath(path))
        while not _same(at, self.folder):
            if at.parent == at:
                return None
            parts.append(at.name)
            at = at.parent
        return "/".join(reversed(parts))


def choose_root(
    known: Collection,
    config: Path | None,
    paths: Sequence[Path],
    given: Path | None = None,
    *,
    move: bool = False,
) -> Root:
    """The recorded root, or the one to record.

    ``config`` is the path of ``pgvec.toml``, ``given`` the root that was asked for; with ``move``
    it takes the place of the recorded one. If neither is there, the root is the folder of
    ``pgvec.toml``, or else the current folder, whichever holds all ``paths``.
    Raises: InvalidArgument, UnreadableFile, ConfigError.
    """
    if given is None:
        root = known_root(known, config) or _first(config, paths)
    else:
        if not given.is_dir():
            raise UnreadableFile(f"there is no folder {given}.", hint="Nothing was added.")
        root = _named(given, config)
        if known.document_root not in (None, root.recorded) and not move:
            _refuse_other(known, config, root, given)
    for path in paths:
        if root.id_of(path) is None:
            raise InvalidArgument(
                f"{path} is outside {root.folder}, the root of the documents of "
                f"{known.collection}.",
                hint="Nothing was added. Document ids are relative to the root."
                + (" Name a folder that holds it with --root." if not known.document_root else ""),
                detail={"root": str(root.folder), "path": str(path)},
            )
    return root


def known_root(known: Collection, config: Path | None) -> Root | None:
    """The recorded root, if there is one. Raises: ConfigError, UnreadableFile."""
    recorded = known.document_root
    if recorded is None:
        return None
    if not os.path.isabs(recorded) and config is None:
        raise ConfigError(
            f"the root of the documents of {known.collection} is {recorded!r} in the folder of "
            "pgvec.toml, and there is no pgvec.toml here.",
            hint="Name the file with --config.",
        )
    folder = _base(config) / recorded if config is not None else Path(recorded)
    if not folder.is_dir():
        raise UnreadableFile(
            f"the root of the documents of {known.collection}, {folder}, is not a folder here.",
            hint="If it was moved, name the new place: pgvec add … --root FOLDER --move-root.",
        )
    return Root(folder, recorded)


def _refuse_other(known: Collection, config: Path | None, root: Root, given: Path) -> None:
    """Raises InvalidArgument, unless both roots are the same folder."""
    recorded = str(known.document_root)
    if config is not None and _same(_base(config) / recorded, root.folder):
        return
    raise InvalidArgument(
        f"the root of the documents of {known.collection} is {recorded}: --root {given} would give "
        "the same files other ids.",
        hint="Nothing was added. Leave --root out. If the folder was moved, add --move-root.",
        detail={"root": recorded, "given": str(root.folder)},
    )


def _first(config: Path | None, paths: Sequence[Path]) -> Root:
    """The root for a collection without one."""
    folders = [_base(config)] if config is not None else []
    for folder in [*folders, Path.cwd()]:
        root = _named(folder, config)
        if all(root.id_of(path) is not None for path in paths):
            return root
    # The caller says which path is outside.
    return _named(Path.cwd(), config)


def _named(folder: Path, config: Path | None) -> Root:
    real = Path(os.path.realpath(folder))
    if config is not None and real.is_relative_to(_base(config)):
        return Root(real, real.relative_to(_base(config)).as_posix())
    return Root(real, real.as_posix())


def _base(config: Path) -> Path:
    return Path(os.path.realpath(config)).parent


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
