"""Files in, chunks out: finds the files, reads each of them once to be sure, and splits them."""

from __future__ import annotations

import os
import stat
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from pgvec_versions.arguments import storable
from pgvec_versions.chunks.readers import SUFFIXES, Content, read_file
from pgvec_versions.chunks.roots import Root
from pgvec_versions.chunks.splitting import split_text
from pgvec_versions.errors import ConfigError, InvalidArgument, UnreadableFile
from pgvec_versions.values import Chunk

__all__ = ["BadFile", "Document", "Found", "find_documents"]

#: Endings of files that take long to read: their text is kept.
_SLOW = (".html", ".htm", ".xhtml", ".pdf", ".docx")
#: Why a file in a folder is left out; the values of ``Found.left_out``.
_EXCLUDED = "excluded"
_OTHER_KIND = "other kind"
_LINKED_FOLDER = "linked folder"
_BROKEN_LINK = "broken link"
_OUTSIDE = "link out of the root"
_NO_FILE = "not a file"


@dataclass(frozen=True, slots=True)
class Document:
    """A file: its name in the collection, and its path."""

    document_id: str
    path: Path
    encoding: str | None = None
    #: The text of a file that takes long to read, compressed.
    _kept: tuple[bytes, bool] | None = field(default=None, repr=False)

    def content(self) -> Content:
        """What is in the file. Raises: UnreadableFile."""
        if self._kept is not None:
            packed, markdown = self._kept
            return Content(zlib.decompress(packed).decode(), markdown)
        return read_file(self.path, self.encoding)

    def checked(self) -> Document:
        """The document, once it has been read. Raises: UnreadableFile."""
        if not storable(self.document_id):
            raise UnreadableFile(
                f"{self.path} cannot be added: its name is not UTF-8.", hint="Rename it."
            )
        content = self.content()
        if self.path.suffix.lower() not in _SLOW:
            return self
        return replace(self, _kept=(zlib.compress(content.text.encode()), content.markdown))

    def chunks(self, chunk_chars: int) -> Iterator[Chunk]:
        """The document's chunks in order. Units: a chunk has at most ``chunk_chars`` characters."""
        source = {"source": self.document_id}
        content = self.content()
        if content.records is None:
            pieces = split_text(content.text, chunk_chars, markdown=content.markdown)
            parts = ((piece, source) for piece in pieces)
        else:
            parts = (
                (piece, {**record.metadata, **source})
                for record in content.records
                for piece in split_text(record.text, chunk_chars)
            )
        for position, (piece, metadata) in enumerate(parts):
            yield Chunk(piece, self.document_id, position, metadata)


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file or folder that cannot be read, and why."""

    path: str
    reason: str
    hint: str | None = None


@dataclass(slots=True)
class Found:
    """What is in the files and folders you named.

    ``folders`` are the ids of the folders. ``left_out`` says why, by the id of the file.
    """

    documents: list[Document] = field(default_factory=list[Document])
    folders: list[str] = field(default_factory=list[str])
    bad: list[BadFile] = field(default_factory=list[BadFile])
    left_out: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were left out, by reason."""
        return dict(sorted(Counter(self.left_out.values()).items()))

    @property
    def left_out_line(self) -> str:
        """The same in words: ``broken link (1), excluded (2)``."""
        return ", ".join(f"{reason} ({count})" for reason, count in self.reasons.items())

    def refuse_bad(self) -> None:
        """Raises UnreadableFile if a file is bad; ``detail`` has them all."""
        if not self.bad:
            return
        first, *others = self.bad
        detail = {"bad": [{"path": b.path, "reason": b.reason} for b in self.bad]}
        hints = dict.fromkeys(b.hint for b in self.bad if b.hint)
        if not others:
            hint = " ".join(["Nothing was added.", *hints])
            raise UnreadableFile(first.reason, hint=hint, detail=detail)
        told = " ".join(hint for hint in hints if hint.startswith("Run:"))
        raise UnreadableFile(
            f"{len(self.bad)} files cannot be read: " + " ".join(b.reason for b in self.bad),
            hint="Nothing was added. --skip-bad adds the others. " + told,
            detail=detail,
        )


class _Spec(Protocol):
    def match_file(self, file: str) -> bool: ...


class _Excluded:
    """Patterns as in a .gitignore file, in the root or in a folder you name."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._spec: _Spec | None = None
        if not patterns:
            return
        try:
            from pathspec import GitIgnoreSpec
        except ImportError:
            raise ConfigError(
                "--exclude needs an extra that is not installed.",
                hint="Run: pip install 'pgvec-versions[split]'",
            ) from None
        for pattern in patterns:
            if not pattern.strip():
                raise InvalidArgument(
                    "--exclude has an empty pattern.", hint="Such as: --exclude 'drafts/'"
                )
        try:
            self._spec = GitIgnoreSpec.from_lines(patterns)
        except ValueError as exc:
            raise InvalidArgument(f"--exclude cannot be read: {exc}.") from None

    def __call__(self, *names: str) -> bool:
        spec = self._spec
        return spec is not None and any(spec.match_file(name) for name in names if name)


def find_documents(
    paths: Sequence[Path],
    root: Root,
    *,
    exclude: Sequence[str] = (),
    encoding: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """The files you name, and the files of known kinds in the folders you name.

    Effects: reads each file, to make sure that it can be read.
    Raises: UnreadableFile for a path that does not exist, and for a folder without files to add;
    InvalidArgument for a pattern that cannot be read, ConfigError without the extra ``split``.
    """
    excluded = _Excluded(exclude)
    found = Found()
    candidates: dict[str, Path] = {}
    for path in paths:
        name = root.id_of(path) or ""
        # Where a path goes up from a link, the file that the id names, and no other.
        place = Path(os.path.abspath(path)) if ".." in path.parts else path
        if os.path.isdir(place):
            found.folders.append(name)
            files = dict(_files_in(place, name, root, excluded, found))
            if not files and not found.bad:
                left = f" Left out: {found.left_out_line}." if found.left_out else ""
                raise UnreadableFile(
                    f"{path} has no files to add ({', '.join(SUFFIXES)}).{left}",
                    hint="Nothing was added.",
                )
            candidates |= files
        elif not os.path.isfile(place):
            raise UnreadableFile(_why_not(path, place), hint="Nothing was added.")
        elif excluded(name):
            found.left_out[name] = _EXCLUDED
        else:
            candidates[name] = place
    for number, (name, path) in enumerate(candidates.items()):
        if progress is not None:
            progress(number, len(candidates))
        try:
            found.documents.append(Document(name, path, encoding).checked())
        except UnreadableFile as exc:
            found.bad.append(BadFile(str(path), exc.message, exc.hint))
    if progress is not None:
        progress(len(candidates), len(candidates))
    return found


def _why_not(path: Path, place: Path) -> str:
    try:
        os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file or folder {path}."
    except OSError as exc:
        return f"{path} cannot be read: {exc.strerror}."
    return f"{path} is neither a file nor a folder."


def _files_in(
    folder: Path, name: str, root: Root, excluded: _Excluded, found: Found
) -> Iterator[tuple[str, Path]]:
    """The files to add below a folder, with their ids; notes why it leaves out the others."""

    def unreadable(exc: OSError) -> None:
        inside = os.path.relpath(exc.filename, folder)
        if not excluded(f"{inside}/", f"{name}/{inside}/".removeprefix("/")):
            reason = f"{folder / inside} cannot be read: {exc.strerror}."
            found.bad.append(BadFile(str(folder / inside), reason))

    for at, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        below = Path(at).relative_to(folder)
        for entry in sorted([*files, *(f for f in folders if os.path.islink(os.path.join(at, f)))]):
            inside = (below / entry).as_posix()
            document_id = f"{name}/{inside}".removeprefix("/")
            path = folder / inside
            why = _EXCLUDED if excluded(inside, document_id) else _unfit(path, root)
            if why is None:
                yield document_id, path
            else:
                found.left_out[document_id] = why


def _unfit(path: Path, root: Root) -> str | None:
    """Why a file in a folder is left out; None if it is to be read."""
    known = path.suffix.lower() in SUFFIXES
    is_link = os.path.islink(path)
    try:
        mode = path.stat().st_mode
    except OSError:
        # If it is no link, reading it will say why it cannot be read.
        return _BROKEN_LINK if is_link else None if known else _OTHER_KIND
    if stat.S_ISDIR(mode):
        return _LINKED_FOLDER
    if not stat.S_ISREG(mode):
        return _NO_FILE
    if not known:
        return _OTHER_KIND
    if is_link and not Path(os.path.realpath(path)).is_relative_to(root.folder.resolve()):
        return _OUTSIDE
    return None
