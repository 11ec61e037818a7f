"""The fenced blocks of a page, and a reader who does what they say, in order, in one session.

What a block is, its language says:

- ``sql``: for psql, in one session a page; ``python``: in one namespace a page;
- ``console``: commands after ``$ ``, output left to the next block; ``bash``: the same without the
  sign, with here-documents, and its variables kept for later blocks;
- ``toml``, ``ini``, ``yaml``, ``cron``, ``json``: parsed, and the ``pgvec`` in it checked;
- any of them, ``text`` and ``markdown``, with ``title="NAME"``: a file in the reader's folder;
- ``text`` directly after a block that runs: what it prints, where ``…`` stands for anything;
- ``text`` elsewhere: a picture, or output that is described in words.

Not shown on the page: ``<!-- run sql`` (or ``console``, ``python``), a block up to ``-->``; and
``<!-- desk: STATE -->``, what the page finds: an active version static-1 (``active``), and minilm-1
``ready``, or cut over to (``draining``). On the desk both are the quick kind of model. On the
desks ``v1`` (active) and ``v2`` (v1 active, v2 ready) SQL alone makes the versions; the catalog
must be installed.

Stand-ins: ``postgresql://app@db.internal/app`` is the test's database; ``make`` says what it would
do; ``pip`` looks whether the extras exist; ``$EDITOR FILE`` takes over what the desk has as next
configuration, if it has; ``pgvec`` runs in this process unless the shell is needed.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import typer
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from sqlalchemy import Engine

from pgvec_versions.cli import app, main
from pgvec_versions.config import load_config
from tests.tools import MINILM, MINILM_REVISION

ROOT = Path(__file__).parents[2]
ADDRESS = "//app@db.internal/app"
RUN = ("sql", "python", "console", "bash")
PARSED = ("toml", "ini", "yaml", "cron", "json")
FILES = ("text", "markdown")
_PIP = """#!{python}
import re, sys, tomllib
extras = tomllib.loads(open({pyproject!r}).read())["project"]["optional-dependencies"]
for asked in re.findall(r"pgvec-versions\\[([^]]*)\\]", " ".join(sys.argv)):
    sys.exit(any(name not in extras for name in asked.split(",")))
"""


_MODEL = f'provider = "static-tokens", model = "{MINILM}", revision = "{MINILM_REVISION}"'
_FIRST = f"""[collections.docs]
model_version = "static-1"
embedder = {{ {_MODEL} }}
"""
_SECOND = f"""[collections.docs]
model_version = "minilm-1"
embedder = {{ {_MODEL}, truncate_dim = 128 }}
[collections.docs.previous]
static-1 = {{ {_MODEL} }}
"""
#: Blocks that the next ones build on: language, title, text.
_UPGRADE: list[tuple[str, str | None, str]] = [
    ("toml", "pgvec.toml", _FIRST),
    ("console", None, "$ pgvec init docs\n$ pgvec upgrade --cut-over"),
    ("markdown", "handbook/holidays.md", "# Holidays\n\nTime off is requested in the portal.\n"),
    ("markdown", "handbook/canteen.md", "# Canteen\n\nLunch is served from noon to two.\n"),
    ("console", None, "$ pgvec add handbook/"),
    ("toml", "next.toml", _SECOND),
    ("toml", "pgvec.toml", _SECOND),
    ("console", None, "$ pgvec upgrade"),
    ("console", None, "$ pgvec cut-over"),
]
_V1 = """
SELECT pgvec.create_collection('docs');
SELECT pgvec.register_version('docs', 'v1', dimensions => 3);
INSERT INTO docs (model_version, document_id, position, content, embedding)
VALUES ('v1', 'handbook', 0, 'Holidays are requested in the portal.', '[0.9, 0.1, 0.1]');
SELECT pgvec.build_index('docs', 'v1'), pgvec.make_ready('docs', 'v1');
SELECT pgvec.cut_over('docs', 'v1');
"""
_V2 = """
SELECT pgvec.register_version('docs', 'v2', dimensions => 4);
INSERT INTO docs (chunk_id, model_version, document_id, position, content, metadata, embedding)
SELECT chunk_id, 'v2', document_id, position, content, metadata, '[0.9, 0.1, 0.1, 0.0]'
  FROM docs WHERE model_version = 'v1';
SELECT pgvec.build_index('docs', 'v2'), pgvec.make_ready('docs', 'v2');
"""
#: What makes each state of a desk.
DESKS: dict[str, list[tuple[str, str | None, str]]] = {
    "active": _UPGRADE[:6],
    "ready": _UPGRADE[:8],
    "draining": _UPGRADE,
    "v1": [("sql", None, _V1)],
    "v2": [("sql", None, _V1 + _V2)],
}


@dataclass(frozen=True)
class Block:
    """A fenced block. ``printed`` is what the page says it prints, if it says so."""

    page: str
    line: int
    language: str
    title: str | None
    text: str
    printed: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """The README and the pages in ``docs/``, but for those of error codes."""
    found = (page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "errors")
    return [ROOT / "README.md", *sorted(found)]


def error_pages() -> list[Path]:
    """The pages in ``docs/errors/``, one a code."""
    return sorted((ROOT / "docs/errors").glob("*.md"))


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order. Every one has a language, and none is made by indenting."""
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    found: list[Block] = []
    name = str(page.relative_to(ROOT))
    for number, token in enumerate(tokens):
        if token.type == "html_block":
            found += _unseen(name, token)
            continue
        assert token.type != "code_block", f"{page.name}: an indented block; fence it: {token.map}"
        if token.type != "fence":
            continue
        language, title = _info(token.info)
        assert token.map is not None
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        follows = after is not None and after.type == "fence" and _info(after.info)[0] == "text"
        printed = (
            after.content
            if language in RUN and title is None and follows and _info(after.info)[1] is None
            else None
        )
        found.append(Block(name, token.map[0] + 1, language, title, token.content, printed))
    return found


def _unseen(page: str, token: Token) -> Iterator[Block]:
    assert token.map is not None
    line = token.map[0] + 1
    if run := re.fullmatch(
        r"<!-- run (sql|console|python)\n(.*)-->\s*", token.content, flags=re.DOTALL
    ):
        yield Block(page, line, run[1], None, run[2], None)
    elif desk := re.fullmatch(r"<!-- desk: (\w+) -->\s*", token.content):
        for language, title, text in DESKS[desk[1]]:
            yield Block(f"{page} (desk)", line, language, title, text, None)


def _info(info: str) -> tuple[str, str | None]:
    language, _, rest = info.partition(" ")
    title = re.search(r'title="([^"]+)"', rest)
    return language, title[1] if title else None


def same(printed: str, got: str) -> bool:
    """Whether the output is what the page prints: ``…`` is anything, blanks do not count."""
    pattern = ""
    for line in (" ".join(line.split()) for line in printed.splitlines()):
        if line == "…":
            pattern += r"(?:.*\n)*?"
        elif line:
            pattern += ".*".join(re.escape(part) for part in line.split("…")) + r"\n"
    lines = (" ".join(line.split()) for line in got.splitlines())
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines if line)) is not None


class Reader:
    """Somebody at a desk: a folder, a shell, psql and Python, on one database."""

    def __init__(self, url: str, psql: Path, folder: Path) -> None:
        self.address = "//" + url.split("//", 1)[1]
        self.folder = folder / "desk"
        self.folder.mkdir()
        self.said: list[str] = []
        self.names: dict[str, Any] = {"__name__": "page"}
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PGVEC_")},
            "PATH": f"{self._programs(folder / 'bin', psql)}:{os.environ['PATH']}",
            "PGVEC_DATABASE_URL": url,
            "EDITOR": "edit",
            "COLUMNS": "120",
            "NO_COLOR": "1",
        }
        self.psql = subprocess.Popen(
            [psql, url, "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.env,
        )

    def _programs(self, folder: Path, psql: Path) -> Path:
        folder.mkdir()
        here = Path(sys.executable).parent
        scripts = {
            "make": f'#!/bin/sh\nexec {shutil.which("make")} -n -C {ROOT} "$@"\n',
            "pip": _PIP.format(python=sys.executable, pyproject=str(ROOT / "pyproject.toml")),
            "psql": f'#!/bin/sh\nexec {psql} "$@"\n',
            **{name: f'#!/bin/sh\nexec {here / name} "$@"\n' for name in ("pgvec", "alembic")},
            "edit": '#!/bin/sh\n[ ! -f next.toml ] || cp next.toml "$1"\n',
            "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
        }
        for name, script in scripts.items():
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        return folder

    def close(self) -> None:
        """Ends the sessions."""
        self.psql.communicate("")
        for value in self.names.values():
            if isinstance(value, Engine):
                value.dispose()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.folder)):
                del sys.modules[name]

    # --- Blocks ---

    def read(self, block: Block) -> None:
        """Does what the block says; fails where the page and the world disagree."""
        text = block.text.replace(ADDRESS, self.address)
        assert block.language in (*RUN, *PARSED, *FILES), f"{block}: what is {block.language!r}?"
        if block.language in PARSED:
            check_data(block.language, text, str(block))
        if block.title is not None:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            if path.name == "pgvec.toml":
                load_config(path)
            return
        if block.language not in RUN:
            return
        got = getattr(self, f"_{block.language}")(block, text).replace(self.address, ADDRESS)
        self.said.append(got)
        if block.printed is not None:
            assert same(block.printed, got), f"{block} prints:\n{got}\nand not:\n{block.printed}"

    def _sql(self, block: Block, text: str) -> str:
        assert self.psql.stdin is not None
        assert self.psql.stdout is not None
        end = f"=== end of {block.line} ==="
        self.psql.stdin.write(f"{text}\n\\echo\n\\echo {end}\n")
        self.psql.stdin.flush()
        lines: list[str] = []
        for line in iter(self.psql.stdout.readline, ""):
            if line.strip() == end:
                break
            lines.append(line)
        else:
            raise AssertionError(f"{block}: psql ended\n{''.join(lines)}")
        got = "".join(_without_notices(lines))
        assert "ERROR:" not in got or block.printed is not None, f"{block}: {got}"
        return got

    def _python(self, block: Block, text: str) -> str:
        out = io.StringIO()
        code = compile("\n" * block.line + text, block.page, "exec")
        with self._at_the_desk(), contextlib.redirect_stdout(out):
            exec(code, self.names)
        return out.getvalue()

    def _console(self, block: Block, text: str) -> str:
        return "".join(self._done(command, block) for command in commands(text, str(block)))

    def _bash(self, block: Block, text: str) -> str:
        return "".join(self._done(command, block) for command in script(text))

    def _done(self, command: str, block: Block) -> str:
        plain, _, otherwise = command.partition(" || echo ")
        told = re.fullmatch(r'"([^"]*)\$\?"', otherwise)
        if otherwise and not told:
            plain = command
        code, out = self._pgvec(plain) if _is_plain(plain) else self._shell(plain)
        if told and code:
            return f"{out}{told[1]}{code}\n"
        assert code == 0, f"{block}: {command}\nends with {code}:\n{out}"
        return out

    def _pgvec(self, command: str) -> tuple[int, str]:
        out = io.StringIO()
        arguments = shlex.split(command, comments=True)
        with (
            self._at_the_desk(),
            mock.patch.object(sys, "argv", arguments),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
        ):
            try:
                main()
            except SystemExit as ended:
                return int(ended.code or 0), out.getvalue()
        return 0, out.getvalue()

    def _shell(self, command: str) -> tuple[int, str]:
        kept = self.folder.parent / "env"
        done = subprocess.run(
            [
                "bash",
                "-a",
                "-o",
                "pipefail",
                "-c",
                f'{command}\nended=$?\nenv -0 >"{kept}"\nexit $ended',
            ],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        if kept.exists():
            pairs = (entry.partition("=") for entry in kept.read_text().split("\0") if entry)
            self.env = {name: value for name, _, value in pairs}
        return done.returncode, done.stdout

    @contextlib.contextmanager
    def _at_the_desk(self) -> Iterator[None]:
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, self.env, clear=True),
            mock.patch.object(sys, "path", [str(self.folder), *sys.path]),
        ):
            yield


def commands(text: str, where: str) -> list[str]:
    """The commands of a console block; a backslash at the end carries on."""
    found: list[str] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        assert line.startswith("$ ") or not line.strip(), f"{where}: output in a console: {line}"
        if line.strip():
            found.append(line[2:].strip())
    return found


def script(text: str) -> list[str]:
    """The commands of a bash block: a line each, with its here-document."""
    found: list[str] = []
    end = ""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if end:
            found[-1] += f"\n{line}"
            end = "" if line == end else end
        elif line.strip() and not line.startswith("#"):
            found.append(line)
            here = re.search(r"<<-?\s*['\"]?(\w+)", line)
            end = here[1] if here else ""
    return found


def _is_plain(command: str) -> bool:
    """Whether it is pgvec with arguments, and nothing that needs a shell."""
    bare = re.sub(r"'[^']*'| #.*", "", command)
    outside = re.sub(r'"[^"]*"', "", bare)
    return (
        command.startswith("pgvec ")
        and not re.search(r"[$`]|\n", bare)
        and not re.search(r"[|&;<>]", outside)
    )


def _without_notices(lines: list[str]) -> Iterator[str]:
    """What psql says by default, with the SQLSTATE: no notices, details, places in the source."""
    kept = True
    for line in lines:
        if re.match(r"(NOTICE|DETAIL|CONTEXT|LOCATION|WARNING|LINE \d+|[A-Z]+ NAME):? ", line):
            kept = False
        elif not line.startswith((" ", "\t", "SQL ", "PL/pgSQL ")):
            kept = True
        if kept:
            yield line


# --- Data ---


def check_data(language: str, text: str, where: str) -> None:
    """Parses it, and asks the command line about every ``pgvec`` in it."""
    if language == "toml":
        tomllib.loads(text)
    elif language == "json":
        for line in text.splitlines() if text.startswith("{") and "\n{" in text else [text]:
            json.loads(line)
    elif language == "ini":
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(text)
        assert parser.sections(), where
    elif language == "yaml":
        text = "\n".join(_strings(list(yaml.safe_load_all(text))))
    else:
        for line in text.splitlines():
            fits = re.fullmatch(r"(#.*|\w+=.*|([\d*/,-]+ +){5}\S.*|)", line)
            assert fits, f"{where}: no line of a crontab: {line}"
    for command in re.findall(r"\bpgvec [a-z][^\n|&;>]*", text):
        check_command(command, where)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        if all(isinstance(each, str) for each in value):
            yield shlex.join(value)
        else:
            for each in value:
                yield from _strings(each)


def check_command(command: str, where: str) -> None:
    """Fails unless the command line knows the verb and its options."""
    _, verb, *arguments = shlex.split(command, comments=True)
    group: Any = typer.main.get_command(app)
    assert verb in group.commands, f"{where}: pgvec has no {verb}"
    try:
        group.commands[verb].make_context(verb, list(arguments))
    except Exception as exc:
        raise AssertionError(f"{where}: {command}: {exc}") from exc
