"""The pages of the site that are made from the code: nothing in them is kept by hand.

``errors.md`` from ``pgvec_versions.errors`` and the codes raised in ``sql/`` (it links to the
page of each code in ``docs/errors/``, which is written by hand), ``cli.md`` from the command line
itself, ``sql-reference.md`` from the headers in ``sql/``. MkDocs calls ``on_files``; the tests call
the functions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pgvec_versions import errors
from pgvec_versions.cli import app
from pgvec_versions.cli.verbs import VERBS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
_CODE = re.compile(r"'(PV\d{3}|40001|42501|55P03|2BP01|42704)'")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to those of ``docs/``."""
    from mkdocs.structure.files import File

    for name, make in PAGES.items():
        files.append(File.generated(config, name, content=make()))
    return files


# --- SQL objects ---


@dataclass(frozen=True)
class SqlObject:
    """A function, procedure or view of ``sql/``, with what its header promises."""

    name: str
    signatures: tuple[str, ...]
    promise: str
    codes: frozenset[str]


def sql_objects() -> list[SqlObject]:
    """Everything that stands in ``sql/functions`` and ``sql/views``, by name."""
    found: list[SqlObject] = []
    for path in sorted(
        [*ROOT.glob("sql/functions/*/*.sql"), *ROOT.glob("sql/views/*.sql")], key=lambda p: p.name
    ):
        text = path.read_text("utf-8")
        headers = re.findall(r"((?:^--[^\n]*\n)+)(?=CREATE)", text, flags=re.MULTILINE)
        promise = "\n".join(re.sub(r"^-- ?", "", h, flags=re.MULTILINE) for h in headers[:1])
        made: dict[str, list[str]] = defaultdict(list)
        for kind, name, rest in re.findall(
            r"^CREATE OR REPLACE (FUNCTION|PROCEDURE|VIEW) pgvec\.(\w+)(.*?)"
            r"(?=^LANGUAGE|\bLANGUAGE\b|\bAS\b|\bWITH \()",
            text,
            flags=re.MULTILINE | re.DOTALL,
        ):
            call = {"FUNCTION": "", "PROCEDURE": "CALL ", "VIEW": "VIEW "}[kind]
            made[name].append(f"{call}pgvec.{name}{' '.join(rest.split())}")
        codes = frozenset(_CODE.findall(text))
        found += [SqlObject(n, tuple(s), promise.strip(), codes) for n, s in made.items()]
    return found


def codes_in_sql() -> dict[str, set[str]]:
    """Which objects raise a SQLSTATE of ours, by code; those of the catalog's scripts too."""
    raised: dict[str, set[str]] = defaultdict(set)
    for each in sql_objects():
        for code in each.codes:
            raised[code].add(each.name)
    for path in [*ROOT.glob("sql/catalog/*.sql"), *ROOT.glob("sql/install/*.sql")]:
        for code in _CODE.findall(path.read_text("utf-8")):
            raised[code].add("the catalog's script")
    return dict(raised)


def hand_written() -> str:
    """The text of every page in ``docs/``, and of the README."""
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
    return "\n".join(page.read_text("utf-8") for page in pages)


def sql_reference_page() -> str:
    """Every SQL object: first those that the pages name, then the rest."""
    text = hand_written()
    objects = sql_objects()
    spoken = [o for o in objects if re.search(rf"\bpgvec\.{o.name}\b", text)]
    rest = [o for o in objects if o not in spoken]
    lines = [
        "# SQL reference",
        "",
        "Every function, procedure and view with what it promises, from its header in `sql/`. "
        "Errors: [error codes](errors.md). A session that uses them: [direct SQL](sql.md).",
        "",
        "## What you call or read",
        "",
    ]
    for each in spoken:
        lines += _described(each)
    lines += [
        "## Internal objects",
        "",
        "The functions above, workers and the package call these. They may change.",
        "",
    ]
    for each in rest:
        lines += _described(each)
    return "\n".join(lines)


def _described(each: SqlObject) -> Iterator[str]:
    yield f"### {each.name}"
    yield ""
    yield "```text"
    yield from (f"{signature};" for signature in each.signatures)
    yield "```"
    yield ""
    listed = False
    for line in each.promise.splitlines():
        # A list of arguments in a header is indented by two; what follows it is a paragraph again.
        argument = re.match(r"^  (\w+(?:, \w+)*)  +(.*)$", line) or re.match(
            r"^  (\w+(?:, \w+)*) (.*)$", line
        )
        part = re.match(r"^(Arguments|Raises|Returns|Shape|Promises?|Source|Why)\b", line)
        if part or (listed and not line.startswith(" ")):
            yield ""
        listed = bool(argument) or (listed and line.startswith(" "))
        yield f"\n`{argument[1]}`: {_escaped(argument[2])}" if argument else _escaped(line.strip())
    yield ""


def _escaped(text: str) -> str:
    return re.sub(r"([<>*_\[\]])", r"\\\1", text)


# --- Errors ---


def error_classes() -> list[type[errors.PgvecError]]:
    """Every class of the tree, parents first."""

    def below(cls: type[errors.PgvecError]) -> Iterator[type[errors.PgvecError]]:
        yield cls
        for child in cls.__subclasses__():
            yield from below(child)

    return list(below(errors.PgvecError))


def errors_page() -> str:
    """The tree with codes, exit codes and who raises what."""
    raised = codes_in_sql()
    lines = [
        "# Error codes",
        "",
        "Look up what an error means. Every refusal has one class, one SQLSTATE if the database",
        "raises it, and one exit code on the command line. `DETAIL` is JSON: `error.detail`, a",
        "dict; the hint is `error.hint`. Test for codes and classes, never for the words of a",
        "message. Each code has a page: cause, cure, and the message as it is printed.",
        "",
        "## By class",
        "",
        "| class | SQLSTATE | exit code | when |",
        "|---|---|---|---|",
    ]
    for cls in error_classes():
        depth = len(cls.__mro__) - len(errors.PgvecError.__mro__)
        summary = " ".join((cls.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
        code = f"[`{cls.code}`](errors/{cls.code}.md)" if cls.code else ""
        lines.append(
            f"| {'&emsp;' * depth}`{cls.__name__}` | {code} | {cls.exit_code} | {summary} |"
        )
    lines += ["", "## By SQLSTATE", ""]
    meanings = {
        str(cls.code): f"`{cls.__name__}`. {' '.join((cls.__doc__ or '').split())}"
        for cls in error_classes()
        if cls.code
    }
    for code, meaning in sorted(meanings.items()):
        lines += [f"### {code}", "", f"{meaning} [Cause and cure](errors/{code}.md)."]
        names = sorted(raised.get(code, ()))
        linked = [n if " " in n else f"[`{n}`](sql-reference.md#{n})" for n in names]
        if linked:
            lines.append(f"Raised in {', '.join(linked)}.")
        lines.append("")
    lines += [
        "## By exit code",
        "",
        "| exit code | of |",
        "|---|---|",
        "| 0 | success |",
        "| 130 | stopped with Ctrl-C |",
    ]
    by_exit: dict[int, list[str]] = defaultdict(list)
    for cls in error_classes():
        by_exit[cls.exit_code].append(f"`{cls.__name__}`")
    lines += [f"| {number} | {', '.join(names)} |" for number, names in sorted(by_exit.items())]
    return "\n".join([*lines, ""])


# --- The command line ---


def commands() -> dict[str, Any]:
    """The verbs, in the order of ``pgvec --help``."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def cli_page() -> str:
    """Every verb with its arguments and options, from the command line itself."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, verb in VERBS.items():
        groups[verb.group].append(f"[`{name}`](#pgvec-{name})")
    epilog = str(app.info.epilog)
    lines = [
        "# Command line",
        "",
        "Every verb of `pgvec`, with its arguments and options, made from the command line itself.",
        "Name the database with `--database-url`, `PGVEC_DATABASE_URL`, `pgvec.toml` or libpq's",
        "variables, or ask for a private server with `--embedded`: see",
        "[operations](operations.md#which-database). `--json` prints data instead of words.",
        "",
        epilog.replace("Exit codes: ", "**Exit codes.** "),
        "",
    ]
    lines += [*(f"- {group}: {', '.join(verbs)}" for group, verbs in groups.items()), ""]
    for name, command in commands().items():
        lines += [f"## pgvec {name}", "", *_paragraphs(command.help or ""), ""]
        table = [_row(parameter) for parameter in command.params if parameter.name != "help"]
        if table:
            lines += ["| argument or option | default | |", "|---|---|---|", *table, ""]
    return "\n".join(lines)


def _paragraphs(text: str) -> list[str]:
    return [_escaped(line.strip()) for line in text.replace("\b", "").splitlines()]


def _row(parameter: Any) -> str:
    default = parameter.default
    told = "" if default in (None, False, ()) or callable(default) else f"`{default}`"
    words = " ".join((parameter.help or "").split())
    names = [*parameter.opts, *parameter.secondary_opts]
    shown = (
        f"`{str(parameter.name).upper()}`"
        if parameter.param_type_name == "argument"
        else ", ".join(f"`{name}`" for name in names)
    )
    return f"| {shown} | {told} | {_escaped(words).replace('|', '/')} |"


PAGES = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "sql-reference.md": sql_reference_page,
}
