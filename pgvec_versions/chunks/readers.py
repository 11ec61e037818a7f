"""A file in, its text out: one reader for each kind of file.

===============  ==========================================  ===========
kind             endings                                     needs extra
===============  ==========================================  ===========
Markdown         .md .markdown
text             .txt .text .rst, and others that you name
HTML             .html .htm .xhtml                           documents
PDF              .pdf                                        documents
DOCX             .docx                                       documents
CSV              .csv .tsv
JSONL            .jsonl .ndjson
===============  ==========================================  ===========

A record of CSV or JSONL is a piece of its own. No file is embedded raw: text that is HTML, PDF, RTF
or XML under another name is refused. Every reader raises UnreadableFile and nothing else, whatever
is in the file.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import logging
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn, cast

from pgvec_versions.arguments import storable
from pgvec_versions.errors import InvalidArgument, UnreadableFile

__all__ = ["SUFFIXES", "Content", "Record", "check_encoding", "read_file"]

#: What a DOCX may unpack to, at most: a small file can hold gigabytes. Units: bytes.
_LARGEST_UNPACKED = 500_000_000
#: How far into a page its encoding is declared, as in the HTML standard. Units: bytes.
_DECLARED_WITHIN = 1024
_INSTALL = "Run: pip install 'pgvec-versions[documents]'."
#: How files begin that are not the text they are named as.
_OTHER_KINDS = re.compile(
    r"\s*(?:(?P<PDF>%PDF-)|(?P<RTF>\{\\rtf)|(?P<HTML><!doctype html|<html\b)|(?P<XML><\?xml\b))",
    re.IGNORECASE,
)
#: Marks of UTF-16 and UTF-32 at the beginning of a file.
_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: Levels of a JSONL record, at most.
_MOST_LEVELS = 100
#: Fields of a JSONL record that hold its text, in this order.
_TEXT_FIELDS = ("text", "content")


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a CSV file or a line of a JSONL file."""

    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: a text, which may be Markdown, or records."""

    text: str = ""
    markdown: bool = False
    records: tuple[Record, ...] | None = None


_Reader = Callable[[Path, str | None], Content]


def check_encoding(name: str) -> str:
    """The name, if Python knows a text encoding of it. Raises: InvalidArgument."""
    try:
        "a".encode(name).decode(name)
    except (LookupError, UnicodeError, ValueError):
        raise InvalidArgument(
            f"there is no text encoding {name!r}.", hint="Such as: utf-8, utf-16, cp1252, latin-1."
        ) from None
    return name


def read_file(path: Path, encoding: str | None = None) -> Content:
    """What is in the file. ``encoding`` is that of text files; by default UTF-8.

    Raises: UnreadableFile.
    """
    try:
        return _READERS.get(path.suffix.lower(), _read_text)(path, encoding)
    except UnreadableFile:
        raise
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be read: {exc.strerror or exc}.") from None
    except RecursionError:
        raise UnreadableFile(f"{path} cannot be read: it is nested too deeply.") from None


def _decoded(path: Path, encoding: str | None) -> str:
    """The file as text, without a byte order mark, and with plain line ends."""
    raw = path.read_bytes()
    wide = next((name for mark, name in _WIDE_MARKS.items() if raw.startswith(mark)), None)
    if encoding is None and wide is not None:
        raise UnreadableFile(
            f"{path} is not a text file in UTF-8: it begins like {wide.upper()}.",
            hint=f"Is it text? Then add --encoding {wide}.",
        )
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as exc:
        raise UnreadableFile(
            f"{path} is not a text file: byte {exc.start} is not {(encoding or 'utf-8').upper()}.",
            hint="Leave it out with --exclude, name its --encoding, or convert it to UTF-8.",
        ) from None
    except UnicodeError as exc:
        raise UnreadableFile(f"{path} is not a text file in {encoding}: {exc}.") from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not storable(text):
        what = "NUL" if "\0" in text else "half of a surrogate pair"
        raise UnreadableFile(
            f"{path} is not a text file: it contains {what}.", hint="Leave it out with --exclude."
        )
    return text


def _plain(path: Path, encoding: str | None) -> str:
    text = _decoded(path, encoding)
    found = _OTHER_KINDS.match(text)
    if found is not None:
        raise UnreadableFile(
            f"{path} is not a text file: it begins like {found.lastgroup}.",
            hint="Rename it, convert it, or leave it out with --exclude.",
        )
    return text


def _read_text(path: Path, encoding: str | None) -> Content:
    return Content(_plain(path, encoding))


def _read_markdown(path: Path, encoding: str | None) -> Content:
    return Content(_plain(path, encoding), markdown=True)


# --- Records ---


def _fields(names: Iterable[str], values: Iterable[str]) -> str:
    """A record as text: a line for each field that has a value."""
    lines = (
        f"{name.strip()}: {value.strip()}" if name.strip() else value.strip()
        for name, value in zip_longest(names, values, fillvalue="")
        if value.strip()
    )
    return "\n".join(lines)


def _read_csv(path: Path, encoding: str | None) -> Content:
    text = _plain(path, encoding)
    first = re.sub('"[^"]*"', "", text.partition("\n")[0])
    # A comma unless the names of the columns say otherwise.
    delimiter = "," if "," in first else max(",;\t", key=first.count)
    if path.suffix.lower() == ".tsv":
        delimiter = "\t"
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[Record] = []
    try:
        names = next(reader, list[str]())
        for row in reader:
            record = _fields(names, row)
            if record:
                records.append(Record(record))
    except csv.Error as exc:
        raise UnreadableFile(
            f"{path} is not CSV: line {reader.line_num}: {exc}.",
            hint="Correct that line, or leave the file out with --exclude.",
        ) from None
    return Content(records=tuple(records))


def _read_jsonl(path: Path, encoding: str | None) -> Content:
    records: list[Record] = []
    for number, line in enumerate(_decoded(path, encoding).split("\n"), 1):
        if not line.strip():
            continue
        try:
            records += _json_record(
                json.loads(line, parse_constant=_no_number, parse_float=_finite)
            )
        except (ValueError, RecursionError) as exc:
            told = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
            raise UnreadableFile(
                f"{path} is not JSONL: line {number}: {told}.",
                hint="Correct that line, or leave the file out with --exclude.",
            ) from None
    return Content(records=tuple(records))


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _json_record(given: object) -> Iterator[Record]:
    """The record of a line, if it has text. Raises: ValueError."""
    if any(not storable(text) for text in _texts_in(given)):
        raise ValueError("it contains NUL or half of a surrogate pair")
    if isinstance(given, str):
        text, metadata = given, {}
    elif isinstance(given, dict):
        metadata = cast("dict[str, Any]", given)
        name = next((n for n in _TEXT_FIELDS if isinstance(metadata.get(n), str)), None)
        if name is None:
            values = (v if isinstance(v, str) else _as_json(v) for v in metadata.values())
            text = _fields(metadata, values)
        else:
            text = metadata[name]
        metadata = {key: value for key, value in metadata.items() if key != name}
    else:
        raise ValueError("it is no JSON object")
    if text.strip():
        yield Record(text, metadata)


def _as_json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _texts_in(value: object, levels: int = _MOST_LEVELS) -> Iterator[str]:
    """Every text in a JSON value. Raises: ValueError."""
    if levels == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts_in(item, levels - 1)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield key
            yield from _texts_in(item, levels - 1)


# --- Formats that a library reads ---


def _by_library(kind: str, read: Callable[[Path, str | None], str]) -> _Reader:
    """A reader whose library may be missing, and may fail in any way on a broken file."""

    def reader(path: Path, encoding: str | None) -> Content:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = read(path, encoding)
        except (UnreadableFile, OSError, RecursionError):
            raise
        except ImportError:
            raise UnreadableFile(
                f"{path} is {kind}: to read it you need an extra that is not installed.",
                hint=_INSTALL,
            ) from None
        except Exception as exc:
            # The libraries raise what they meet on their way: KeyError, struct.error and so on.
            told = " ".join(str(exc).split())[:200] or type(exc).__name__
            raise UnreadableFile(
                f"{path} cannot be read as {kind}: {told.rstrip('.')}.",
                hint="Repair it, or leave it out with --exclude.",
            ) from None
        # Such characters come from broken fonts. They stand for nothing that you could search.
        text = text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")
        return Content(text, markdown=kind != "PDF")

    return reader


def _known(encoding: str | None) -> str | None:
    """The encoding that a page declares. A page may declare anything."""
    try:
        return encoding and check_encoding(encoding)
    except InvalidArgument:
        return None


def _html(path: Path, encoding: str | None) -> str:
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector
    from markdownify import MarkdownConverter

    if encoding is None:
        with path.open("rb") as file:
            start = file.read(_DECLARED_WITHIN)
        encoding = _known(EncodingDetector.find_declared_encoding(start, is_html=True))
    soup: Any = BeautifulSoup(_decoded(path, encoding), "lxml")
    for hidden in soup(["script", "style", "template", "noscript", "head", "svg"]):
        hidden.decompose()
    converter: Any = MarkdownConverter(
        heading_style="ATX",
        strip=["a", "img"],
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
    )
    return str(converter.convert_soup(soup)).strip()


def _pdf(path: Path, encoding: str | None) -> str:
    from pypdf import PasswordType, PdfReader

    # It logs what it repairs, and it repairs much.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with path.open("rb") as file:
        reader = PdfReader(file)
        # Many PDFs open without a password, and only forbid to print.
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise UnreadableFile(
                f"{path} cannot be read: it is encrypted.",
                hint="Store a copy without a password, or leave it out with --exclude.",
            )
        return "\n\n".join(page.extract_text() for page in reader.pages).strip()


def _docx(path: Path, encoding: str | None) -> str:
    from docx import Document
    from docx.text.paragraph import Paragraph

    with path.open("rb") as file:
        with zipfile.ZipFile(file) as packed:
            if sum(part.file_size for part in packed.infolist()) > _LARGEST_UNPACKED:
                raise UnreadableFile(f"{path} cannot be read: it unpacks to more than 500 MB.")
        file.seek(0)
        parts: list[str] = []
        for block in Document(file).iter_inner_content():
            if isinstance(block, Paragraph):
                level = (
                    re.fullmatch(r"Heading (\d)", block.style.name or "") if block.style else None
                )
                parts.append(("#" * int(level[1]) + " " if level else "") + block.text)
            else:
                # A cell that was merged is there once for each column.
                rows = (
                    dict.fromkeys(cell.text.strip() for cell in row.cells) for row in block.rows
                )
                parts.append("\n".join(" | ".join(filter(None, row)) for row in rows))
    return "\n\n".join(part for part in parts if part.strip()).strip()


_READERS: dict[str, _Reader] = {
    **dict.fromkeys((".md", ".markdown"), _read_markdown),
    **dict.fromkeys((".txt", ".text", ".rst"), _read_text),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _by_library("HTML", _html)),
    ".pdf": _by_library("PDF", _pdf),
    ".docx": _by_library("DOCX", _docx),
    **dict.fromkeys((".csv", ".tsv"), _read_csv),
    **dict.fromkeys((".jsonl", ".ndjson"), _read_jsonl),
}
#: Endings of the files that are read in a folder.
SUFFIXES = tuple(_READERS)
