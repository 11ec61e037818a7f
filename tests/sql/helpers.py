"""What the SQL tests share: questions, refusals, a picture of the database, a worker in SQL."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
import pytest

from tests.tools import TinyEmbedder, copy_version, literal, live_collection

Connection = psycopg.Connection[Any]
DEADLINE_SECONDS = 30.0


def one(connection: Connection, statement: str, *params: Any) -> Any:
    """The single value of a query."""
    row = connection.execute(statement.encode(), params or None).fetchone()
    assert row is not None
    return row[0]


def rows(connection: Connection, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(statement.encode(), params or None).fetchall()


@dataclass
class Refusal:
    """What a user is told: the message, DETAIL as data, the hint."""

    message: str
    detail: dict[str, Any]
    hint: str


def refused(connection: Connection, code: str, statement: str, *params: Any) -> Refusal:
    """Runs a statement that must fail with ``code``, undone whole. DETAIL of ours must be JSON."""
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        connection.execute(statement.encode(), params or None).fetchall()
    return told(caught.value, code)


def told(error: psycopg.Error, code: str) -> Refusal:
    """What an error says, if it is the one expected."""
    assert error.sqlstate == code, f"{error.sqlstate}: {error}"
    text = error.diag.message_detail or "{}"
    detail = json.loads(text) if code.startswith("PV") else {}
    assert isinstance(detail, dict)
    return Refusal(error.diag.message_primary or "", detail, error.diag.message_hint or "")


def state(connection: Connection, version: str, collection: str = "docs") -> str:
    return one(
        connection,
        "SELECT state FROM pgvec.model_version WHERE collection = %s AND model_version = %s",
        collection,
        version,
    )


def leaf(connection: Connection, version: str, collection: str = "docs") -> str:
    """The leaf of a version, with its schema."""
    return "pgvec_leaves." + one(
        connection,
        "SELECT quote_ident(leaf) FROM pgvec.model_version"
        " WHERE collection = %s AND model_version = %s",
        collection,
        version,
    )


def world(connection: Connection) -> dict[str, Any]:
    """Everything that a verb may change, to be compared before and after a refusal."""
    tables = ("collection", "model_version", "version_event", "work_item", "collection_grant")
    return {
        **{
            name: rows(connection, f"SELECT t::text FROM pgvec.{name} t ORDER BY 1")
            for name in tables
        },
        "relations": rows(
            connection,
            """SELECT c.oid::regclass::text, c.relkind, c.reloptions, c.relacl::text, i.indisvalid,
                      CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 LEFT JOIN pg_index i ON i.indexrelid = c.oid
                WHERE n.nspname !~ '^pg_(catalog|toast|temp)|^information_schema$' ORDER BY 1""",
        ),
    }


# --- Collections in a given condition ---


def put(
    connection: Connection,
    chunk: str,
    version: str = "v1",
    content: str | None = None,
    *,
    collection: str = "docs",
    metadata: str = "{}",
    dimensions: int = 8,
) -> None:
    """Inserts one chunk, named by a word, with the vector that the version's embedder makes."""
    text = chunk if content is None else content
    connection.execute(
        f"INSERT INTO {collection} (chunk_id, model_version, content, metadata, embedding)"
        " VALUES (md5(%s)::uuid, %s, %s, %s, %s)".encode(),
        (chunk, version, text, metadata, vector(text, version, dimensions)),
    )


def edit(connection: Connection, chunk: str, version: str, content: str) -> None:
    """Changes a chunk's content and vector through one version."""
    connection.execute(
        "UPDATE docs SET content = %s, embedding = %s"
        " WHERE chunk_id = md5(%s)::uuid AND model_version = %s",
        (content, vector(content, version), chunk, version),
    )


def vector(text: str, version: str, dimensions: int = 8) -> str:
    return literal(TinyEmbedder(version, dimensions).vector(text))


def second_version(connection: Connection, *, until: str = "ready", count: int = 20) -> None:
    """Collection docs with v1 active and v2 ``building``, ``ready`` or ``active``, both full."""
    live_collection(connection, count=count)
    connection.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(connection, "docs", "v1", "v2")
    for verb in {"building": (), "ready": READY, "active": (*READY, "cut_over")}[until]:
        connection.execute(f"SELECT pgvec.{verb}('docs', 'v2')".encode())


READY = ("build_index", "make_ready")


def pair(db: Connection, *, until: str = "ready", words: str = "ab", count: int = 0) -> None:
    """v1 active and v2 ``until`` that state, both with the chunks a and b, and count more."""
    live_collection(db, count=count)
    for word in words:
        put(db, word)
    db.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    copy_version(db, "docs", "v1", "v2")
    for verb in {"building": (), "ready": READY, "active": (*READY, "cut_over")}[until]:
        db.execute(f"SELECT pgvec.{verb}('docs', 'v2')".encode())


def chunks(connection: Connection, version: str, collection: str = "docs") -> dict[str, Any]:
    """Content and metadata of a version's chunks, by id."""
    return {
        str(chunk_id): (content, metadata)
        for chunk_id, content, metadata in rows(
            connection,
            f"SELECT chunk_id, content, metadata FROM {collection} WHERE model_version = %s",
            version,
        )
    }


def items(connection: Connection) -> list[tuple[Any, ...]]:
    """The work items: source, target, and the word of the single chunk or None."""
    return rows(
        connection,
        """SELECT w.source_version, w.model_version, (SELECT s FROM unnest(%s::text[]) s
                   WHERE md5(s)::uuid::text = w.lo AND w.lo = w.hi)
             FROM pgvec.work_item w ORDER BY w.item_id""",
        list("abcdefg"),
    )


# --- A worker, as any client could write one ---


@dataclass
class Claim:
    """Claimed work items of one source and one target."""

    source: str
    target: str
    items: list[int]
    revisions: list[int]
    lease: Any
    intervals: list[tuple[str, str]]


def claim(
    connection: Connection,
    versions: Sequence[str],
    most: int = 1,
    lease: str = "2 minutes",
    collection: str = "docs",
) -> Claim | None:
    found = rows(
        connection,
        "SELECT item_id, source_version, model_version, lo, hi, revision, lease_id"
        "  FROM pgvec.claim_work(%s, %s, %s, %s) ORDER BY item_id",
        collection,
        list(versions),
        most,
        lease,
    )
    if not found:
        return None
    assert len({(row[1], row[2], row[6]) for row in found}) == 1
    return Claim(
        found[0][1],
        found[0][2],
        [row[0] for row in found],
        [row[5] for row in found],
        found[0][6],
        [(row[3], row[4]) for row in found],
    )


def read(connection: Connection, mine: Claim, collection: str = "docs") -> list[tuple[Any, ...]]:
    return rows(
        connection,
        "SELECT item_ids, chunk_id, content, content_hash FROM pgvec.read_work(%s, %s, %s, %s, %s)",
        collection,
        mine.source,
        mine.target,
        mine.items,
        mine.lease,
    )


class Done(NamedTuple):
    """What ``pgvec.complete_work`` says that it did."""

    completed: int = 0
    fenced: int = 0
    written: int = 0
    deleted: int = 0


def complete(
    connection: Connection,
    mine: Claim,
    made: Sequence[tuple[Any, ...]],
    *,
    collection: str = "docs",
    dimensions: int = 8,
    id_type: str = "uuid",
) -> Done:
    """Embeds what was read and completes the items, in one transaction."""
    with connection.transaction():
        connection.execute("DROP TABLE IF EXISTS pg_temp.pgvec_made")
        connection.execute(
            f"CREATE TEMPORARY TABLE pgvec_made (item_ids bigint[], chunk_id {id_type},"
            " content_hash bytea, embedding vector) ON COMMIT DROP".encode()
        )
        for item_ids, chunk_id, content, digest in made:
            connection.execute(
                "INSERT INTO pg_temp.pgvec_made VALUES (%s, %s, %s, %s)",
                (item_ids, chunk_id, digest, vector(content, mine.target, dimensions)),
            )
        done = connection.execute(
            "SELECT completed, fenced, written, deleted"
            "  FROM pgvec.complete_work(%s, %s, %s, %s, %s, %s)",
            (collection, mine.source, mine.target, mine.items, mine.revisions, mine.lease),
        ).fetchone()
    assert done is not None
    return Done(*done)


def work_off(connection: Connection, *versions: str, most: int = 10) -> int:
    """Works until nothing can be claimed. Returns the number of items completed."""
    done = 0
    while (mine := claim(connection, versions, most)) is not None:
        done += complete(connection, mine, read(connection, mine)).completed
    return done


# --- Two sessions at once ---


@contextmanager
def in_background(work: Callable[..., Any], *arguments: Any) -> Iterator[Future[Any]]:
    """Does something in a thread of its own while the block runs; the end waits for it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work, *arguments)


def wait_until_blocked(observer: Connection, waiting: Connection) -> None:
    """Returns when the session waits for a lock."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not one(
        observer, "SELECT cardinality(pg_blocking_pids(%s)) > 0", waiting.info.backend_pid
    ):
        assert time.monotonic() < end, "the session never waited for a lock"


# --- pg_cron's own shape, where the server does not have it ---


def stand_in_for_pg_cron(connection: Connection) -> None:
    """Schema cron as the extension pg_cron makes it, as far as it is asked; its objects are its."""
    connection.execute(
        """CREATE SCHEMA cron;
           CREATE TABLE cron.job (jobid bigint, jobname text, schedule text, active boolean,
                                  database text, username text);
           CREATE TABLE cron.job_run_details (
               runid bigint, jobid bigint, database text, command text, status text,
               return_message text, start_time timestamptz, end_time timestamptz);
           CREATE FUNCTION cron.unschedule(id bigint) RETURNS boolean LANGUAGE sql AS
               'DELETE FROM cron.job WHERE jobid = id RETURNING true';
           CREATE FUNCTION cron.unschedule(name text) RETURNS boolean LANGUAGE sql AS
               'SELECT false';
           INSERT INTO pg_extension
               (oid, extname, extowner, extnamespace, extrelocatable, extversion)
           SELECT 99999, 'pg_cron', r.oid, 'pg_catalog'::regnamespace, false, '1.6'
             FROM pg_roles r WHERE r.rolname = current_user;
           INSERT INTO pg_depend
               (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
           SELECT 'pg_class'::regclass, c.oid, 0, 'pg_extension'::regclass, 99999, 0, 'e'
             FROM pg_class c
            WHERE c.oid IN ('cron.job'::regclass, 'cron.job_run_details'::regclass)"""
    )
