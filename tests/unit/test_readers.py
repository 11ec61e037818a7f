"""Every kind of file is read as its text; what cannot be read is one line, never raw in a chunk."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pgvec_versions.chunks import readers
from pgvec_versions.chunks.documents import Document
from pgvec_versions.chunks.readers import Record, check_encoding, read_file
from pgvec_versions.errors import InvalidArgument, UnreadableFile

Save = Callable[[str, str | bytes], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path: Path, encoding: str | None = None) -> str:
    with pytest.raises(UnreadableFile) as caught:
        read_file(path, encoding)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


# --- Text ---


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xef\xbb\xbfa\r\nb\rc\n", "a\nb\nc\n"),
        (b"", ""),
        (b"\xef\xbb\xbf", ""),
        ("ü €".encode(), "ü €"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.MD", "no ending"])
def test_text_comes_without_mark_and_with_plain_line_ends(
    save: Save, name: str, raw: bytes, text: str
) -> None:
    content = read_file(save(name, raw))
    assert (content.text, content.markdown) == (text, name.endswith("MD"))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"ab\xff", "byte 2 is not UTF-8"),
        (b"a\0b", "contains NUL"),
        (b"\xff\xfea\0", "add --encoding utf-16"),
        (b"\xff\xfe\0\0a\0\0\0", "add --encoding utf-32"),
        (b"%PDF-1.7\nplain", "begins like PDF"),
        (rb"{\rtf1 text}", "begins like RTF"),
        (b"\n <!DOCTYPE html><p>x", "begins like HTML"),
        (b"<html lang=en>", "begins like HTML"),
        (b"<?xml version='1.0'?><a/>", "begins like XML"),
        (b"\x89PNG\r\n\x1a\n", "byte 0 is not UTF-8"),
        (b"PK\x03\x04\0\0", "contains NUL"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "unknown.doc"])
def test_what_is_no_text_is_never_embedded_raw(
    save: Save, name: str, raw: bytes, says: str
) -> None:
    assert says in refusal(save(name, raw))


def test_an_encoding_is_kept_to(save: Save) -> None:
    path = save("a.txt", "Zürich".encode("cp1252"))
    assert read_file(path, "cp1252").text == "Zürich"
    assert "is not ASCII" in refusal(path, "ascii")
    assert "is not UTF-16" in refusal(save("b.txt", b"abc"), "utf-16")
    assert "surrogate" in refusal(save("c.txt", rb"\ud800"), "unicode_escape")
    for wrong in ("", "klingon", "base64", "undefined", "\0"):
        with pytest.raises(InvalidArgument, match="no text encoding"):
            check_encoding(wrong)


# --- Records ---


@pytest.mark.parametrize(
    ("name", "text", "records"),
    [
        ("a.csv", 'q,a\n"x, ""y""","two\nlines"\n', ['q: x, "y"\na: two\nlines']),
        ("a.csv", "q;a\r\n1,5;b\r\n", ["q: 1,5\na: b"]),
        ("a.csv", '"a,b";c\n1;2\n', ["a,b: 1\nc: 2"]),
        ("A.TSV", "q\ta,b\n1\t2\n", ["q: 1\na,b: 2"]),
        ("a.csv", "q,a\n1,2,3\n4\n,\n\n", ["q: 1\na: 2\n3", "q: 4"]),
        ("a.csv", "\ufeffq\nx\n", ["q: x"]),
        ("a.csv", "q,a\n", []),
        ("a.csv", "", []),
        ("a.csv", "q\n" + "x" * 300_000, ["q: " + "x" * 300_000]),
    ],
)
def test_each_row_of_csv_is_a_record(save: Save, name: str, text: str, records: list[str]) -> None:
    assert read_file(save(name, text)).records == tuple(map(Record, records))


def test_each_line_of_jsonl_is_a_record_with_its_fields(save: Save) -> None:
    lines = [
        '{"text": "one", "lang": "en", "tags": ["a"]}',
        "",
        '"just a text"',
        '{"content": "a\\u2028b", "text": 5}',
        '{"q": "x", "n": 1.5, "none": null, "list": [1]}',
        '{"text": ""}',
        "{}",
    ]
    found = read_file(save("a.JSONL", "\r\n".join(lines))).records
    assert found == (
        Record("one", {"lang": "en", "tags": ["a"]}),
        Record("just a text"),
        Record("a\u2028b", {"text": 5}),
        Record("q: x\nn: 1.5\nlist: [1]", {"q": "x", "n": 1.5, "none": None, "list": [1]}),
    )


def test_a_record_is_a_chunk_with_its_fields_as_metadata(save: Save) -> None:
    path = save("a.jsonl", '{"text": "one", "lang": "en", "source": "mine"}\n{"text": "two words"}')
    chunks = list(Document("d/a.jsonl", path).chunks(5))
    assert [(c.content, c.position, c.metadata) for c in chunks] == [
        ("one", 0, {"lang": "en", "source": "d/a.jsonl"}),
        ("two", 1, {"source": "d/a.jsonl"}),
        ("words", 2, {"source": "d/a.jsonl"}),
    ]


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.csv", 'a,b\n1,"x\n', "is not CSV: line 2: unexpected end of data"),
        ("a.csv", 'a,b\n1,"x"y\n', "is not CSV: line 2"),
        ("a.jsonl", '{"text": "good"}\n{"text": \n', "is not JSONL: line 2"),
        ("a.jsonl", '{"text": "x"} {"text": "y"}', "is not JSONL: line 1"),
        ("a.jsonl", "[1]", "it is no JSON object"),
        ("a.jsonl", '{"a": NaN}', "NaN is no JSON number"),
        ("a.jsonl", '{"a": 1e999}', "1e999 is no JSON number"),
        ("a.jsonl", '{"a": ["\\u0000"]}', "NUL"),
        ("a.jsonl", '{"\\ud800": 1}', "surrogate"),
        ("a.jsonl", "[" * 100_000, "nested too deeply"),
        ("a.jsonl", '{"a": ' + "[" * 200 + "]" * 200 + "}", "nested too deeply"),
        ("a.ndjson", b"\xff", "not UTF-8"),
    ],
)
def test_a_bad_record_names_its_line(save: Save, name: str, raw: str | bytes, says: str) -> None:
    assert says in refusal(save(name, raw))


# --- HTML, PDF, DOCX ---

PAGE = """<!DOCTYPE html><html><head><title>t</title><style>p{}</style></head><body>
<h1>Holidays</h1><p>Ask <b>two</b> weeks <a href="x">ahead</a>.</p><script>evil()</script>
<ul><li>one</li><li>two</li></ul><img src="x" alt="y"></body></html>"""


def test_html_comes_as_markdown_without_scripts(save: Save) -> None:
    content = read_file(save("a.HTML", PAGE))
    assert content.markdown
    assert content.text.startswith("# Holidays\n\nAsk **two** weeks ahead.")
    assert "* one" in content.text
    for raw in ("<", "evil", "p{}", "src"):
        assert raw not in content.text


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        ('<meta charset="windows-1252"><p>Zürich'.encode("cp1252"), None),
        ("<p>Zürich".encode("cp1252"), "cp1252"),
        ('<meta charset="klingon"><p>Zürich'.encode(), None),
        ("\ufeff<p>Zürich".encode(), None),
    ],
)
def test_html_declares_its_encoding_or_you_do(save: Save, raw: bytes, encoding: str | None) -> None:
    assert read_file(save("a.htm", raw), encoding).text == "Zürich"


def pdf(text: str = "", **encryption: Any) -> bytes:
    """A page that says the text."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    def name(text: str) -> NameObject:
        return NameObject(f"/{text}")

    writer = PdfWriter()
    page = writer.add_blank_page(200, 200)
    if text:
        face = {"Type": "Font", "Subtype": "Type1", "BaseFont": "Helvetica"}
        font = DictionaryObject({name(key): name(value) for key, value in face.items()})
        fonts = DictionaryObject({name("F"): font})
        page[name("Resources")] = DictionaryObject({name("Font"): fonts})
        shown = DecodedStreamObject()
        shown.set_data(f"BT /F 12 Tf 20 100 Td ({text}) Tj ET".encode())
        page[name("Contents")] = shown
    if encryption:
        writer.encrypt(**encryption)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def test_a_pdf_gives_its_text(save: Save) -> None:
    assert read_file(save("a.PDF", pdf("Hello from a page"))).text == "Hello from a page"
    assert read_file(save("scan.pdf", pdf())).text == ""
    own = pdf(user_password="", owner_password="o", algorithm="AES-256")
    assert read_file(save("own.pdf", own)).text == ""


def docx() -> bytes:
    from docx import Document as Docx

    made = Docx()
    made.add_heading("Holidays", 2)
    made.add_paragraph("Ask ahead.")
    table = made.add_table(2, 2)
    for row, name in enumerate(("a", "b")):
        for column in (0, 1):
            table.cell(row, column).text = f"{name}{column}"
    table.cell(1, 0).merge(table.cell(1, 1)).text = "both"
    made.add_paragraph("The end.")
    saved = io.BytesIO()
    made.save(saved)
    return saved.getvalue()


def test_a_docx_gives_headings_paragraphs_and_tables_in_order(save: Save) -> None:
    content = read_file(save("a.docx", docx()))
    assert content.markdown
    assert content.text == "## Holidays\n\nAsk ahead.\n\na0 | a1\nboth\n\nThe end."


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b" " * 3_000_000)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.pdf", b"", "cannot be read as PDF"),
        ("a.pdf", b"%PDF-1.4 broken", "cannot be read as PDF"),
        ("a.pdf", PAGE, "cannot be read as PDF"),
        ("a.docx", b"", "cannot be read as DOCX"),
        ("a.docx", b"PK\x03\x04 broken", "cannot be read as DOCX"),
        ("a.docx", pdf(), "cannot be read as DOCX"),
        ("a.html", "<div>" * 50_000, "nested too deeply"),
        ("a.html", b"\xff\xfe<\0p\0", "--encoding utf-16"),
        ("a.html", b"<p>\xff", "is not UTF-8"),
    ],
)
def test_a_broken_file_is_one_line(save: Save, name: str, raw: str | bytes, says: str) -> None:
    assert says in refusal(save(name, raw))


def test_an_encrypted_pdf_and_a_docx_that_unpacks_to_too_much_are_refused(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    for algorithm in ("RC4-128", "AES-256"):
        locked = pdf(user_password="secret", algorithm=algorithm)
        assert "it is encrypted" in refusal(save("a.pdf", locked))
    half = docx()
    assert "DOCX" in refusal(save("half.docx", half[: len(half) // 2]))
    monkeypatch.setattr(readers, "_LARGEST_UNPACKED", 1_000_000)
    assert "unpacks to more than" in refusal(save("a.docx", bomb()))


@pytest.mark.parametrize("name", ["a.html", "a.HTM", "a.xhtml", "a.pdf", "a.docx"])
def test_without_the_extra_the_install_line_is_said(
    save: Save, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("bs4", "pypdf", "docx", "markdownify"):
        monkeypatch.setitem(sys.modules, module, None)
    message = refusal(save(name, PAGE))
    assert "pip install 'pgvec-versions[documents]'" in message


def test_metadata_of_a_record_is_json(save: Save) -> None:
    path = save("a.jsonl", json.dumps({"text": "x", "deep": {"a": [1, {"b": None}]}}))
    (chunk,) = Document("a", path).chunks(100)
    assert json.loads(json.dumps(chunk.metadata))["deep"] == {"a": [1, {"b": None}]}
