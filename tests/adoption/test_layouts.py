"""Each layout is adopted, used and given back, or refused; docs/adopt.md says which."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.adoption.layouts import LIBRARIES, PLAIN, TABLES, Layout
from tests.tools import TinyEmbedder, literal

PAGE = Path(__file__).parents[2] / "docs/adopt.md"
COLUMNS = """
    SELECT array_agg(ROW(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                         a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))::text
                     ORDER BY a.attnum)
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
ORDINARY = {"chunk_id": "id", "content": "content", "metadata": "metadata"}


def insert(db, layout: Layout, number: int) -> None:
    made = literal(TinyEmbedder("old", 8).vector(str(number)))
    db.execute(layout.insert.format(n=number, v=f"'{made}'").encode())


def contents(db, layout: Layout) -> list[str]:
    return [row for (row,) in db.execute(f"SELECT t::text FROM {layout.table} t ORDER BY 1")]


def run_steps(db, verb: str) -> None:
    last = None
    while db.execute("SELECT 1 FROM pgvec.adoption").fetchone():
        left = db.execute(f"SELECT statement FROM pgvec.{verb}('docs')".encode()).fetchone()
        if left is None:
            return
        assert left != last
        last = left
        db.execute(left[0].encode())


def line(layout: Layout, outcome: str, note: str) -> str:
    return f"| {layout.name} | {outcome} | {note} |"


def adopt(db, layout: Layout) -> str:
    """Adopts the table, uses it by its name, and undoes it. Returns the line of the page."""
    db.execute(layout.make.encode())
    for number in range(1, 10):
        insert(db, layout, number)
    before, columns = contents(db, layout), db.execute(COLUMNS, (layout.table,)).fetchone()
    answer = db.execute(layout.check.encode()).fetchall()
    try:
        mapped = db.execute(
            "SELECT pgvec.begin_adoption(%s::regclass, 'docs', 'legacy', %s)",
            (layout.table, Jsonb(layout.columns)),
        ).fetchone()[0]
    except psycopg.Error as error:
        assert contents(db, layout) == before
        said = (error.diag.message_primary or "").replace("|", "\\|")
        copied = "opy its rows" in (error.diag.message_hint or "")
        return line(layout, "copy" if copied else "no", said)
    run_steps(db, "adoption_steps")
    assert contents(db, layout) == before
    assert db.execute(layout.check.encode()).fetchall() == answer
    insert(db, layout, 50)
    edit = f"UPDATE {layout.table} SET {mapped['content']} = 'edited', {mapped['embedding']} = %s"
    db.execute(edit.encode(), (literal(TinyEmbedder("old", 8).vector("edited")),))
    assert all("edited" in row for row in contents(db, layout))
    written = contents(db, layout)
    assert len(written) == len(before) + 1
    run_steps(db, "undo_steps")
    assert contents(db, layout) == written
    assert db.execute(COLUMNS, (layout.table,)).fetchone() == columns
    insert(db, layout, 51)
    named = [
        f"`{own}` is {target}"
        for target, own in sorted(mapped.items())
        if target != "embedding" and ORDINARY.get(target) != own
    ]
    own_json = db.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
        " AND atttypid = 'json'::regtype",
        (layout.table,),
    )
    named += [f"`{own}` (json) stays a column of its own" for (own,) in own_json]
    given = [f"`--column {key}={value}`" for key, value in layout.columns.items()]
    return line(layout, "in place", "; ".join([*given, *named]))


@pytest.mark.parametrize("layout", LIBRARIES + TABLES, ids=lambda layout: layout.name)
def test_a_layout(db, layout):
    assert adopt(db, layout) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_names_no_other_layout():
    lines = PAGE.read_text(encoding="utf-8").partition("## Which tables")[2].splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == len(LIBRARIES + TABLES) + 1


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("COPY store FROM '/dev/null'", "42809"),
        ("TRUNCATE store", "42809"),
        ("ALTER TABLE store ADD extra int", "42809"),
        ("CREATE INDEX IF NOT EXISTS again ON store (slug)", "42809"),
        ("CREATE TABLE other (store bigint REFERENCES store)", "42809"),
        ("INSERT INTO store (slug) VALUES ('a') ON CONFLICT (slug) DO NOTHING", "42P10"),
        (
            "INSERT INTO store (id) VALUES (1) ON CONFLICT ON CONSTRAINT store_pkey DO NOTHING",
            "42704",
        ),
        ("UPDATE store SET content = 'x'", "PV021"),
    ],
)
def test_what_a_view_cannot_do(db, statement, code):
    layout = Layout("", f"CREATE TABLE store ({PLAIN}, slug text UNIQUE)")
    db.execute(layout.make.encode())
    insert(db, layout, 1)
    db.execute("SELECT pgvec.begin_adoption('store', 'docs', 'legacy')")
    run_steps(db, "adoption_steps")
    with pytest.raises(psycopg.Error) as refused:
        db.execute(statement.encode())
    assert refused.value.sqlstate == code


def test_a_prepared_statement_that_returns_vectors_is_prepared_again(db, connect):
    layout = Layout("", f"CREATE TABLE store ({PLAIN})")
    db.execute(layout.make.encode())
    insert(db, layout, 1)
    application = connect()
    for query in ("SELECT * FROM store", "SELECT id, content FROM store"):
        application.execute(query.encode(), prepare=True)
    db.execute("SELECT pgvec.begin_adoption('store', 'docs', 'legacy')")
    run_steps(db, "adoption_steps")
    assert application.execute("SELECT id, content FROM store", prepare=True).fetchall()
    for _ in range(2):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change"):
            application.execute("SELECT * FROM store", prepare=True)
    assert connect().execute("SELECT * FROM store", prepare=True).fetchall()
