"""``pgvec add``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.catalog import Collection, read_collection
from pgvec_versions.chunks.documents import BadFile, Document, Found, find_documents
from pgvec_versions.chunks.readers import check_encoding
from pgvec_versions.chunks.roots import Root, choose_root
from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.chunks.stored_documents import (
    StoredDocument,
    gone_documents,
    record_root,
    stored_documents,
)
from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    CollectionOption,
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
    YesOption,
    need_positive,
)
from pgvec_versions.cli.plain import complain
from pgvec_versions.cli.printing import emit, messages
from pgvec_versions.cli.progress import progress_bar
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.embedders.by_version import BoundEmbedders, write_version
from pgvec_versions.errors import InvalidArgument, UnreadableFile, WrongState
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.upgrade.transition import Progress as Step
from pgvec_versions.values import AddResult, Chunk


def add(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Files, or folders: Markdown, text, HTML, PDF, DOCX, CSV and JSONL.",
        ),
    ],
    chunk_chars: Annotated[int, typer.Option(help="Characters in a chunk, at most.")] = 800,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that document ids are relative to. The first add records it, by default "
            "the folder of pgvec.toml, or the current one if the files are not in there."
        ),
    ] = None,
    move_root: Annotated[
        bool,
        typer.Option("--move-root", help="Record --root in place of the root recorded before."),
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave out what matches, as in a .gitignore file: 'drafts/', '*.txt'. Repeatable.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of text files; by default UTF-8.")
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Add the other files, and list all bad ones at the end."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Delete documents whose file left the folders you name; asks first."
        ),
    ] = False,
    yes: YesOption = False,
    dry: DryRunOption = False,
    collection: CollectionOption = None,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Split files into chunks, embed and store them.

    The vectors are those of the active version. Files that did not change are not embedded again.
    A document's id is its path relative to the root, from whatever folder you add it. If a file
    cannot be read, nothing is added, unless you say --skip-bad.
    """
    need_positive(chunk_chars, "--chunk-chars")
    _check(paths, root, move_root, prune, encoding)
    with workplace(database_url, config, collection, embedded=embedded, direct=True) as here:
        with autocommitted(here.engine) as raw:
            known = read_collection(raw, here.collection)
        where = choose_root(known, here.config.path, paths, root, move=move_root)
        with progress_bar(as_json) as show:
            began = time.monotonic()
            found = find_documents(
                paths,
                where,
                exclude=exclude or [],
                encoding=encoding,
                progress=lambda n, of: show(Step("files read", n, of, time.monotonic() - began)),
            )
        if not skip_bad or not found.documents:
            found.refuse_bad()
        gone = _gone(here, known, found, where) if prune else []
        if dry:
            _print_plan(here, known, where, found, gone, chunk_chars, as_json)
            return
        _agree(gone, yes, as_json)
        store = ChunkStore(here.engine, here.collection, here.embedders())
        with transaction(here.engine) as raw:
            record_root(raw, known, where)
        run = _Run(found.documents, chunk_chars, skip_bad)
        try:
            with progress_bar(as_json) as show:
                result = run.add(store, show)
                if gone:
                    ids = [document.document_id for document in gone]
                    result = result.plus(AddResult(deleted=store.delete(document_ids=ids)))
        except KeyboardInterrupt:
            complain(run.stopped)
            raise typer.Exit(130) from None
    found.bad += run.bad
    _say(found, run, gone, result, as_json)


def _check(
    paths: list[Path], root: Path | None, move_root: bool, prune: bool, encoding: str | None
) -> None:
    """Raises InvalidArgument for options that do not go together."""
    if encoding is not None:
        check_encoding(encoding)
    if move_root and root is None:
        raise InvalidArgument("--move-root needs --root.", hint="Name the folder: --root FOLDER.")
    if move_root and prune:
        raise InvalidArgument(
            "--move-root and --prune do not go together.",
            hint="Move the root first, look at what add says, and prune with the next add.",
        )
    if prune and not any(os.path.isdir(path) for path in paths):
        raise InvalidArgument(
            "--prune needs a folder: it deletes what left the folders that you name.",
            hint="Name the folder, or delete documents by name: pgvec delete DOCUMENT.",
        )


@dataclass(slots=True)
class _Run:
    """The files on their way into the store, and how far it came."""

    documents: list[Document]
    chunk_chars: int
    skip_bad: bool
    empty: list[str] = field(default_factory=list[str])
    bad: list[BadFile] = field(default_factory=list[BadFile])
    stored: int = 0
    #: How many chunks there are up to the end of each document.
    ends: list[int] = field(default_factory=list[int])

    def add(self, store: ChunkStore, show: Callable[[Step], None]) -> AddResult:
        """Adds them all. Raises: what ``ChunkStore.add`` raises, UnreadableFile."""
        began = time.monotonic()

        def chunks() -> Iterator[Chunk]:
            count = 0
            for number, document in enumerate(self.documents):
                show(Step("documents", number, len(self.documents), time.monotonic() - began))
                before = count
                for chunk in self._chunks(document):
                    count += 1
                    yield chunk
                if count > before:
                    self.ends.append(count)

        def stored(count: int) -> None:
            self.stored += count
            show(Step("chunks", self.stored, self.stored, time.monotonic() - began))

        result = store.add(chunks(), progress=stored)
        total = len(self.documents)
        show(Step("documents", total, total, time.monotonic() - began))
        if self.empty:
            # A file that is empty now has no chunks to add: those stored for it are deleted.
            result = result.plus(AddResult(deleted=store.delete(document_ids=self.empty)))
        return result

    def _chunks(self, document: Document) -> Iterator[Chunk]:
        """The chunks of a file that could be read before, and may have changed since."""
        chunks = document.chunks(self.chunk_chars)
        try:
            first = next(chunks, None)
        except UnreadableFile as exc:
            if not self.skip_bad:
                exc.hint = "The file has just changed. What came before is stored; run it again."
                raise
            self.bad.append(BadFile(str(document.path), exc.message))
            return
        if first is None:
            self.empty.append(document.document_id)
            return
        yield first
        yield from chunks

    @property
    def stopped(self) -> str:
        """What is stored after Ctrl-C."""
        documents = sum(end <= self.stored for end in self.ends)
        return (
            f"stopped. Stored: {self.stored} chunks of {documents} documents, each of them whole; "
            f"{len(self.documents) - documents} documents are as they were. Run the same command "
            "again to add the rest: what is stored is not embedded again."
        )


def _gone(here: Workplace, known: Collection, found: Found, root: Root) -> list[StoredDocument]:
    """What left the folders: listed before anything is changed. Raises: WrongState."""
    ids = {document.document_id for document in found.documents}
    gone: dict[str, StoredDocument] = {}
    with autocommitted(here.engine) as raw:
        for folder in found.folders:
            stored = stored_documents(raw, known, folders=[folder])
            gone |= {d.document_id: d for d in gone_documents(stored, ids, root)}
    return list(gone.values())


def _agree(gone: list[StoredDocument], yes: bool, as_json: bool) -> None:
    """Says what --prune deletes, and asks. Raises: WrongState."""
    for document in gone:
        messages.print(f"gone: {document.document_id} ({document.chunks} chunks)", soft_wrap=True)
    if not gone or yes:
        return
    count = f"{len(gone)} document{'s' if len(gone) > 1 else ''}"
    if not as_json and sys.stdin.isatty() and typer.confirm(f"Delete {count}?", err=True):
        return
    raise WrongState(
        f"--prune would delete {count}. Nothing was changed.",
        hint="If you want that, add --yes.",
        detail={"gone": [document.document_id for document in gone]},
    )


def _say(
    found: Found, run: _Run, gone: list[StoredDocument], result: AddResult, as_json: bool
) -> None:
    count = len(run.documents) - len(run.bad)
    line = (
        f"{count} documents, version {result.model_version or '–'}: "
        f"{result.added} chunks added, {result.replaced} replaced, {result.touched} moved, "
        f"{result.unchanged} unchanged, {result.deleted} deleted; "
        f"{result.embedded} texts embedded."
    )
    if run.empty:
        line += f" Without text: {', '.join(run.empty)}."
    lines = [line]
    if gone:
        lines.append(f"Deleted, their files are gone: {len(gone)} documents.")
    if found.left_out:
        lines.append(f"Left out: {found.left_out_line}.")
    if found.bad:
        lines.append(f"Not added, {len(found.bad)} bad:")
        lines += [f"  {bad.reason}" for bad in found.bad]
    data = {
        "documents": count,
        "empty": run.empty,
        "pruned": [document.document_id for document in gone],
        "left_out": found.reasons,
        "bad": [{"path": bad.path, "reason": bad.reason} for bad in found.bad],
        **asdict(result),
    }
    emit(data, as_json, lines)


def _print_plan(
    here: Workplace,
    known: Collection,
    root: Root,
    found: Found,
    gone: list[StoredDocument],
    chunk_chars: int,
    as_json: bool,
) -> None:
    documents = found.documents
    chunks = sum(1 for document in documents for _ in document.chunks(chunk_chars))
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
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
    if known.document_root != root.recorded:
        does.append(f"records {root.folder} as the root of document ids")
    if found.left_out:
        does.append(f"leaves out {found.left_out_line}")
    does += [f"leaves out a bad file: {bad.reason}" for bad in found.bad]
    does += [f"deletes {d.document_id} ({d.chunks} chunks): its file is gone" for d in gone]
    print_plan(does, [], as_json)
