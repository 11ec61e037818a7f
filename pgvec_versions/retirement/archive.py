"""A version's rows in a file and back: streamed, with a checksum; Parquet or PostgreSQL's COPY."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from pathlib import Path
from typing import IO, Any

import numpy as np
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.errors import (
    ArchiveMismatch,
    ConfigError,
    InvalidArgument,
    NotArchived,
    UnreadableFile,
)
from pgvec_versions.new_files import new_file
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.vectors import unpack

__all__ = ["FORMATS", "Export", "export_version", "restore_version"]

FORMATS = ("parquet", "copy")
#: Rows that are in memory at once.
_BATCH = 2000
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Export:
    """A file that holds a version. Units: bytes of the file."""

    path: str
    format: str
    chunks: int
    bytes: int
    sha256: str


class _Hashed:
    """A file that is written once, front to back, and knows its checksum at the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._hash.update(view)
        self.bytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _pyarrow() -> tuple[Any, Any]:
    try:
        # It comes without types, so it is fetched by name.
        pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            "Parquet needs an extra that is not installed.",
            hint="Run: pip install 'pgvec-versions[archive]', or export with --format copy.",
            detail={"extra": "archive"},
        ) from None
    return pa, pq


def export_version(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    path: Path,
    file_format: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Export:
    """Writes a version's rows to a file and records it in ``pgvec.archive``.

    The format is that of ``file_format``, or goes by the name: ``….parquet``, anything else is a
    binary COPY. Shape: one row a chunk, the columns of the chunk table; in Parquet the vector is
    a list of float32 and columns that the host added are text.
    Effects: streams, holds a snapshot and no lock that writers meet; the file is a new one that its
    owner alone may read (mode 0600), and appears whole or not at all. Chunks written later are in
    the other live versions only.
    Raises: NotArchived (its rows are gone), InvalidArgument (the name is taken), ConfigError (no
    pyarrow), UnknownVersion.
    """
    chosen = file_format or ("parquet" if path.suffix == ".parquet" else "copy")
    if chosen not in FORMATS:
        raise InvalidArgument(f"unknown format {chosen!r}.", hint="Use parquet or copy.")
    write = _write_parquet if chosen == "parquet" else _write_copy
    parameters: dict[str, Any] = {"collection": collection, "model_version": model_version}
    with transaction(engine_for(target)) as raw:
        require_catalog(raw)
        raw.execute(sqlfiles.query("every_row"))
        with raw.cursor(row_factory=dict_row) as cursor:
            home: Any = cursor.execute(sqlfiles.query("archive_home"), parameters).fetchone()
        # It has its name before the commit: a record is worth nothing without its file.
        with new_file(path) as file:
            out = _Hashed(file)
            try:
                chunks = write(raw, home, parameters, out, progress or (lambda done: None))
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
                    "columns": home["columns"],
                },
            )
    return made


def _write_copy(
    raw: PgConnection,
    home: dict[str, Any],
    parameters: dict[str, Any],
    out: _Hashed,
    progress: Callable[[int], None],
) -> int:
    statement = sqlfiles.query("copy_out").format(
        relation=sql.Identifier(home["nspname"], home["relname"]),
        columns=sql.SQL(", ").join(map(sql.Identifier, home["columns"])),
    )
    with raw.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in copy:
                out.write(block)
        progress(cursor.rowcount)
        return cursor.rowcount


def _write_parquet(
    raw: PgConnection,
    home: dict[str, Any],
    parameters: dict[str, Any],
    out: _Hashed,
    progress: Callable[[int], None],
) -> int:
    pa, pq = _pyarrow()
    dimensions: int = home["dimensions"]
    typed = {
        "position": ("integer", pa.int32()),
        "turn": ("bigint", pa.int64()),
        "written_at": ("timestamp with time zone", pa.timestamp("us", "UTC")),
    }
    fields: list[sql.Composable] = []
    schema: list[Any] = []
    for name, kind in zip(home["columns"], home["types"], strict=True):
        if name == "embedding":
            fields.append(sql.Identifier(name))
            schema.append(pa.field(name, pa.list_(pa.float32(), dimensions)))
        elif name in typed and typed[name][0] == kind:
            fields.append(sql.Identifier(name))
            schema.append(pa.field(name, typed[name][1]))
        else:
            fields.append(sql.SQL("{}::text").format(sql.Identifier(name)))
            schema.append(pa.field(name, pa.string()))
    about = {
        **parameters,
        "dimensions": dimensions,
        "distance": home["distance"],
        "storage": home["storage"],
        "embedder": home["embedder"],
    }
    arrow = pa.schema(schema, metadata={"pgvec": json.dumps(about)})
    statement = sqlfiles.query("read_out").format(
        fields=sql.SQL(", ").join(fields),
        relation=sql.Identifier(home["nspname"], home["relname"]),
    )
    done = 0
    with (
        raw.cursor(name="pgvec_export") as cursor,
        pq.ParquetWriter(pa.PythonFile(out, mode="w"), arrow, compression="zstd") as writer,
    ):
        # Binary, so that a vector comes as the bytes that it is and never as a text.
        cursor.format = cursor.format.BINARY
        cursor.execute(statement)
        while rows := cursor.fetchmany(_BATCH):
            columns: list[Any] = []
            for field, values in zip(arrow, zip(*rows, strict=True), strict=True):
                if field.name == "embedding":
                    numbers = unpack(values, home["storage"])
                    columns.append(
                        pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), dimensions)
                    )
                else:
                    columns.append(pa.array(values, field.type))
            writer.write_table(pa.table(columns, schema=arrow))
            done += len(rows)
            progress(done)
    return done


def restore_version(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    path: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> datetime:
    """Brings a retired version back as draining, from its archived leaf or from an exported file.

    Effects: one transaction, then the index is built. It does not follow writes: a roll-back to it
    is refused until its backfill was planned and worked off. Returns when it retires again.
    Raises: NotArchived, ArchiveMismatch (not the file that was recorded; other columns),
    WrongState, AlreadyExists, LockTimeout.
    """
    parameters: dict[str, Any] = {"collection": collection, "model_version": model_version}
    engine = engine_for(target)
    with transaction(engine) as raw:
        require_catalog(raw)
        if path is not None:
            _load(raw, parameters, path, progress or (lambda done: None))
        row: Any = raw.execute(sqlfiles.query("restore_version"), parameters).fetchone()
    with transaction(engine) as raw:
        raw.execute(sqlfiles.query("rebuild_index"), parameters)
    return row[0]


def _load(
    raw: PgConnection,
    parameters: dict[str, Any],
    path: Path,
    progress: Callable[[int], None],
) -> None:
    raw.execute(sqlfiles.query("open_archive"), parameters)
    with raw.cursor(row_factory=dict_row) as cursor:
        record = cursor.execute(sqlfiles.query("exported_file"), parameters).fetchone()
        home: Any = cursor.execute(sqlfiles.query("archive_home"), parameters).fetchone()
    if record is None:
        raise NotArchived("it was never exported.", detail=parameters)
    with _opened(path) as file:
        source = _Verified(file, path)
        _check(source, record, parameters)
        loaded = _copy_in(raw, source, record, home, progress)
    progress(loaded)
    if loaded != record["chunks"]:
        raise ArchiveMismatch(
            f"{path} holds {loaded} chunks, {record['chunks']} were exported.",
            detail={**parameters, "chunks": loaded, "recorded": record["chunks"]},
        )


def _copy_in(
    raw: PgConnection,
    source: _Verified,
    record: dict[str, Any],
    home: dict[str, Any],
    progress: Callable[[int], None],
) -> int:
    names = {
        "relation": sql.Identifier(home["nspname"], home["relname"]),
        "columns": sql.SQL(", ").join(map(sql.Identifier, record["columns"])),
    }
    kind = "copy_in_text" if record["format"] == "parquet" else "copy_in_binary"
    statement = sqlfiles.query(kind).format(**names)
    with raw.cursor() as cursor:
        with cursor.copy(statement) as copy:
            if record["format"] == "parquet":
                for done, row in enumerate(_rows(source, record["columns"]), 1):
                    copy.write_row(row)
                    if done % _BATCH == 0:
                        progress(done)
            else:
                while block := source.read(_BLOCK):
                    copy.write(block)
        return cursor.rowcount


def _check(source: _Verified, record: dict[str, Any], parameters: dict[str, Any]) -> None:
    if source.sha256 != record["sha256"]:
        raise ArchiveMismatch(
            f"{source.path} is not the file that was exported: its SHA-256 is another one.",
            hint=f"The export was called {record['location']} and had {record['bytes']} bytes.",
            detail={**parameters, "sha256": source.sha256, "recorded": record["sha256"]},
        )


class _Verified(RawIOBase):
    """An open file that was read once for its SHA-256, and then gives those bytes or none.

    Whoever may write the file can change it between the look and the use. So every block is
    compared with the one that was looked at before anybody sees it.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        super().__init__()
        self.path = path
        self._file = file
        self._digests: list[bytes] = []
        self._size = self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")
        whole = hashlib.sha256()
        while block := file.read(_BLOCK):
            whole.update(block)
            self._digests.append(hashlib.sha256(block).digest())
            self._size += len(block)
        self.sha256 = whole.hexdigest()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        start = {SEEK_SET: 0, SEEK_CUR: self._place, SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def read(self, size: int = -1, /) -> bytes:
        end = self._size if size < 0 else min(self._place + size, self._size)
        parts: list[bytes] = []
        while self._place < end:
            number, start = divmod(self._place, _BLOCK)
            part = self._block(number)[start : start + end - self._place]
            parts.append(part)
            self._place += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(number * _BLOCK)
            block = self._file.read(_BLOCK)
            if hashlib.sha256(block).digest() != self._digests[number]:
                raise ArchiveMismatch(
                    f"{self.path} was changed while it was read.",
                    hint="Nothing was restored. Keep the file where nobody else may write.",
                    detail={"path": str(self.path)},
                )
            self._held = number, block
        return self._held[1]


@contextmanager
def _opened(path: Path) -> Generator[IO[bytes]]:
    try:
        # Without waiting for somebody to write into a pipe of that name.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be read: {exc.strerror}.") from exc
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise UnreadableFile(f"{path} cannot be read: it is no plain file.")
    with os.fdopen(number, "rb") as file:
        yield file


def _rows(source: _Verified, columns: list[str]) -> Iterator[list[Any]]:
    pa, pq = _pyarrow()
    with pq.ParquetFile(pa.PythonFile(source, mode="r")) as file:
        for batch in file.iter_batches(_BATCH, columns=columns):
            fields: list[Any] = []
            for name in columns:
                values = batch.column(batch.schema.get_field_index(name))
                if name == "embedding":
                    numbers = values.flatten().to_numpy().reshape(len(values), -1)
                    fields.append([_literal(row) for row in numbers])
                else:
                    fields.append(values.to_pylist())
            yield from (list(row) for row in zip(*fields, strict=True))


def _literal(numbers: Any) -> str:
    """A vector as pgvector reads it. float32 prints shortest and reads back the same."""
    return "[" + ",".join(map(str, np.asarray(numbers, dtype=np.float32))) + "]"
