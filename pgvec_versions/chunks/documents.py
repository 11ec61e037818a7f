"""Files in, chunks out: reads text and Markdown files, and splits them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgvec_versions.chunks.splitting import split_text
from pgvec_versions.errors import UnreadableFile
from pgvec_versions.values import Chunk

#: Files that are split along their headings.
_MARKDOWN = (".md", ".markdown")
#: Files that are read in a folder.
_SUFFIXES = (*_MARKDOWN, ".txt", ".text", ".rst")


@dataclass(frozen=True, slots=True)
class Document:
    """A file: its name in the collection, and its path."""

    document_id: str
    path: Path

    def text(self) -> str:
        """The file as text. Raises: UnreadableFile when it is not UTF-8 text."""
        try:
            text = self.path.read_text("utf-8")
        except UnicodeDecodeError as exc:
            raise UnreadableFile(
                f"{self.path} is not a text file: byte {exc.start} is not UTF-8.",
                hint="Nothing was added; leave it out, or convert it to UTF-8.",
            ) from None
        except OSError as exc:
            raise UnreadableFile(
                f"{self.path} cannot be read: {exc.strerror}.", hint="Nothing was added."
            ) from None
        if "\0" in text:
            raise UnreadableFile(
                f"{self.path} is not a text file: it contains NUL.",
                hint="Nothing was added; leave it out.",
            )
        return text

    def chunks(self, chunk_chars: int) -> Iterator[Chunk]:
        """The document's chunks in order. Units: a chunk has at most ``chunk_chars`` characters."""
        parts = split_text(self.text(), chunk_chars, markdown=self.path.suffix.lower() in _MARKDOWN)
        for position, part in enumerate(parts):
            yield Chunk(part, self.document_id, position, {"source": self.document_id})


def find_documents(paths: Sequence[Path]) -> list[Document]:
    """The files you name, and the text files in the folders you name.

    Effects: reads each file, to make sure that it is text.
    Raises: UnreadableFile for a path that does not exist or is not text, and for a folder without
    text files.
    """
    found: dict[str, Document] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(
                p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in _SUFFIXES
            )
            if not files:
                raise UnreadableFile(
                    f"{path} has no text files ({', '.join(_SUFFIXES)}).", hint="Nothing was added."
                )
        elif path.is_file():
            files = [path]
        else:
            raise UnreadableFile(f"there is no file or folder {path}.", hint="Nothing was added.")
        for file in files:
            document = Document(file.as_posix(), file)
            document.text()
            found[document.document_id] = document
    return list(found.values())
