"""An adoption from Python and the command line, while the application goes on."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from pgvec_versions import Transition
from pgvec_versions.adoption.in_place import Adoption
from pgvec_versions.doctor import examine
from pgvec_versions.errors import AlreadyExists, InvalidArgument, WrongState
from pgvec_versions.postgres.database import engine_for
from tests.tools import TinyEmbedder, literal

OLD, NEW = TinyEmbedder("old", 8), TinyEmbedder("new", 12)


def row(number: int) -> tuple[str, str]:
    text = f"text {number}"
    return text, literal(OLD.vector(text))


@pytest.fixture
def table(db):
    db.execute(
        "CREATE TABLE documents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), content text,"
        " metadata jsonb, embedding vector(8))"
    )
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO documents (content, metadata, embedding) VALUES (%s, '{}', %s)",
            [row(number) for number in range(300)],
        )
    db.execute("CREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops)")
    return db


class Application:
    """Reads and writes by the table's name, and knows nothing of versions."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stop = threading.Event()
        self.errors: list[str] = []
        self.written = 0
        self.longest = 0.0
        self.threads = [threading.Thread(target=work) for work in (self.read, self.write)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _repeat(self, statement: str, parameters) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            number = 1000
            while not self.stop.is_set():
                number += 1
                began = time.monotonic()
                try:
                    connection.execute(statement.encode(), parameters(number)).fetchall()
                except psycopg.Error as error:
                    self.errors.append(str(error))
                self.longest = max(self.longest, time.monotonic() - began)
                self.written += statement.startswith("INSERT")

    def read(self) -> None:
        self._repeat(
            "SELECT content FROM documents ORDER BY embedding <=> %s LIMIT 3", lambda n: row(7)[1:]
        )

    def write(self) -> None:
        self._repeat(
            "INSERT INTO documents (content, metadata, embedding) VALUES (%s, '{}', %s)"
            " RETURNING id",
            row,
        )


def test_the_application_goes_on_through_adoption_upgrade_and_retirement(database, table):
    adoption = Adoption(database, "docs")
    with Application(database) as application:
        mapped = adoption.begin("documents", "legacy", embedder=OLD)
        assert mapped["chunk_id"] == "id"
        steps = []
        adoption.run(steps.append)
        transition = Transition(database, "docs", "new", NEW)
        transition.prepare()
        transition.cut_over()
        transition.worker()
    assert application.errors == []
    assert {step.name for step in steps} == {"columns", "checks", "indexes", "swap"}
    count = table.execute("SELECT count(*) FROM documents").fetchone()[0]
    assert count == 300 + application.written
    Transition(database, "docs", "new", NEW).catch_up()
    assert Transition(database, "docs", "new", NEW).missing() == 0
    same = "SELECT count(DISTINCT content), count(*) FROM docs WHERE model_version = %s"
    old, new = (table.execute(same, (label,)).fetchone() for label in ("legacy", "new"))
    assert old == new


def test_every_place_to_stop_leaves_a_working_application(database, table):
    """The process ends after each step; the application works; the next process goes on."""
    done = 0
    while True:
        adoption = Adoption(database, "docs")
        adoption.begin("documents", "legacy", embedder=OLD)
        left = adoption.steps()
        if not left:
            break
        adoption._do(left[0], None)
        done += 1
        table.execute("INSERT INTO documents (content, embedding) VALUES (%s, %s)", row(done))
    assert done > 8
    assert table.execute("SELECT count(*) FROM documents").fetchone()[0] == 300 + done


def test_the_doctor_names_what_is_left(database, table):
    def said() -> list[tuple[str, str]]:
        found = examine(engine_for(database), sample=0)
        return [(f.evidence, f.to_do) for f in found if f.level != "ok" and "adopt" in f.to_do]

    adoption = Adoption(database, "docs")
    adoption.begin("documents", "legacy", embedder=OLD)
    ((begun, go_on),) = said()
    assert "not complete" in begun
    assert "pgvec adopt public.documents -c docs --label legacy" in go_on
    adoption.run()
    ((kept, finish),) = said()
    assert "documents_embedding_idx" in kept
    assert finish == "pgvec adopt -c docs --finish"
    adoption.finish()
    assert said() == []
    with pytest.raises(WrongState, match="gone"):
        adoption.undo()


def test_undo_after_an_upgrade_was_begun_says_what_to_do(database, table):
    adoption = Adoption(database, "docs")
    adoption.begin("documents", "legacy", embedder=OLD)
    adoption.run()
    transition = Transition(database, "docs", "new", NEW)
    transition.begin()
    with pytest.raises(WrongState, match="version new, building"):
        adoption.undo()
    transition.abandon()
    adoption.undo()
    kind = table.execute("SELECT relkind FROM pg_class WHERE oid = 'documents'::regclass")
    assert kind.fetchone() == ("r",)


def test_a_second_adoption_of_the_name_is_refused(database, table):
    table.execute("CREATE TABLE other (LIKE documents INCLUDING ALL)")
    adoption = Adoption(database, "docs")
    adoption.begin("documents", "legacy", embedder=OLD)
    adoption.begin("documents", "legacy", embedder=OLD)
    with pytest.raises(AlreadyExists, match=r"public\.documents"):
        adoption.begin("other", "legacy", embedder=OLD)
    with pytest.raises(AlreadyExists, match="legacy"):
        adoption.begin("documents", "other", embedder=OLD)


def test_a_table_that_is_not_there(database):
    with pytest.raises(InvalidArgument, match="no table 'nothing'"):
        Adoption(database, "docs").begin("nothing", "legacy")


def test_a_preview_changes_nothing(database, table):
    mapped, steps = Adoption(database, "docs").preview("documents", "legacy", embedder=OLD)
    assert mapped["embedding"] == "embedding"
    assert [step.name for step in steps][-1] == "swap"
    assert table.execute("SELECT count(*) FROM pgvec.adoption").fetchone() == (0,)
