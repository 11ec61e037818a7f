"""A version's rows in a file and back: as Parquet or PostgreSQL's COPY, with a checksum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import ArchiveMismatch, InvalidArgument, NotArchived, UnreadableFile
from pgvec_versions.new_files import new_file
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, engine_for
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.locks import unlimited
from pgvec_versions.postgres.rows import read_row, read_value
from pgvec_versions.retirement.checked_files import BLOCK, HashedFile, VerifiedFile, opened_file
from pgvec_versions.retirement.parquet import BATCH, read_parquet, write_parquet

FORMATS = ("parquet", "copy")


@dataclass(frozen=True, slots=True)
class Export:
    """A file that holds a version. Units: bytes of the file."""

    path: str
    format: str
    chunks: int
    bytes: int
    sha256: str


def export_version(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    path: Path,
    file_format: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Export:
    """Writes a version's rows to a file and records it in ``pgvec.archive``.

    ``file_format`` is ``parquet`` or ``copy``; without it, a name that ends in ``.parquet`` means
    Parquet and any other a binary COPY.
    Shape: one row for each chunk, with the columns of the chunk table. In Parquet the vector is a
    list of float32, and columns that the host added are text.
    Effects: streams under a snapshot, and no writer waits. The file is new, only its owner may read
    it (mode 0600), and it appears whole or not at all. Chunks written later are in the other live
    versions only.
    Raises: NotArchived (its rows are gone), InvalidArgument (the name is taken), ConfigError (no
    pyarrow), UnknownVersion.
    """
    chosen = file_format or ("parquet" if path.suffix == ".parquet" else "copy")
    if chosen not in FORMATS:
        raise InvalidArgument(f"unknown format {chosen!r}.", hint="Use parquet or copy.")
    report: Callable[[int], None] = progress or (lambda done: None)
    parameters: dict[str, Any] = {"collection": collection, "model_version": model_version}
    with unlimited(engine_for(target)) as raw:
        require_catalog(raw)
        raw.execute(sqlfiles.query("every_row"))
        home = read_row(raw, sqlfiles.query("archive_home"), parameters)
        # The file gets its name before the commit: a record without a file is worth nothing.
        with new_file(path) as file:
            out = HashedFile(file)
            try:
                if chosen == "parquet":
                    chunks = write_parquet(raw, home, parameters, out, report)
                else:
                    chunks = _write_copy(raw, home, out, report)
            except OSError as exc:
                raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
            made = Export(str(path), chosen, chunks, out.bytes, out.sha256)
            raw.execute(
                sqlfiles.query("record_export"),
                {
                    **parameters,
                    "location": path.name,
                    "format": chosen,
                    "chunks": chunks,
                    "bytes": out.bytes,
                    "sha256": out.sha256,
                    "columns": home.columns,
                },
            )
    return made


def _write_copy(
    raw: PgConnection, home: Any, out: HashedFile, progress: Callable[[int], None]
) -> int:
    statement = sqlfiles.query("copy_out").format(
        relation=sql.Identifier(home.nspname, home.relname),
        columns=sql.SQL(", ").join(map(sql.Identifier, home.columns)),
    )
    with raw.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in copy:
                out.write(block)
        progress(cursor.rowcount)
        return cursor.rowcount


def restore_version(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    path: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> datetime:
    """Brings a retired version back as draining, from its archived leaf or from an exported file.

    Returns when it retires again. Effects: one transaction; then builds the index. The version does
    not follow writes: before you can roll back to it, plan its backfill and let a worker finish it.
    Raises: NotArchived, ArchiveMismatch (not the file that was recorded; other columns),
    WrongState, AlreadyExists, LockTimeout.
    """
    parameters: dict[str, Any] = {"collection": collection, "model_version": model_version}
    engine = engine_for(target)
    with unlimited(engine) as raw:
        require_catalog(raw)
        if path is not None:
            _load(raw, parameters, path, progress or (lambda done: None))
        retire_at: datetime = read_value(raw, sqlfiles.query("restore_version"), parameters)
    with unlimited(engine) as raw:
        raw.execute(sqlfiles.query("rebuild_index"), parameters)
    return retire_at


def _load(
    raw: PgConnection,
    parameters: dict[str, Any],
    path: Path,
    progress: Callable[[int], None],
) -> None:
    raw.execute(sqlfiles.query("open_archive"), parameters)
    record = read_row(raw, sqlfiles.query("exported_file"), parameters)
    home = read_row(raw, sqlfiles.query("archive_home"), parameters)
    if record is None:
        raise NotArchived("it was never exported.", detail=parameters)
    with opened_file(path) as file:
        source = VerifiedFile(file, path)
        _check(source, record, parameters)
        loaded = _copy_in(raw, source, record, home, progress)
    progress(loaded)
    if loaded != record.chunks:
        raise ArchiveMismatch(
            f"{path} holds {loaded} chunks, {record['chunks']} were exported.",
            detail={**parameters, "chunks": loaded, "recorded": record.chunks},
        )


def _copy_in(
    raw: PgConnection,
    source: VerifiedFile,
    record: Any,
    home: Any,
    progress: Callable[[int], None],
) -> int:
    names = {
        "relation": sql.Identifier(home.nspname, home.relname),
        "columns": sql.SQL(", ").join(map(sql.Identifier, record.columns)),
    }
    kind = "copy_in_text" if record.format == "parquet" else "copy_in_binary"
    statement = sqlfiles.query(kind).format(**names)
    with raw.cursor() as cursor:
        with cursor.copy(statement) as copy:
            if record.format == "parquet":
                for done, row in enumerate(read_parquet(source, record.columns), 1):
                    copy.write_row(row)
                    if done % BATCH == 0:
                        progress(done)
            else:
                while block := source.read(BLOCK):
                    copy.write(block)
        return cursor.rowcount


def _check(source: VerifiedFile, record: Any, parameters: dict[str, Any]) -> None:
    if source.sha256 != record.sha256:
        raise ArchiveMismatch(
            f"{source.path} is not the file that was exported: its SHA-256 differs.",
            hint=f"The export was called {record.location} and had {record.bytes} bytes.",
            detail={**parameters, "sha256": source.sha256, "recorded": record.sha256},
        )
