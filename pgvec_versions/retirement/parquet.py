"""A version's rows as Parquet, both ways. pyarrow is imported when it is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from psycopg import sql

from pgvec_versions.errors import ConfigError
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.postgres.vectors import unpack
from pgvec_versions.retirement.checked_files import HashedFile, VerifiedFile

#: Rows in memory at once: some megabytes of vectors.
BATCH = 2000


def _pyarrow() -> tuple[Any, Any]:
    try:
        # By name: it has no type stubs.
        pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            "Parquet needs an extra that is not installed.",
            hint="Run: pip install 'pgvec-versions[archive]', or export with --format copy.",
            detail={"extra": "archive"},
        ) from None
    return pa, pq


def _columns(home: Any) -> tuple[Any, list[sql.Composable]]:
    """The Arrow fields of the table's columns, and what to select for each.

    Vectors become lists of float32, a few known columns keep their type, and the rest is text.
    """
    pa, _ = _pyarrow()
    typed = {
        "position": ("integer", pa.int32()),
        "turn": ("bigint", pa.int64()),
        "written_at": ("timestamp with time zone", pa.timestamp("us", "UTC")),
    }
    fields: list[Any] = []
    selected: list[sql.Composable] = []
    for name, kind in zip(home.columns, home.types, strict=True):
        if name == "embedding":
            selected.append(sql.Identifier(name))
            fields.append(pa.field(name, pa.list_(pa.float32(), home.dimensions)))
        elif name in typed and typed[name][0] == kind:
            selected.append(sql.Identifier(name))
            fields.append(pa.field(name, typed[name][1]))
        else:
            selected.append(sql.SQL("{}::text").format(sql.Identifier(name)))
            fields.append(pa.field(name, pa.string()))
    return fields, selected


def write_parquet(
    raw: PgConnection,
    home: Any,
    version: dict[str, Any],
    out: HashedFile,
    progress: Callable[[int], None],
) -> int:
    """Writes all rows of a version's table. Returns how many.

    ``home`` is the row of ``archive_home``; ``version`` goes into the file's metadata.
    Raises: ConfigError without pyarrow.
    """
    pa, pq = _pyarrow()
    fields, selected = _columns(home)
    about = {
        **version,
        "dimensions": home.dimensions,
        "distance": home.distance,
        "storage": home.storage,
        "embedder": home.embedder,
    }
    arrow = pa.schema(fields, metadata={"pgvec": json.dumps(about)})
    statement = sqlfiles.query("read_out").format(
        fields=sql.SQL(", ").join(selected),
        relation=sql.Identifier(home.nspname, home.relname),
    )
    done = 0
    with (
        raw.cursor(name="pgvec_export") as cursor,
        pq.ParquetWriter(pa.PythonFile(out, mode="w"), arrow, compression="zstd") as writer,
    ):
        # Binary: a vector then comes as its bytes and not as text.
        cursor.format = cursor.format.BINARY
        cursor.execute(statement)
        while rows := cursor.fetchmany(BATCH):
            columns = [
                _arrow_column(field, values, home)
                for field, values in zip(arrow, zip(*rows, strict=True), strict=True)
            ]
            writer.write_table(pa.table(columns, schema=arrow))
            done += len(rows)
            progress(done)
    return done


def _arrow_column(field: Any, values: Any, home: Any) -> Any:
    pa, _ = _pyarrow()
    if field.name != "embedding":
        return pa.array(values, field.type)
    numbers = unpack(values, home.storage)
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), home.dimensions)


def read_parquet(source: VerifiedFile, columns: list[str]) -> Iterator[list[Any]]:
    """The rows of a file, in the order of ``columns``, as COPY takes them."""
    pa, pq = _pyarrow()
    with pq.ParquetFile(pa.PythonFile(source, mode="r")) as file:
        for batch in file.iter_batches(BATCH, columns=columns):
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
    """A vector as text for pgvector. The shortest form of a float32 reads back the same."""
    return "[" + ",".join(map(str, np.asarray(numbers, dtype=np.float32))) + "]"
