"""``pgvec add``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.catalog import read_collection
from pgvec_versions.chunks.documents import Document, find_documents
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    need_positive,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.progress import progress_bar
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.embedders.by_version import BoundEmbedders, write_version
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.upgrade.transition import Progress as Step
from pgvec_versions.values import Chunk


def add(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Text and Markdown files, or folders.")
    ],
    chunk_chars: Annotated[int, typer.Option(help="Characters in a chunk, at most.")] = 800,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Split text and Markdown files into chunks, embed and store them.

    The vectors are those of the active version. Files that did not change are not embedded again.
    """
    need_positive(chunk_chars, "--chunk-chars")
    documents = find_documents(paths)
    empty: list[str] = []
    with (
        workplace(database_url, config, collection, embedded=embedded, direct=True) as here,
        progress_bar(as_json) as show,
    ):
        if dry:
            _print_plan(here, documents, chunk_chars, as_json)
            return
        store = ChunkStore(here.engine, here.collection, here.embedders())
        began = time.monotonic()
        done = 0

        def chunks(documents: list[Document]) -> Iterator[Chunk]:
            for number, document in enumerate(documents):
                show(Step("documents", number, len(documents), time.monotonic() - began))
                first = True
                for chunk in document.chunks(chunk_chars):
                    first = False
                    yield chunk
                if first:
                    empty.append(document.document_id)

        def stored(count: int) -> None:
            nonlocal done
            done += count
            show(Step("chunks", done, done, time.monotonic() - began))

        result = store.add(chunks(documents), progress=stored)
        show(Step("documents", len(documents), len(documents), time.monotonic() - began))
        if empty:
            # A file that is empty now has no chunks to add: those stored for it are deleted.
            result = result.plus(type(result)(deleted=store.delete(document_ids=empty)))
    text = (
        f"{len(documents)} documents, version {result.model_version or '–'}: "
        f"{result.added} chunks added, {result.replaced} replaced, {result.touched} moved, "
        f"{result.unchanged} unchanged, {result.deleted} deleted; "
        f"{result.embedded} texts embedded."
    )
    if empty:
        text += f" Without text: {', '.join(empty)}."
    emit({"documents": len(documents), "empty": empty, **asdict(result)}, as_json, text)


def _print_plan(
    here: Workplace, documents: list[Document], chunk_chars: int, as_json: bool
) -> None:
    chunks = sum(1 for document in documents for _ in document.chunks(chunk_chars))
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        known = read_collection(raw, here.collection)
        bound = BoundEmbedders(known, here.embedders(), here.engine, raw)
    target = write_version(known, bound)
    others = [
        v.model_version for v in known.live if v.follows and v.model_version != target.model_version
    ]
    does = [
        f"compares {chunks} chunks of {len(documents)} documents with what is stored, "
        f"and embeds with {target.model_version} those that are new or changed"
    ]
    if others:
        does.append(f"leaves work items for {', '.join(others)}")
    print_plan(does, [], as_json)
