"""What a database has to hold in the end, in a few words. Each word asserts, and says what differs.

same        every version that is to be whole holds what the active one holds, and nothing waits
holds       a version holds exactly these texts, and each with a vector of its own
serves      queries of this version are answered by it alone, and all others are refused
unchanged   whatever the block does, no row of ours and of the chunk tables differs after it
idle        no work is open, claimed or set aside
gone        a version's leaf and its pinned view are dropped, and its record stays

They read rows and the catalog, as any client can; what a call returns is the test's own business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from psycopg import sql

from tests.tools import TinyEmbedder, literal

Connection = psycopg.Connection[Any]
#: Texts by chunk id, or by the word that the id is made of; or just the texts.
Texts: TypeAlias = Mapping[str, str] | Collection[str]
#: What two versions may differ in: the label, the vector, and the microsecond of the write.
OWN = ["model_version", "embedding", "written_at"]


def same(
    db: Connection,
    chunks: Texts | None = None,
    collection: str = "docs",
    *,
    versions: Collection[str] = (),
) -> dict[str, tuple[str, Any]]:
    """Every version that is to be whole holds the same chunks, column by column, turns included.

    These are the live versions that follow writes, or ``versions``. None of them misses a chunk or
    has one too many, and none has work left, set aside or not. ``chunks`` says what they hold, as
    for ``holds``. Returns text and metadata, by chunk id.
    """
    labels = sorted(versions) or _following(db, collection)
    assert labels, f"{collection} has no version that follows writes"
    rows = {label: _rows(db, collection, label) for label in labels}
    for row in (row for mine in rows.values() for row in mine.values()):
        del row["embedding"]
    first = labels[0]
    for label in labels[1:]:
        for chunk_id in rows[first].keys() | rows[label].keys():
            one, other = rows[first].get(chunk_id), rows[label].get(chunk_id)
            assert one == other, f"{chunk_id} is {one} in {first} and {other} in {label}"
    for label in labels:
        problems = _value(db, "SELECT pgvec.ready_problems(%s, %s)", collection, label)
        problems.pop("index", None)  # a version that is being built may have none yet
        assert problems == {}, f"{label}: {problems}"
    if not versions:
        idle(db, collection)
    if chunks is not None:
        holds(db, first, chunks, collection)
    return {key: (row["content"], row["metadata"]) for key, row in rows[first].items()}


def holds(
    db: Connection,
    version: str,
    chunks: Texts,
    collection: str = "docs",
    *,
    embedder: TinyEmbedder | None = None,
) -> None:
    """A version holds exactly these texts, each as often as it is named.

    With ``embedder``: every vector is the one that it makes of the text.
    """
    rows = _rows(db, collection, version)
    if isinstance(chunks, Mapping):
        wanted = {_chunk_id(name): text for name, text in chunks.items()}
        held = {key: row["content"] for key, row in rows.items()}
        assert held == wanted, f"{version} holds {held}"
    else:
        assert sorted(row["content"] for row in rows.values()) == sorted(chunks)
    if embedder is not None:
        for key, row in rows.items():
            vector = [float(x) for x in row["embedding"].strip("[]").split(",")]
            own = embedder.vector(row["content"])
            assert abs(own - vector).max() < 1e-5, f"{key} has a vector of another text or model"


def serves(
    db: Connection, version: str, text: str, embedder: TinyEmbedder, collection: str = "docs"
) -> None:
    """A query of this version, for a text that it holds, is answered by it alone.

    By the routing view, the pinned view and ``nearest``; the text itself comes first. Other
    queries get nothing from the view: one of another version PV011, one of no version PV012.
    """
    query = literal(embedder.vector(text))
    declare = "SELECT set_config('pgvec.query_version.' || %s, %s, false)"
    pinned = _value(
        db,
        "SELECT pinned_view FROM pgvec.model_version WHERE collection = %s AND model_version = %s",
        collection,
        version,
    )
    views = [f"active_{collection}", pinned]
    asked = [
        sql.SQL(
            "SELECT model_version, content FROM {} ORDER BY embedding <=> %s::vector LIMIT 5"
        ).format(sql.Identifier(view))
        for view in views
    ]
    try:
        for declared, code in (("", "PV012"), (f"not {version}", "PV011")):
            db.execute(declare, (collection, declared))
            assert _code(db, asked[0], query) == code, f"declared {declared!r}"
        db.execute(declare, (collection, version))
        found = [db.execute(ask, (query,)).fetchall() for ask in asked]
    finally:
        db.execute(declare, (collection, ""))
    found.append(
        db.execute(
            "SELECT model_version, content FROM pgvec.nearest(%s, %s::vector, %s, 5)",
            (collection, query, version),
        ).fetchall()
    )
    for answer in found:
        assert answer[:1] == [(version, text)], answer
        assert {label for label, _ in answer} == {version}, answer


@contextmanager
def unchanged(db: Connection) -> Iterator[None]:
    """After the block no row of a chunk table or of the catalog differs, events aside."""
    before = _everything(db)
    yield
    after = _everything(db)
    for name in before.keys() | after.keys():
        gained = set(after.get(name, ())) - set(before.get(name, ()))
        lost = set(before.get(name, ())) - set(after.get(name, ()))
        assert not gained, f"{name} has got {gained}"
        assert not lost, f"{name} has lost {lost}"


def idle(db: Connection, collection: str = "docs") -> None:
    """No work item is open, claimed or set aside."""
    items = _column(
        db, "SELECT to_jsonb(w) FROM pgvec.work_item w WHERE collection = %s", collection
    )
    assert items == []


def gone(db: Connection, version: str, collection: str = "docs") -> None:
    """A retired or abandoned version: leaf and pinned view are dropped, and the record stays."""
    state, dropped, *names = db.execute(
        "SELECT state, dropped_at IS NOT NULL, leaf, pinned_view FROM pgvec.model_version"
        " WHERE collection = %s AND model_version = %s",
        (collection, version),
    ).fetchone() or (None, False)
    assert state in ("retired", "abandoned"), f"{version} is {state}"
    assert dropped, f"{version} has its leaf"
    found = _column(
        db,
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relname = %s AND relnamespace = 'pgvec_leaves'::regnamespace"
        "    OR relname = %s AND relkind = 'v'",
        *names,
    )
    assert found == []


# --- How they look ---


def _value(db: Connection, statement: str, *parameters: Any) -> Any:
    (found,) = _column(db, statement, *parameters)
    return found


def _column(db: Connection, statement: str, *parameters: Any) -> list[Any]:
    return [row[0] for row in db.execute(statement.encode(), parameters).fetchall()]


def _code(db: Connection, statement: sql.Composed, *parameters: Any) -> str | None:
    """The SQLSTATE of a statement that fails, undone; None if it does not."""
    try:
        with db.transaction(force_rollback=True):
            db.execute(statement, parameters).fetchall()
    except psycopg.Error as error:
        return error.sqlstate
    return None


def _following(db: Connection, collection: str) -> list[str]:
    """The live versions that follow writes, the active one first."""
    return _column(
        db,
        "SELECT model_version FROM pgvec.model_version WHERE collection = %s AND follows"
        "   AND state IN ('building', 'ready', 'active', 'draining')"
        " ORDER BY state <> 'active', model_version",
        collection,
    )


def _rows(db: Connection, collection: str, version: str) -> dict[str, dict[str, Any]]:
    """The rows of a version by chunk id, with every column that is not its own to set."""
    found = db.execute(
        sql.SQL(
            "SELECT chunk_id::text, to_jsonb(d) - %s::text[], embedding::text FROM {} d"
            " WHERE model_version = %s"
        ).format(sql.Identifier(collection)),
        (OWN, version),
    )
    return {key: row | {"embedding": vector} for key, row, vector in found.fetchall()}


def _chunk_id(name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        return str(UUID(md5(name.encode()).hexdigest()))


def _everything(db: Connection) -> dict[str, list[str]]:
    tables = _column(
        db,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
        "   AND (relnamespace = 'pgvec_leaves'::regnamespace OR oid = ANY (%s::regclass[]))",
        [f"pgvec.{name}" for name in ("collection", "model_version", "work_item", "tombstone")],
    )
    return {name: _column(db, f"SELECT t::text FROM {name} t") for name in tables}
