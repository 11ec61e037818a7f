"""The doctor on a pgvector table that is none of ours: do two models share one index?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Engine

from pgvec_versions.doctor import Finding, as_html, examine_table, verdict
from pgvec_versions.doctor.clusters import model_groups
from pgvec_versions.doctor.tables import model_names
from pgvec_versions.embedders import StaticTokenEmbedder
from pgvec_versions.errors import InvalidArgument, UnknownName
from tests.browser import chromium, reads_well
from tests.tab import PAPER, PHONE, Tab, tab
from tests.tools import MINILM, MINILM_REVISION, TinyEmbedder, literal

__all__ = ["chromium", "tab"]


@pytest.fixture(scope="module")
def passages() -> list[str]:
    """Real texts about many things."""
    cut = [t[i : i + 500] for t in topics.values() for i in range(0, min(len(t), 3000), 500)]
    return [text for text in cut if len(text.split()) > 20][:300]


@pytest.fixture(scope="module")
def real(passages: list[str]) -> Any:
    """Vectors of a real model. Shape: (n, 384)."""
    pytest.importorskip("sentence_transformers")
    return StaticTokenEmbedder(MINILM, revision=MINILM_REVISION).embed_documents(passages)


@pytest.fixture(scope="module")
def turned(real: Any) -> Any:
    """The vectors of another model, as good as the first: the same space, turned."""
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((384, 384)))[0]
    return (real @ turn).astype(np.float32)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_two_models_in_one_table_are_told_apart(
    passages: list[str], real: Any, turned: Any, share: float
) -> None:
    other = np.random.default_rng(1).random(len(passages)) < share
    groups = model_groups(np.where(other[:, None], turned, real), passages)
    assert len(set(groups.tolist())) == 2
    assert len({*zip(other.tolist(), groups.tolist(), strict=True)}) == 2, "cut where they differ"


def test_topics_of_one_model_are_no_two_models(passages: list[str], real: Any) -> None:
    assert set(model_groups(real, passages).tolist()) == {0}


def test_names_of_models_are_found_in_nested_metadata() -> None:
    row = {"id": 1, "model": "a", "metadata": {"x": {"embedding_model": "b"}, "remodelled": "c"}}
    assert list(model_names(row)) == [("model", "a"), ("metadata.x.embedding_model", "b")]


def make(
    db: psycopg.Connection[Any],
    rows: Sequence[tuple[str, Any, dict[str, Any]]],
    extra: str = "",
) -> None:
    db.execute(
        "CREATE TABLE documents (id bigserial PRIMARY KEY, title text, content text,"
        " embedding vector, metadata jsonb)"
    )
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO documents (content, embedding, metadata) VALUES (%s, %s, %s)",
            [(text, literal(vector), json.dumps(meta)) for text, vector, meta in rows],
        )


def level(found: list[Finding], words: str) -> str:
    (one,) = [f for f in found if words in f.evidence]
    return one.level


def tinies(count: int, seed: str = "a", dimensions: int = 8) -> list[tuple[str, Any, dict]]:
    one = TinyEmbedder(seed, dimensions)
    return [
        (f"{seed} text {i}", one.vector(f"{seed} text {i}"), {"model": seed}) for i in range(count)
    ]


def test_a_table_of_two_models_is_seen_in_its_rows(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    make(db, [*tinies(30), *tinies(10, "b"), *tinies(5, "c", 4)])
    found = examine_table(engine, "documents", embedders={"a": TinyEmbedder("a")}, sample=45)
    assert level(found, "metadata.model names a (30), b (10), c (5)") == "problem"
    assert level(found, "several dimensions: 8 (40), 4 (5)") == "problem"
    assert level(found, "a makes 30 of 45 sampled vectors again (67%") == "problem"
    assert level(found, "no HNSW or IVFFlat index") == "ok", "45 rows need none"
    assert all(f.to_do for f in found if f.level != "ok")


def test_a_large_table_without_an_index_is_found(
    engine: Engine, db: psycopg.Connection[Any]
) -> None:
    make(db, tinies(3))
    db.execute(
        "INSERT INTO documents (embedding) SELECT '[1,0,0,0,0,0,0,1]'"
        " FROM generate_series(1, 996) i"
    )
    assert level(examine_table(engine, "documents"), "no HNSW or IVFFlat index") == "ok"
    db.execute("INSERT INTO documents (embedding) VALUES ('[1,0,0,0,0,0,0,1]')")
    assert level(examine_table(engine, "documents"), "no HNSW or IVFFlat index") == "warning"


def test_zeros_of_an_empty_text_are_no_problem(engine: Engine, db: psycopg.Connection[Any]) -> None:
    make(db, [*tinies(3), (" ", [0] * 8, {})])
    assert not [f for f in examine_table(engine, "documents") if "all zeros" in f.evidence]


def test_a_table_of_one_model_is_in_order(engine: Engine, db: psycopg.Connection[Any]) -> None:
    make(db, tinies(30))
    db.execute("ALTER TABLE documents ALTER embedding TYPE vector(8)")
    db.execute("CREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops)")
    embedders = {"a": TinyEmbedder(), "b": TinyEmbedder("b")}
    found = examine_table(engine, "public.documents", embedders=embedders)
    assert level(found, "a makes 30 of 30") == "ok"
    assert level(found, "b makes 0 of 30") == "warning"
    assert not [f for f in found if f.level == "problem"]


def test_two_real_models_in_one_table_are_found(
    engine: Engine, db: psycopg.Connection[Any], passages: list[str], real: Any, turned: Any
) -> None:
    mixed = [(t, (real, turned)[i % 2][i], {}) for i, t in enumerate(passages)]
    make(db, mixed)
    model = StaticTokenEmbedder(MINILM, revision=MINILM_REVISION)
    found = examine_table(engine, "documents", embedders={"static": model}, sample=1000)
    assert level(found, "2 groups of vectors that are not comparable (50% and 50%") == "problem"
    count = len(passages)
    own = f"static makes {(count + 1) // 2} of {count}"
    assert level(found, own) == "problem"


def test_what_cannot_be_looked_at_is_said(engine: Engine, db: psycopg.Connection[Any]) -> None:
    with pytest.raises(UnknownName):
        examine_table(engine, "nothing")
    db.execute("CREATE TABLE plain (id int, note text)")
    with pytest.raises(InvalidArgument, match="no column of type vector"):
        examine_table(engine, "plain")
    make(db, tinies(3))
    with pytest.raises(InvalidArgument, match="no text column 'x'"):
        examine_table(engine, "documents", text_column="x")
    db.execute("UPDATE documents SET embedding = NULL WHERE id = 1")
    db.execute("UPDATE documents SET embedding = '[0,0,0,0,0,0,0,0]' WHERE id = 2")
    found = examine_table(engine, "documents")
    assert level(found, "1 of 3 sampled rows have no vector") == "warning"
    assert level(found, "1 of 2 sampled vectors are all zeros") == "problem"


def test_the_page_reads_well_in_a_browser_light_and_dark(
    engine: Engine, db: psycopg.Connection[Any], chromium: str, tab: Tab, tmp_path: Path
) -> None:
    make(db, [*tinies(30), *tinies(10, "b"), *tinies(5, "c", 4)])
    found = examine_table(engine, "documents", embedders={"a": TinyEmbedder("a")}, sample=45)
    long = Finding("warning", "x" * 70, "y" * 300, "SELECT " + "z" * 200)
    page = as_html([*found, long], "pgvec doctor", database="d" * 60, table="documents")
    reads_well(chromium, page, "doctor", tmp_path, 1800)
    for size in (PHONE, PAPER):
        tab.open(tmp_path / "doctor.html", size)
        assert tab.cut_off() == []
    tab.show(PHONE)
    assert tab.ask("getComputedStyle(document.body).fontSize") == "16px"


@pytest.mark.parametrize(
    ("levels", "word", "tone"),
    [
        (["ok", "ok"], "All is in order", "ok"),
        (["ok", "warning"], "No problem, 1 warning", "warning"),
        (["warning", "problem", "warning"], "1 problem and 2 warnings", "problem"),
        (["problem", "problem"], "2 problems", "problem"),
        ([], "All is in order", "ok"),
    ],
)
def test_the_verdict_comes_first(levels: list[Any], word: str, tone: str) -> None:
    found = [Finding(level, f"finding {i}", "x") for i, level in enumerate(levels)]
    assert (verdict(found).word, verdict(found).tone) == (word, tone)
    page = as_html(found, "pgvec doctor", database="app on db.example", collections=["docs", "b"])
    body = page[page.index("<body>") :]
    said = [body.index(text) for text in (f"<h1>{word}</h1>", "app on db.example", "docs, b")]
    said += [body.index("finding")] if found else []
    assert said == sorted(said)


def test_the_page_holds_every_finding_and_nothing_from_elsewhere() -> None:
    page = as_html([Finding("ok", "a", "fine"), Finding("problem", "<b>", "bad & worse")], "docs")
    assert page.index("bad &amp; worse") < page.index("fine"), "problems first"
    assert "&lt;b&gt;" in page
    assert "prefers-color-scheme: dark" in page
    for foreign in ("http://", "https://", "<script", "<link", "@import", "url("):
        assert foreign not in page
