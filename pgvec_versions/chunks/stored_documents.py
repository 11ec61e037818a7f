"""Which documents a collection holds, and which of them left their folder."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Collection as AnyCollection
from collections.abc import Sequence
from typing import NamedTuple

from psycopg.rows import class_row

from pgvec_versions.catalog import Collection
from pgvec_versions.chunks.roots import Root
from pgvec_versions.chunks.statements import ChunkTable
from pgvec_versions.errors import WrongState
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection

__all__ = ["StoredDocument", "gone_documents", "record_root", "stored_documents"]


class StoredDocument(NamedTuple):
    """A document that is stored; ``from_file``: ``pgvec add`` made all its chunks."""

    document_id: str
    chunks: int
    from_file: bool


def record_root(raw: PgConnection, known: Collection, root: Root) -> None:
    """Records the root of the collection's documents. Raises: InvalidArgument, NotPermitted."""
    if known.document_root != root.recorded:
        raw.execute(
            sqlfiles.query("set_document_root"),
            {
                "collection": known.collection,
                "document_root": root.recorded,
                "expected": known.document_root,
            },
        )


def stored_documents(
    raw: PgConnection,
    known: Collection,
    documents: Sequence[str] = (),
    folders: Sequence[str] = (),
) -> list[StoredDocument]:
    """The stored documents with these ids, and all those in these folders. The root is ``""``."""
    prefixes = [f"{folder}/" if folder else "" for folder in folders]
    with raw.cursor(row_factory=class_row(StoredDocument)) as cursor:
        return cursor.execute(
            ChunkTable(known).statement("stored_documents"),
            {
                "collection": known.collection,
                "documents": list(documents),
                "folders": prefixes,
            },
        ).fetchall()


def gone_documents(
    stored: Sequence[StoredDocument], found: AnyCollection[str], root: Root
) -> list[StoredDocument]:
    """Those documents whose file is gone from its folder.

    A file that is there but was not read (excluded, bad) is not gone. Nor is a document that was
    not added from a file, or a file in a folder that cannot be read.
    Raises: WrongState if several documents are stored and all are gone: the folder is a wrong one.
    """
    ours = [document for document in stored if document.from_file and _is_path(document[0])]
    gone = [d for d in ours if d.document_id not in found and _is_gone(root, d.document_id)]
    if len(gone) == len(ours) > 1:
        raise WrongState(
            f"of the {len(ours)} documents stored from there, such as {gone[0].document_id}, no "
            "file is left: is this the right folder? Nothing was changed.",
            hint="If it is, add it without --prune, and delete the old documents: pgvec delete.",
            detail={"gone": [document.document_id for document in gone]},
        )
    return gone


def _is_path(document_id: str) -> bool:
    """Whether the id can be that of a file below the root."""
    return not document_id.startswith(("/", "../")) and posixpath.normpath(document_id) == (
        document_id
    )


def _is_gone(root: Root, document_id: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(root.folder / document_id).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
