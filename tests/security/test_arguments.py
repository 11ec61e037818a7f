"""Wrong types, and text that cannot be stored: ours to refuse, before anything is sent."""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Engine, event

from pgvec_versions import ChunkStore, Transition, Where
from pgvec_versions.errors import (
    BadEmbedding,
    CatalogNotInstalled,
    InvalidArgument,
    InvalidVector,
    error_for,
    translated,
)
from pgvec_versions.filters import DEEPEST, LARGEST, MOST_CONDITIONS, MOST_VALUES, as_json
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.values import Chunk, QueryVector
from tests.db.helpers import create_collection
from tests.sql.helpers import refused, rows
from tests.tools import TinyEmbedder, live_collection

NAN, INF = float("nan"), float("inf")


@pytest.fixture(params=["uuid", "bigint", "text"])
def store(request: pytest.FixtureRequest, engine: Engine) -> ChunkStore:
    tiny = TinyEmbedder()
    create_collection(engine, "docs", id_type=request.param)
    Transition(engine, "docs", "v1", tiny).run(cut_over=True)
    made = ChunkStore(engine, "docs", {"v1": tiny})
    ids = {"uuid": uuid.UUID(int=1), "bigint": 1, "text": "1"}
    made.add([Chunk("the one text", "d", 0, {"n": 1}, ids[request.param])])
    return made


def stored(store: ChunkStore) -> list[tuple[Any, ...]]:
    with autocommitted(store.engine) as raw:
        return raw.execute("SELECT chunk_id::text, content, metadata FROM docs").fetchall()


def forever() -> Any:
    return (Where("n", "=", n) for n in itertools.count())


def itself() -> Any:
    made: dict[str, Any] = {}
    made["a"] = made
    return made


def deep(levels: int) -> Any:
    made: Any = 1
    for _ in range(levels):
        made = [made]
    return made


SEARCHES: list[dict[str, Any]] = [
    *({"k": k} for k in ("10", True, 2.5, None, 0, -1, 2**31, 10**30, [], NAN, b"1", 1 + 0j)),
    *({"ef_search": ef} for ef in ("10", True, 2.5, 0, 1001, 2**40)),
    *({"exact": exact} for exact in ("yes", 1, None)),
    *({"version": v} for v in (5, b"v1", "v\0", "\ud800", ["v1"])),
    *(
        {"filter": f}
        for f in (5, "lang", b"x", [5], [None], [{"key": "n"}], {"a": {1, 2}}, {(1,): 2})
    ),
    *({"filter": {"n": v}} for v in (NAN, INF, b"x", object(), "\0", "\ud800", 10**5000)),
    *({"filter": Where("n", "in", v)} for v in ("abc", b"abc", 5, {"a": 1}, None)),  # type: ignore[arg-type]
    {"filter": Where("n", "exists", 1)},
    {"filter": itself()},
    {"filter": {"a": deep(5000)}},
    {"filter": Where("n", "in", itertools.count())},
    {"filter": forever()},
]


def test_a_search_of_wrong_types_is_refused_before_the_model_runs(engine: Engine) -> None:
    tiny = TinyEmbedder()
    create_collection(engine, "docs")
    Transition(engine, "docs", "v1", tiny).run(cut_over=True)
    store = ChunkStore(engine, "docs", {"v1": tiny})
    calls = tiny.calls
    sent: list[Any] = []
    event.listen(engine, "checkout", lambda *_: sent.append(_))
    for number, wrong in enumerate(SEARCHES):
        with pytest.raises(InvalidArgument):
            store.search("text", **wrong)
        assert (tiny.calls, sent) == (calls, []), number


NO_QUERIES: list[Any] = [None, 5, b"text", ["text"], "", " ", np.zeros(8)]


def test_a_query_is_a_text_or_a_vector(store: ChunkStore) -> None:
    for query in NO_QUERIES:
        with pytest.raises(InvalidArgument):
            store.search(query)


NO_VECTORS: list[Any] = [
     [NAN] * 8, [INF] * 8, [0.0] * 8, [1.0], [], 5, None, "text", [["a"]], [[1.0] * 8], ["x"] * 8,
     b"x", [None] * 8, [1e39] * 8, [10**400] * 8, {"a": 1}, np.zeros((8, 0)), [1.0] * 20_000,
     [1j] * 8]  # fmt: skip


def test_a_query_vector_that_is_none_is_refused(store: ChunkStore) -> None:
    for vector in NO_VECTORS:
        for exact in (False, True):
            with pytest.raises(InvalidVector):
                store.search(QueryVector(vector, "v1"), exact=exact)
        with pytest.raises(InvalidArgument):
            store.search(QueryVector(np.ones(8, np.float32), 5))  # type: ignore[arg-type]


NO_IDS: list[Any] = [None, True, 1.0, 2.5, b"1", [], {}, object(), "x\0", "\ud800", NAN]


def test_what_is_no_id_deletes_nothing(store: ChunkStore) -> None:
    for wrong in NO_IDS:
        before = stored(store)
        for chunk_ids in ([wrong], (i for i in [wrong]), wrong if wrong is not None else 5):
            if chunk_ids in ([], {}):
                continue
            with pytest.raises(InvalidArgument):
                store.delete(chunk_ids=chunk_ids)
        with pytest.raises(InvalidArgument):
            store.delete(document_ids=[wrong])
        if wrong is not None:
            with pytest.raises(InvalidArgument):
                store.add([Chunk("a text", chunk_id=wrong)])
        assert stored(store) == before


def test_bytes_are_no_list_of_ids(store: ChunkStore) -> None:
    for given in (b"\x01", bytearray(b"\x01"), "1", {1: 2}, 1):
        with pytest.raises(InvalidArgument):
            store.delete(chunk_ids=given)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument):
            store.delete(document_ids=given)  # type: ignore[arg-type]
    assert len(stored(store)) == 1


def test_a_generator_of_ids_deletes_what_it_gives(store: ChunkStore) -> None:
    ((chunk_id, *_),) = stored(store)
    assert store.delete(chunk_ids=(i for i in [chunk_id])) == 1  # type: ignore[arg-type]
    assert stored(store) == []


NO_CHUNKS: list[Any] = [
     None, 5, b"text", [], Chunk(5), Chunk(b"text"), Chunk(""), Chunk("a\0b"), Chunk("\ud800"),
     Chunk("t", document_id=5), Chunk("t", "a\0"), Chunk("t", position=True),
     Chunk("t", position="1"),
     Chunk("t", position=2**31), Chunk("t", metadata=[1]), Chunk("t", metadata="ab"),
     *(Chunk("t", metadata={"a": v}) for v in (NAN, {1}, b"x", object(), "\0", "\ud800")),
     Chunk("t", metadata={"a": deep(100_000)}),
     Chunk("t", metadata=itself()), Chunk("t", metadata={(1,): 2})],  # type: ignore[arg-type]  # fmt: skip


def test_what_is_no_chunk_is_refused_and_nothing_is_written(engine: Engine) -> None:
    create_collection(engine, "docs")
    tiny = TinyEmbedder()
    Transition(engine, "docs", "v1", tiny).run(cut_over=True)
    store = ChunkStore(engine, "docs", {"v1": tiny})
    for chunk in NO_CHUNKS:
        with pytest.raises(InvalidArgument):
            store.add([chunk])
        for given in (chunk, {"a": "text"}, b"text", 5):
            if given != []:
                with pytest.raises(InvalidArgument):
                    store.add(given)
        with pytest.raises(InvalidArgument):
            store.add(["text"], version=5)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument):
            store.add(["text"], keep_others="no")  # type: ignore[arg-type]
        for vectors in ([[NAN] * 8], [[0.0] * 8], [["a"] * 8], "text", [[1.0]]):
            with pytest.raises(BadEmbedding):
                store.add(["text"], version="v1", vectors=vectors)
        assert stored(store) == []


NO_NAMES: list[Any] = [None, 5, b"docs", ["docs"], "do\0cs", "\ud800"]


def test_a_name_is_a_text(engine: Engine) -> None:
    for name in NO_NAMES:
        with pytest.raises(InvalidArgument):
            ChunkStore(engine, name)


# --- Filters ---


def conditions(count: int) -> list[dict[str, Any]]:
    return [{"key": f"k{n}", "op": "=", "value": n} for n in range(count)]


BEYOND = [
    ("conditions", conditions(MOST_CONDITIONS + 1), {"what": "conditions", "most": 100}),
    ("conditions", conditions(100_000), {"most": 1_000_000, "what": "bytes"}),
    ("conditions", [{"key": "n", "op": "in", "value": list(range(MOST_VALUES + 1))}],
     {"what": "values", "key": "n"}),
    ("conditions", [{"key": "n", "op": "exists"}, {"key": "n", "op": "=", "value": deep(33)}],
     {"what": "levels", "most": 32}),
    ("filter", {"a": deep(DEEPEST)}, {"what": "levels", "most": 32}),
    ("filter", {"a": "x" * LARGEST}, {"what": "bytes"}),
]  # fmt: skip
WITHIN = [
    ("conditions", conditions(MOST_CONDITIONS)),
    ("conditions", [{"key": "n", "op": "in", "value": list(range(MOST_VALUES))}]),
    ("conditions", [{"key": "n", "op": "=", "value": deep(DEEPEST)}]),
    ("filter", {"a": deep(DEEPEST - 1)}),
    ("filter", {str(n): n for n in range(10_000)}),
]


NEAREST = "SELECT * FROM pgvec.nearest('docs', '[1,0,0,0,0,0,0,0]', 'v1', {} => %s::jsonb)"


def given(which: str, value: Any) -> Any:
    """The same for Python."""
    return (
        value
        if which == "filter"
        else [Where(c["key"], c["op"], c.get("value", True)) for c in value]
    )


def test_a_filter_beyond_what_is_taken_is_refused(db: psycopg.Connection[Any]) -> None:
    live_collection(db, count=3)
    for which, value, detail in BEYOND:
        call = (
            f"SELECT * FROM pgvec.nearest('docs', '[1,0,0,0,0,0,0,0]', 'v1', {which} => %s::jsonb)"
        )
        said = refused(db, "PV007", call, json.dumps(value))
        assert said.detail.items() >= {"which": which, **detail}.items()
        assert str(said.detail["most"]) in said.message
        with pytest.raises(InvalidArgument) as caught:
            as_json(given(which, value))
        assert (
            caught.value.detail.items()
            >= {"which": which, "most": caught.value.detail["most"]}.items()
        )


def test_a_filter_of_the_largest_size_is_taken(db: psycopg.Connection[Any]) -> None:
    live_collection(db, count=3)
    for which, value in WITHIN:
        call = (
            f"SELECT * FROM pgvec.nearest('docs', '[1,0,0,0,0,0,0,0]', 'v1', {which} => %s::jsonb)"
        )
        rows(db, call, json.dumps(value))
        as_json(given(which, value))


# --- Whose name was not found ---


@pytest.mark.parametrize("value", [f"{'[' * 5000}1{']' * 5000}", json.dumps("x" * 200_000)])
def test_what_an_error_repeats_of_a_huge_argument_is_short(
    db: psycopg.Connection[Any], value: str
) -> None:
    live_collection(db, count=0)
    with pytest.raises(InvalidArgument) as caught, translated():
        db.execute("SELECT pgvec.set_gate('docs', %s)", (f'{{"recall@10": {value}}}',))
    assert len(caught.value.detail["bound"]) == 200


def test_a_detail_too_deep_for_python_is_kept_as_text(db: psycopg.Connection[Any]) -> None:
    """Also of another function of the host's that raises a code of ours."""
    deepest = "[" * 20_000
    db.execute(
        "CREATE FUNCTION pg_temp.other() RETURNS void LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE 'x' USING ERRCODE = 'PV007', DETAIL = '{deepest}'; END$$".encode()
    )
    with pytest.raises(InvalidArgument) as caught, translated():
        db.execute("SELECT pg_temp.other()")
    assert caught.value.detail == {"text": deepest}


def test_a_hosts_own_missing_function_is_no_missing_catalog(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    create_collection(engine, "docs")
    Transition(engine, "docs", "v1", TinyEmbedder()).run(cut_over=True)
    db.execute(
        "CREATE FUNCTION host_trigger() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pgvec.of_the_host(NEW.content); RETURN NEW; END$$"
    )
    db.execute(
        "CREATE TRIGGER host BEFORE INSERT ON docs FOR EACH ROW EXECUTE FUNCTION host_trigger()"
    )
    store = ChunkStore(engine, "docs", TinyEmbedder())
    with pytest.raises(psycopg.errors.UndefinedFunction):
        store.add(["text"])
    for statement, error in (
        ("SELECT pgvec.of_the_host(1)", psycopg.errors.UndefinedFunction),
        ("SELECT * FROM pgvec.of_the_host", psycopg.errors.UndefinedTable),
        ("SELECT host.f()", psycopg.errors.InvalidSchemaName),
    ):
        for opened in (autocommitted(engine), transaction(engine)):
            with pytest.raises(error) as caught, opened as raw:
                raw.execute(statement)
            assert error_for(caught.value) is None
        with engine.connect() as own, pytest.raises(error), transaction(engine, own) as raw:
            raw.execute(statement)


def test_without_the_catalog_its_names_say_so(empty_database: str) -> None:
    from pgvec_versions.postgres.database import engine_for

    engine = engine_for(empty_database)
    for statement in ("SELECT pgvec.active_version('docs')", "SELECT * FROM pgvec.collection"):
        for opened in (autocommitted(engine), transaction(engine)):
            with pytest.raises(CatalogNotInstalled, match="pgvec init"), opened as raw:
                raw.execute(statement)
        with (
            engine.connect() as own,
            pytest.raises(CatalogNotInstalled),
            transaction(engine, own) as raw,
        ):
            raw.execute(statement)
