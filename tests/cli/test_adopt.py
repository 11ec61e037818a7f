"""``pgvec adopt``: the plan, the adoption, the way back."""

from __future__ import annotations

import pytest

from tests.tools import TinyEmbedder, literal

GIVEN = ["adopt", "documents", "-c", "docs", "--label", "legacy"]


@pytest.fixture
def table(db):
    db.execute("CREATE TABLE documents (id text PRIMARY KEY, body text, embedding vector(8))")
    for number in range(9):
        vector = TinyEmbedder("old", 8).vector(str(number))
        db.execute("INSERT INTO documents VALUES (%s, %s, %s)", (str(number), "x", literal(vector)))
    return db


def test_the_plan_names_every_statement_and_its_lock(run, table):
    plan = run(*GIVEN, "--dry-run", "--json").data
    assert plan["columns"] == {"chunk_id": "id", "content": "body", "embedding": "embedding"}
    assert any("CONCURRENTLY" in step["statement"] for step in plan["steps"])
    assert {step["lock"] for step in plan["steps"]} == {
        "ACCESS EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE",
    }
    assert table.execute("SELECT count(*) FROM pgvec.adoption").fetchone() == (0,)


def test_adopted_and_undone(run, table):
    for _ in range(2):  # the second time there is nothing left to do
        ended = run(*GIVEN)
        assert ended.code == 0, ended.err
        assert "documents is version legacy of docs" in ended.out
    assert run("status", "--json").data[0]["model_version"] == "legacy"
    ended = run("adopt", "-c", "docs", "--undo")
    assert ended.code == 0, ended.err
    kind = table.execute("SELECT relkind FROM pg_class WHERE oid = 'documents'::regclass")
    assert kind.fetchone() == ("r",)


def test_a_dry_run_of_finish_keeps_the_way_back(run, table):
    table.execute("CREATE INDEX old_index ON documents USING hnsw (embedding vector_cosine_ops)")
    assert run(*GIVEN).code == 0
    plan = run("adopt", "-c", "docs", "--finish", "--dry-run", "--json").data
    assert ["old_index" in step["statement"] for step in plan["steps"]] == [True]
    assert table.execute("SELECT to_regclass('pgvec_leaves.old_index')").fetchone() != (None,)
    assert run("adopt", "-c", "docs", "--finish").code == 0
    assert table.execute("SELECT to_regclass('pgvec_leaves.old_index')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["adopt", "documents", "--label", "a"], "name of the collection"),
        (["adopt", "documents", "-c", "docs"], "label"),
        (["adopt", "-c", "docs", "--undo", "--finish"], "exclude each other"),
        ([*GIVEN, "--column", "body"], "content=body"),
        ([*GIVEN, "--column", "content=nothing"], "no column nothing"),
        (["adopt", "nothing", "-c", "docs", "--label", "a"], "no table"),
    ],
)
def test_bad_input(run, table, arguments, said):
    ended = run(*arguments)
    assert ended.code in (2, 4), ended.err
    assert said in ended.complaint
