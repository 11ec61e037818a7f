"""``pgvec doctor``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pgvec_versions.cli.hints import naming_collection
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import console, emit, styled
from pgvec_versions.cli.workplace import Workplace, named_embedder, workplace
from pgvec_versions.doctor import Finding, as_html, examine, examine_table, verdict
from pgvec_versions.embedders import Embedder, build_embedder
from pgvec_versions.errors import InvalidArgument
from pgvec_versions.new_files import write_text

#: The exit code if there is a problem, the same as of a refusal.
_FOUND_SOMETHING = 3
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def _configured(here: Workplace, collection: str, label: str) -> Embedder | None:
    known = here.config.collections.get(collection)
    spec = known.embedders.get(label) if known else None
    return build_embedder(spec, where=str(here.config.path)) if spec else None


def commands_here(findings: list[Finding], collections: list[str]) -> list[Finding]:
    """The findings; where there are several collections, the commands name theirs."""
    if len(collections) < 2:
        return findings
    return [
        replace(f, to_do=naming_collection(f.to_do, about))
        if (about := f.what.split("/")[0]) in collections
        else f
        for f in findings
    ]


def _print(findings: list[Finding]) -> None:
    table = Table()
    for column in ("", "what", "evidence", "what to do"):
        table.add_column(column, overflow="fold")
    for f in findings:
        table.add_row(styled((f.level, _COLOURS[f.level])), f.what, f.evidence, f.to_do)
    console.print(table)
    said = verdict(findings)
    console.print(f"{said.word}. {said.next}")


def doctor(
    table: Annotated[
        str | None,
        typer.Option("--table", help="Other pgvector table to check, instead of collections."),
    ] = None,
    embedder: Annotated[
        list[str] | None,
        typer.Option(
            "--embedder",
            help="With --table: a model that may have made the vectors, as a label in pgvec.toml "
            "or as JSON; repeatable.",
        ),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="With --table: column of the texts.")
    ] = None,
    vector_column: Annotated[
        str | None, typer.Option(help="With --table: column of the vectors.")
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Chunks of each version to embed again; 0 loads no model.", min=0)
    ] = 20,
    html: Annotated[
        Path | None, typer.Option("--html", help="File for the findings as one HTML page.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 for a warning too.")
    ] = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check for problems, present and coming; change nothing.

    Exits with 3 if there is a problem.
    """
    if table is None and (embedder or text_column or vector_column):
        raise InvalidArgument("--embedder, --text-column and --vector-column go with --table.")
    with workplace(database_url, config, collection, embedded=embedded) as here:
        if table is not None:
            findings = examine_table(
                here.engine,
                table,
                embedders={given: named_embedder(here, given) for given in embedder or []},
                sample=sample,
                text_column=text_column,
                vector_column=vector_column,
            )
        else:
            findings = examine(
                here.engine,
                collection=collection,
                sample=sample,
                embedder=lambda name, label: _configured(here, name, label),
            )
        findings = commands_here(findings, here.collections())
        if html is not None:
            page = as_html(
                findings,
                "pgvec doctor",
                database=here.database,
                table=table,
                collections=[collection] if collection else here.collections(),
            )
            write_text(html, page)
    if as_json:
        emit(findings, True)
    else:
        _print(findings)
    bad = ("problem", "warning") if strict else ("problem",)
    if any(f.level in bad for f in findings):
        raise typer.Exit(_FOUND_SOMETHING)
