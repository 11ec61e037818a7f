"""What the reading rows share: a filled collection beside a plain table, the truth, recall, timing.

Both hold the same rows in the same order, under an HNSW index with the same parameters, in one
database. The first call for a lab makes them; later rows of the same run use them again.
"""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from bench.figures import Figure, Spread, judged
from bench.lab import Lab
from pgvec_versions.postgres.vectors import BinaryVector, pack, register

DIMENSIONS = 384
K = 10
EF_SEARCH = (
    10,
    12,
    15,
    17,
    20,
    25,
    30,
    35,
    40,
    50,
    60,
    80,
    100,
    120,
    160,
    240,
    320,
    480,
    640,
    1000,
)
TEXTS = 1_000
#: The largest graph here fits into it.
BUILD_MEMORY = "1GB"

Matrix = npt.NDArray[np.float32]
Connection = psycopg.Connection[Any]
#: Asks with the query vector of that number; returns rows whose first column is the chunk id.
Ask = Callable[[int], Sequence[Sequence[Any]]]

#: What every hand-written search here is; the source of the rows differs.
NEAREST = """
SELECT chunk_id, document_id, content, metadata, model_version,
       embedding <=> %(query)s::vector AS distance
  FROM {source} ORDER BY embedding <=> %(query)s::vector LIMIT 10"""

STAGING = """
CREATE TABLE vectors (i integer PRIMARY KEY, embedding vector NOT NULL);
CREATE TABLE texts (i integer PRIMARY KEY, content text NOT NULL);"""
#: Chunk i has the id i, one of the texts, and shares that 0.1, 1, 10 and 50 % of all have as 0.
INTO = """
INSERT INTO {table} (chunk_id, model_version, document_id, position, content, metadata, embedding)
SELECT lpad(to_hex(v.i), 32, '0')::uuid, {version}, 'document-' || v.i / 10, v.i % 10,
       t.content || ' ' || v.i,
       jsonb_build_object('thousandth', h.p % 1000, 'hundredth', h.p % 100, 'tenth', h.p % 10,
                          'half', h.p % 2, 'n', v.i),
       v.embedding
  FROM vectors v JOIN texts t ON t.i = v.i % {texts}, LATERAL (SELECT abs(hashint4(v.i)) AS p) h
 ORDER BY v.i"""
#: The chunk table's columns and keys; the vector's dimension in its type, as one version allows.
PLAIN = """
CREATE TABLE {table} (
    chunk_id uuid NOT NULL, model_version text NOT NULL, document_id text, position integer,
    content text NOT NULL, metadata jsonb NOT NULL DEFAULT '{{}}',
    embedding vector({dimensions}) NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (chunk_id, model_version));
CREATE INDEX ON {table} (document_id);"""
PLAIN_INDEX = """
CREATE INDEX ON {table} USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)
"""


# --- Filling ---


def stage(connection: Connection, vectors: Matrix) -> None:
    """Puts vectors into the table ``vectors``, by a binary COPY made by numpy alone."""
    count, dimensions = vectors.shape
    record = np.dtype(
        [
            ("fields", ">i2"),
            ("l1", ">i4"),
            ("i", ">i4"),
            ("l2", ">i4"),
            ("dim", ">i2"),
            ("unused", ">i2"),
            ("embedding", ">f4", (dimensions,)),
        ]
    )
    connection.execute("TRUNCATE vectors")
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY vectors FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
        for start in range(0, count, 20_000):
            part = vectors[start : start + 20_000]
            rows = np.zeros(len(part), record)
            rows["fields"], rows["l1"], rows["l2"] = 2, 4, 4 + 4 * dimensions
            rows["i"] = np.arange(start, start + len(part))
            rows["dim"], rows["embedding"] = dimensions, part
            copy.write(rows.tobytes())
        copy.write(struct.pack(">h", -1))


def stage_texts(connection: Connection, texts: Sequence[str]) -> None:
    """Puts the texts that the chunks share into the table ``texts``."""
    with connection.cursor() as cursor, cursor.copy("COPY texts FROM STDIN") as copy:
        for number, text in enumerate(texts):
            copy.write_row((number, text))


def insert(connection: Connection, table: sql.Identifier, version: str) -> None:
    """Inserts a row for each staged vector, in their order."""
    connection.execute(
        sql.SQL(INTO).format(table=table, version=sql.Literal(version), texts=sql.Literal(TEXTS))
    )


def plain_table(connection: Connection, name: str, dimensions: int) -> sql.Identifier:
    """A table as one would write it for one version, without its HNSW index."""
    table = sql.Identifier(name)
    connection.execute(sql.SQL(PLAIN).format(table=table, dimensions=sql.Literal(dimensions)))
    return table


def index_plain(connection: Connection, table: sql.Identifier) -> None:
    """The HNSW index of a plain table; then statistics."""
    connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", (BUILD_MEMORY,))
    connection.execute(sql.SQL(PLAIN_INDEX).format(table=table))
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(table))


def activate(connection: Connection, version: str, cut_over: bool = True) -> None:
    """A filled version's index, its checks and the cut-over to it."""
    connection.execute("SELECT pgvec.build_index('docs', %s, %s)", (version, BUILD_MEMORY))
    connection.execute("SELECT pgvec.make_ready('docs', %s)", (version,))
    if cut_over:
        connection.execute("SELECT pgvec.cut_over('docs', %s)", (version,))


# --- The collection and the plain table ---


def kept(lab: Lab, name: str) -> str:
    """A database with the catalog that stays when a row is over; the lab takes it along."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template_pgvec")
    with psycopg.connect(lab.server.url("postgres"), autocommit=True) as admin:
        admin.execute(statement.format(sql.Identifier(name)))
    return lab.server.url(name)


@dataclass(frozen=True)
class Reading:
    """The collection ``docs`` with ``v1`` active, and the table ``plain``; both indexed and warm.

    Shape: ``vectors`` is (rows, dimensions), ``queries`` (q, dimensions), ``truth`` (q, k): the
    chunks that are nearest, by numpy.
    """

    url: str
    vectors: Matrix
    queries: Matrix
    packed: list[BinaryVector]
    truth: npt.NDArray[np.intp]

    @property
    def facts(self) -> dict[str, Any]:
        """What every figure over it says."""
        return {
            "rows": len(self.vectors),
            "dimensions": self.vectors.shape[1],
            "queries": len(self.queries),
            "k": K,
            "cache": "warm",
        }

    def connect(self, **settings: object) -> Connection:
        """A session with these settings that sends vectors in binary."""
        connection = psycopg.connect(self.url, autocommit=True)
        register(connection)
        connection.execute("SET pgvec.query_version.docs = 'v1'")
        for name, value in settings.items():
            name = name.replace("__", ".")
            connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
        return connection

    def asking(self, connection: Connection, source: sql.Composable, prepare: bool = True) -> Ask:
        """The hand-written search over a source of rows."""
        query = sql.SQL(NEAREST).format(source=source).as_string(connection).encode()

        def ask(number: int) -> Sequence[Sequence[Any]]:
            values = {"query": self.packed[number]}
            return connection.execute(query, values, prepare=prepare).fetchall()

        return ask


_made: WeakKeyDictionary[Lab, Reading] = WeakKeyDictionary()


def reading(lab: Lab) -> Reading:
    """The collection and the plain table of a lab, made on the first call."""
    if lab not in _made:
        _made[lab] = _make(lab)
    return _made[lab]


def _make(lab: Lab) -> Reading:
    count = 50 if lab.quick else 300
    # Of one draw, so that the queries come from the same clusters.
    everything = lab.vectors(lab.rows + count, DIMENSIONS)
    queries, vectors = everything[lab.rows :], everything[: lab.rows]
    url = kept(lab, "reading")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STAGING)
        stage(connection, vectors)
        stage_texts(connection, lab.texts(TEXTS))
        connection.execute("SELECT pgvec.create_collection('docs')")
        connection.execute("SELECT pgvec.register_version('docs', 'v1', %s)", (DIMENSIONS,))
        insert(connection, sql.Identifier("docs"), "v1")
        activate(connection, "v1")
        plain = plain_table(connection, "plain", DIMENSIONS)
        insert(connection, plain, "v1")
        index_plain(connection, plain)
        connection.execute("VACUUM ANALYZE docs")
        connection.execute("CHECKPOINT")
    return Reading(url, vectors, queries, pack(queries), nearest_by_numpy(vectors, queries))


# --- Truth and recall ---


def nearest_by_numpy(
    vectors: Matrix, queries: Matrix, among: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.intp]:
    """The nearest ``K`` of unit vectors, or of those ``among`` them that there are."""
    numbers = np.arange(len(vectors)) if among is None else np.flatnonzero(among)
    likeness = queries @ vectors[numbers].T
    take = min(K, len(numbers))
    best = np.argpartition(-likeness, take - 1, axis=1)[:, :take]
    return numbers[best]


def recall(ask: Ask, truth: npt.NDArray[np.intp]) -> tuple[float, int]:
    """The mean share of the truth that is found; the fewest rows that a query came back with."""
    shares: list[float] = []
    fewest = K
    for number, wanted in enumerate(truth):
        rows = ask(number)
        found = {uuid.UUID(str(row[0])).int for row in rows}
        shares.append(len(found & set(wanted.tolist())) / len(wanted))
        fewest = min(fewest, len(rows))
    return float(np.mean(shares)), fewest


def smallest_ef(
    contenders: Mapping[str, tuple[Connection, Ask]], truth: npt.NDArray[np.intp], wanted: float
) -> tuple[int | None, dict[str, float]]:
    """The smallest ``hnsw.ef_search`` at which all reach the recall with ``K`` rows each time.

    Effects: leaves it set in their sessions. None when the largest does not do.
    """
    got: dict[str, float] = {}
    for ef in EF_SEARCH:
        for name, (connection, ask) in contenders.items():
            connection.execute("SELECT set_config('hnsw.ef_search', %s, false)", (str(ef),))
            got[name], fewest = recall(ask, truth)
            if got[name] < wanted or fewest < truth.shape[1]:
                break
        else:
            return ef, got
    return None, got


# --- Timing ---


@dataclass(frozen=True)
class Times:
    """Latencies of one contender. Shape: (rounds, queries). Units: milliseconds."""

    each: npt.NDArray[np.float64]

    def least(self) -> npt.NDArray[np.float64]:
        """The fastest of all rounds for each query: what the machine does to it is left out."""
        return self.each.min(axis=0)

    def rounds(self, percentile: float) -> npt.NDArray[np.float64]:
        """The percentile of each round."""
        return np.percentile(self.each, percentile, axis=1)


def alternating(asks: Mapping[str, Ask], queries: int, rounds: int) -> dict[str, Times]:
    """Each query by every contender in turn, the order moving on by one each time."""
    names = list(asks)
    taken = {name: np.zeros((rounds, queries)) for name in names}
    for number in range(min(queries, 20)):
        for ask in asks.values():
            ask(number)
    for turn in range(rounds):
        for number in range(queries):
            first = (turn + number) % len(names)
            for name in names[first:] + names[:first]:
                ask = asks[name]
                began = time.perf_counter()
                ask(number)
                taken[name][turn, number] = (time.perf_counter() - began) * 1000
    return {name: Times(each) for name, each in taken.items()}


def latency(
    row: str,
    what: str,
    against: str,
    ours: Times,
    theirs: Times,
    percentile: float,
    target: str,
    details: dict[str, Any],
) -> Figure:
    """A figure of two latencies: medians over the rounds, of the percentile and of the ratio."""
    mine, other = ours.rounds(percentile), theirs.rounds(percentile)
    ratios = Spread.of((mine / other).tolist())
    least = float(np.percentile(ours.least(), percentile))
    their_least = float(np.percentile(theirs.least(), percentile))
    return Figure(
        row=row,
        what=what,
        against=against,
        ours=float(np.median(mine)),
        theirs=float(np.median(other)),
        unit="ms",
        ratio=ratios.median,
        target=target,
        met=judged(ratios.median, target),
        details=details
        | {
            "clients": 1,
            "ratio_by_round": ratios.to_json(),
            # Of each query's fastest round.
            "least_ms": [least, their_least],
            "ratio_of_least": least / their_least,
        },
    )
