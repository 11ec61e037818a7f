"""``pgvec adopt``."""

from __future__ import annotations

from typing import Annotated

import typer

from pgvec_versions.adoption.in_place import Adoption, Step
from pgvec_versions.cli.options import (
    ConfigOption,
    DatabaseUrlOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import emit, messages
from pgvec_versions.cli.workplace import named_embedder, workplace
from pgvec_versions.errors import InvalidArgument


def _columns(given: list[str] | None) -> dict[str, str]:
    mapped: dict[str, str] = {}
    for pair in given or []:
        target, separator, own = pair.partition("=")
        if not separator or not target or not own:
            raise InvalidArgument(
                f"--column {pair!r} is not of the form content=body.",
                hint="Left: chunk_id, content, metadata, document_id, position or embedding.",
            )
        mapped[target] = own
    return mapped


def _lines(steps: list[Step]) -> list[str]:
    return [f"{step.statement};  -- {step.lock}, {step.held}" for step in steps]


def adopt(
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="Table to adopt, with its schema if needed."),
    ] = None,
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Name of the new collection.")
    ] = "",
    label: Annotated[
        str, typer.Option("--label", help="Label of the model version that made the vectors.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Mapping such as content=body; repeat it for several."),
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option("--embedder", help="Embedder that made the vectors: a label, or JSON."),
    ] = None,
    distance: Annotated[
        str, typer.Option("--distance", help="cosine, l2 or inner_product.")
    ] = "cosine",
    undo: Annotated[
        bool, typer.Option("--undo", help="Make the table what it was, until the first cut-over.")
    ] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Drop the old vector indexes; then there is no way back."),
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Print every statement with its lock; change nothing.")
    ] = False,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an existing table the first version of a collection.

    The rows stay where they are, and the application's SQL goes on working under the table's name.
    If this is interrupted, run it again: it goes on. --undo is the way back, until the first
    cut-over.
    """
    if not collection:
        raise InvalidArgument("adopt needs the name of the collection.", hint="--collection docs")
    if undo and finish:
        raise InvalidArgument("--undo and --finish exclude each other.", hint="Give one of them.")
    if not (undo or finish) and (not table or not label):
        raise InvalidArgument(
            "adopt needs a table and the label of its vectors.",
            hint="pgvec adopt documents --collection docs --label ada-002",
        )
    with workplace(database_url, config, embedded=embedded) as here:
        here.say_where(f"collection: {collection}")
        adoption = Adoption(here.engine, collection)

        def said(step: Step) -> None:
            messages.print(f"{step.name}: {step.statement}", soft_wrap=True)

        if dry and (undo or finish):
            steps = adoption.undo_steps() if undo else adoption.finish_steps()
            emit({"dry_run": True, "steps": steps}, as_json, _lines(steps) or "nothing to do.")
            return
        if finish:
            adoption.finish(said)
            emit(
                {"collection": collection, "finished": True},
                as_json,
                f"The adoption of {collection} is finished; there is no way back.",
            )
            return
        if undo:
            adoption.undo(said)
            emit({"collection": collection, "undone": True}, as_json, "The table is what it was.")
            return
        assert table is not None
        made_by = None if embedder is None else named_embedder(here, embedder)
        if dry:
            mapped, steps = adoption.preview(
                table, label, columns=_columns(column), embedder=made_by, distance=distance
            )
            shown = [f"{own} becomes {target}" for target, own in mapped.items()]
            emit(
                {"dry_run": True, "columns": mapped, "steps": steps},
                as_json,
                [*shown, *_lines(steps)],
            )
            return
        mapped = adoption.begin(
            table, label, columns=_columns(column), embedder=made_by, distance=distance
        )
        adoption.run(said)
    emit(
        {"collection": collection, "model_version": label, "columns": mapped},
        as_json,
        f"{table} is version {label} of {collection}. Applications go on using its name. "
        f"The way back, until the first cut-over: pgvec adopt --collection {collection} --undo.",
    )
