"""``pgvec delete``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.arguments import need_text
from pgvec_versions.catalog import Collection, read_collection
from pgvec_versions.chunks.roots import Root, known_root
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.chunks.stored_documents import StoredDocument, stored_documents
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    YesOption,
)
from pgvec_versions.cli.printing import emit, messages
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.errors import (
    ConfigError,
    InvalidArgument,
    UnknownName,
    UnreadableFile,
    WrongState,
)
from pgvec_versions.postgres.database import autocommitted


def delete(
    documents: Annotated[
        list[str],
        typer.Argument(
            metavar="DOCUMENT", help="Document ids, or paths of files and folders; see pgvec add."
        ),
    ],
    yes: YesOption = False,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete documents from every live version.

    The files need not exist any more. A folder stands for its documents; then it asks first, or
    needs --yes where it cannot ask. If one name is wrong, nothing is deleted.
    """
    with workplace(database_url, config, collection, embedded=embedded) as here:
        chosen, by_folder = _chosen(here, documents)
        if dry:
            print_plan(
                [f"deletes {d.document_id} ({d.chunks} chunks)" for d in chosen], [], as_json
            )
            return
        if by_folder:
            _agree(chosen, yes, as_json)
        ids = [document.document_id for document in chosen]
        chunks = ChunkStore(here.engine, here.collection).delete(document_ids=ids)
    emit(
        {"documents": ids, "deleted": chunks},
        as_json,
        f"{len(ids)} documents, {chunks} chunks deleted.",
    )


def _chosen(here: Workplace, given: list[str]) -> tuple[list[StoredDocument], bool]:
    """The documents to delete, and whether one of the names is a folder's.

    Raises: UnknownName, InvalidArgument.
    """
    for name in given:
        if not need_text(name, "a document id").strip():
            raise InvalidArgument("a document id is empty.", hint="Nothing was deleted.")
    with autocommitted(here.engine) as raw:
        known = read_collection(raw, here.collection)
        root = _root(here, known)
        meanings = {name: _meanings(name, root) for name in given}
        ids = sorted({one for found in meanings.values() for one in found})
        stored = stored_documents(raw, known, ids, ids)
    chosen: dict[str, StoredDocument] = {}
    unknown: list[str] = []
    by_folder = False
    for name, names in meanings.items():
        meant = {one: _match(one, name.endswith("/"), stored) for one in names}
        meant = {one: found for one, found in meant.items() if found}
        if not meant:
            unknown.append(name)
        elif len(meant) > 1:
            raise InvalidArgument(
                f"{name!r} is both the document {name} and, as a path, {names[1]}.",
                hint=f"Nothing was deleted. Write ./{name} for the path; for the document, run "
                f"this in {root.folder if root else 'the root'}.",
                detail={"name": name, "meanings": list(meant)},
            )
        for one, found in meant.items():
            by_folder |= [d.document_id for d in found] != [one]
            chosen |= {document.document_id: document for document in found}
    if unknown:
        names = ", ".join(repr(name) for name in unknown)
        raise UnknownName(
            f"{here.collection} has no document {names}.",
            hint="Nothing was deleted. An id is what pgvec search shows, relative to "
            + (f"{root.folder}." if root else "the root of the documents."),
            detail={"collection": here.collection, "unknown": unknown},
        )
    return list(chosen.values()), by_folder


def _root(here: Workplace, known: Collection) -> Root | None:
    """The root of the documents. Without it, or on another machine, a name is only an id."""
    try:
        return known_root(known, here.config.path)
    except (ConfigError, UnreadableFile):
        return None


def _meanings(name: str, root: Root | None) -> list[str]:
    """The ids that a name can mean: what it says, and where it leads as a path."""
    found = [name.rstrip("/")] if name.strip("/") else []
    path = None if root is None else root.id_of(Path(name))
    return found if path is None or path in found else [*found, path]


def _match(one: str, folder: bool, stored: list[StoredDocument]) -> list[StoredDocument]:
    """The document of that id, or else those in the folder; in the root, those from files."""
    exact = [d for d in stored if d.document_id == one]
    if exact and not folder:
        return exact
    if not one:
        return [d for d in stored if d.from_file]
    return [d for d in stored if d.document_id.startswith(f"{one}/")]


def _agree(chosen: list[StoredDocument], yes: bool, as_json: bool) -> None:
    """Says what goes, and asks. Raises: WrongState."""
    for document in chosen:
        messages.print(f"delete: {document.document_id} ({document.chunks} chunks)", soft_wrap=True)
    if yes:
        return
    count = f"{len(chosen)} document{'s' if len(chosen) > 1 else ''}"
    if not as_json and sys.stdin.isatty() and typer.confirm(f"Delete {count}?", err=True):
        return
    raise WrongState(
        f"this would delete {count}. Nothing was changed.",
        hint="If you want that, add --yes.",
        detail={"documents": [document.document_id for document in chosen]},
    )
