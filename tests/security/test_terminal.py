"""What the database holds is text: it neither breaks nor drives the terminal of who looks at it."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from rich.table import Table

from pgvec_versions import cli
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.plain import safe_logging
from pgvec_versions.cli.printing import console, styled
from pgvec_versions.cli.progress import progress_bar
from pgvec_versions.doctor import Finding
from pgvec_versions.doctor import as_html as findings_as_html
from pgvec_versions.embedders import build_embedder
from pgvec_versions.safe_text import json_visible, line, visible
from pgvec_versions.upgrade.transition import Progress
from pgvec_versions.values import Chunk
from tests.cli.conftest import Run, configure, run, static

__all__ = ["configure", "run"]

DRIVES = (
    "\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m\x9d0;title\x9c\r\x08\x85\x7f"
    "\u202egnp.exe\u202c\u2066\u2028\u200b"
)
MARKUP = "[/] [red]r[/red] [link=http://evil.example]l[/link] :smile: [bold"
SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"{MARKUP} {DRIVES} {SCRIPT}"
FORGED = "harmless\ndocs  static-9  active  all is well"
#: What no output may hold; a line's end and a tab may stand in it.
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
#: What rich itself says to a terminal: colours, the cursor, clearing a line, hiding the cursor.
RICHS_OWN = re.compile(r"\x1b\[(?:[0-9;]*[mAKDG]|\?25[lh]|[0-9]*[AB])")


@pytest.mark.parametrize("sign", [*DRIVES.replace("gnp.exe", ""), "\0", "\x1f", "\ufeff", "\ud800"])
def test_a_sign_that_drives_a_terminal_is_spelt_out(sign: str) -> None:
    if sign.isascii() and sign.isprintable():
        return
    assert UNSAFE.search(visible(sign)) is None
    assert UNSAFE.search(line(sign)) is None
    assert ("\n" in line(f"a\n{sign}")) is False
    written = json_visible(json.dumps({sign: [sign]}, ensure_ascii=False))
    assert UNSAFE.search(written) is None
    assert json.loads(written) == {sign: [sign]}
    written.encode()


def test_letters_of_every_script_stay_as_they_are() -> None:
    text = "Zürich – 東京 – नमस्ते – שלום – 👩‍👩‍👧 – “quoted” – tab\tline\n"
    assert visible(text) == text
    assert json_visible(text) == text


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def test_no_verb_prints_past_the_two_ways_out() -> None:
    """Who prints otherwise forgets one day what a string may hold."""
    folder = Path(cli.__file__).parent
    found = []
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = _called(node)
                if name == "print" and file.name != "plain.py":
                    found.append(f"{file.name}:{node.lineno}: print")
                if re.search(r"(^|\.)(echo|secho|Console|Text|from_markup|rprint)$", name) and (
                    file.name != "printing.py"
                ):
                    found.append(f"{file.name}:{node.lineno}: {name}")
                if re.search(r"(stdout|stderr|__stdout__|__stderr__)\.(write|buffer)", name):
                    found.append(f"{file.name}:{node.lineno}: {name}")
                if _called(node).endswith(("Column", ".print")):
                    told = {k.arg: ast.unparse(k.value) for k in node.keywords}
                    if "markup" in told and told["markup"] != "False":
                        found.append(f"{file.name}:{node.lineno}: markup")
                    if name == "TextColumn" and "{" in ast.unparse(node) and "markup" not in told:
                        found.append(f"{file.name}:{node.lineno}: a column with markup")
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = [getattr(node, "module", None) or "", *(a.name for a in node.names)]
                if file.name != "printing.py" and {"rich.console", "rich.text", "rich.markup"} & {
                    *names
                }:
                    found.append(f"{file.name}:{node.lineno}: {names}")
    assert found == []


def test_a_terminal_in_colour_gets_our_colours_only() -> None:
    out = io.StringIO()
    shown = type(console)(file=out, force_terminal=True, color_system="truecolor", width=120)
    table = Table(title=HOSTILE, caption=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(styled((HOSTILE, "bold"), HOSTILE))
    shown.print(table)
    shown.print(HOSTILE, markup=True, emoji=True)
    said = RICHS_OWN.sub("", out.getvalue())
    assert UNSAFE.search(said) is None
    assert ":smile:" in said
    assert "[red]" in said


def test_a_progress_bar_shows_text_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar() as show:
        show(Progress(HOSTILE, 1, 2, 1.0))
    said = RICHS_OWN.sub("", capsys.readouterr().err).replace("\r", "")
    assert UNSAFE.search(said) is None
    assert "[red]" in said


def test_what_is_logged_drives_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    safe_logging()
    assert logging.lastResort is not None
    logging.lastResort.handle(
        logging.makeLogRecord({"msg": "worker: %s", "args": (HOSTILE,), "levelno": 30})
    )
    assert UNSAFE.search(capsys.readouterr().err) is None


@pytest.fixture
def poisoned(
    run: Run, configure: Callable[..., Path], tmp_path: Path, db: psycopg.Connection[Any]
) -> Run:
    """docs in a hostile schema, hostile in every text that anybody may write into it."""
    run("init")
    schema = f"s {MARKUP}\x1b]52;c;x\x07\x9b\u202e"[:60]
    db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    db.execute(
        "SELECT pgvec.create_collection('docs', id_type => 'text', host_schema => %s)", (schema,)
    )
    configure("static-1", static())
    assert run("upgrade", "--cut-over").code == 0
    embedder = build_embedder(static())
    store = ChunkStore(os.environ["PGVEC_DATABASE_URL"], "docs", {"static-1": embedder})
    store.add(
        [
            Chunk(
                f"A text about cats {n}. {HOSTILE}",
                f"{n} {HOSTILE}",
                0,
                {HOSTILE: n},
                HOSTILE + str(n),
            )
            for n in range(25)
        ]
    )
    configure("static-2", static(truncate_dim=128), static_1=static())
    return run


def clean(ended: Any, *codes: int) -> str:
    """What was printed, if no sign of it drives a terminal."""
    said = ended.out + ended.err
    assert UNSAFE.search(said) is None, repr(said)
    assert ended.code in (codes or (0,)), said
    assert "Traceback" not in said
    assert "MarkupError" not in said
    return said


def test_no_verb_shows_more_than_text(
    poisoned: Run, db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    run = poisoned
    assert "[red]r[/red]" in clean(run("search", "cats", "-k", "3"))
    hits = run("search", "cats", "-k", "3", "--json")
    clean(hits)
    assert all(HOSTILE in hit["content"] for hit in hits.data)
    clean(run("search", HOSTILE.replace("\0", "")))
    clean(run("upgrade"))
    # The words of a role, of an error, of a caller that holds, forces or pauses.
    role = f"r {MARKUP}\x1b\x9b"[:60]
    db.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    try:
        db.execute("SELECT pgvec.grant_read('docs', quote_ident(%s)::regrole)", (role,))
        clean(run("pause", "static-2", "--reason", HOSTILE))
        clean(run("resume", "static-2"))
        clean(run("evaluate", "static-2", "--count", "20"))
        assert "[red]r" in clean(run("report", "static-2")).replace("\\", "")
        clean(run("gate", "--require", "recall@10>=0.1"))
        clean(run("gate"))
        clean(run("gate", "--check", "static-2"), 0, 3)
        clean(run("cut-over", "static-2", "--force", "--reason", HOSTILE))
        assert "[red]r[/red]" in clean(run("hold", "static-1", "--reason", f"{HOSTILE} {FORGED}"))
        assert "\ndocs  static-9" not in clean(run("hold", "static-1", "--reason", FORGED))
        db.execute(
            "INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi,"
            " set_aside_at, last_error) VALUES ('docs', 'static-2', 'static-1', %s, %s, now(), %s)",
            (HOSTILE, HOSTILE, f"{FORGED} {HOSTILE}"),
        )
        status = clean(run("status"))
        assert not any(row.strip().startswith("docs  static-9") for row in status.splitlines())
        clean(run("status", "--json"))
        clean(run("doctor", "--sample", "0"), 0, 3)
        clean(run("doctor", "--sample", "5", "--json"), 0, 3)
        clean(run("worker", "--drain"), 0, 3)
        db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
        clean(run("retire", "--dry-run"))
        clean(run("retire"))
        clean(run("retire", "--json"))
        clean(run("roll-back", "--dry-run"), 0, 3)
        clean(run("on-retire"))
        clean(run("on-retire", HOSTILE), 2)
        clean(run("schedule", HOSTILE), 2)
        clean(run("schedule", "--dry-run", HOSTILE), 0, 2)
        clean(run("release", "static-1"))
        # Errors: a name, a label, a file, a reason of the caller, and what the server says back.
        for arguments in (
            ("status", "-c", HOSTILE),
            ("search", "x", "--version", HOSTILE),
            ("abandon", HOSTILE),
            ("init", HOSTILE),
            ("add", HOSTILE.replace("/", "")),
            ("export", HOSTILE, str(tmp_path / "x")),
            ("restore", HOSTILE),
            ("declare-equivalent", HOSTILE),
            ("evaluate", HOSTILE),
            ("report", HOSTILE),
            ("gate", "--require", HOSTILE),
            ("search", "x", "--where", HOSTILE),
        ):
            clean(run(*arguments), 2, 3, 4)
            clean(run(*arguments, "--json"), 2, 3, 4)
    finally:
        db.execute(sql.SQL("DROP OWNED BY {0}").format(sql.Identifier(role)))
        db.execute(sql.SQL("DROP ROLE {0}").format(sql.Identifier(role)))


def test_what_a_trigger_of_the_host_says_is_text(
    poisoned: Run, db: psycopg.Connection[Any]
) -> None:
    """An error of foreign code in the database is no defect of ours, and drives nothing either."""
    db.execute(
        sql.SQL(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION '%', {0} USING HINT = {0}, DETAIL = {0}; END$$"
        ).format(sql.Literal(HOSTILE))
    )
    schema = db.execute("SELECT host_schema FROM pgvec.collection").fetchone()
    assert schema is not None
    db.execute(
        sql.SQL(
            "CREATE TRIGGER refuse BEFORE INSERT ON {}"
            " FOR EACH ROW EXECUTE FUNCTION public.refuse()"
        ).format(sql.Identifier(schema[0], "docs"))
    )
    Path("new.txt").write_text("A text that is new.")
    said = clean(poisoned("add", "new.txt"), 1, 3)
    assert "[red]r[/red]" in said


def test_a_real_terminal_gets_no_commands_from_the_database(poisoned: Run, database: str) -> None:
    for verb in (["search", "cats"], ["status"], ["status", "-c", HOSTILE]):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "pgvec_versions", *verb],
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        ) as process:
            os.close(theirs)
            said = b""
            while True:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # the other side is closed
                    break
                if not piece:
                    break
                said += piece
            process.wait(60)
        os.close(ours)
        text = RICHS_OWN.sub("", said.decode().replace("\r\n", "\n"))
        assert UNSAFE.search(text) is None, repr(text)
        assert "docs" in text or "collection" in text


def test_pages_show_markup_as_text() -> None:
    findings = [Finding("problem", HOSTILE, HOSTILE, HOSTILE)]
    html = findings_as_html(findings, HOSTILE)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert UNSAFE.search(html) is None
