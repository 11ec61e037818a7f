"""Programs of other libraries, unchanged, before, during and after an adoption and an upgrade."""

from __future__ import annotations

import pytest

from pgvec_versions import Transition
from pgvec_versions.adoption.in_place import Adoption
from pgvec_versions.errors import InvalidArgument
from tests.adoption.libraries import FOLDER, IN_PLACE, REFUSED, Failed, running
from tests.tools import TinyEmbedder

pytestmark = [
    pytest.mark.skipif(
        not FOLDER,
        reason="the libraries are not tried: set PGVEC_TEST_LIBRARIES to a folder for them",
    ),
    pytest.mark.timeout(900),
]
in_place = pytest.mark.parametrize("library", IN_PLACE, ids=lambda library: library.program)
refused = pytest.mark.parametrize("library", REFUSED, ids=lambda library: library.program)

OLD, NEW = TinyEmbedder("old", 8), TinyEmbedder("new", 12)

#: asyncpg's word and PostgreSQL's own for a prepared statement that returned vectors of a length.
STALE = ("cached statement plan is invalid", "cached plan must not change result type")


class Use:
    """Uses the store as an application does, and checks each answer against what it wrote."""

    def __init__(self, program):
        self.program = program
        self.texts: dict[str, str] = {}
        self.round = 0
        self.stale = 0

    def order(self, *order):
        """Gives an order, and once more if the program's connection must prepare it again."""
        try:
            return self.program(*order)
        except Failed as failed:
            if not any(word in str(failed) for word in STALE):
                raise
            self.stale += 1
            return self.program(*order)

    def write(self, texts):
        self.order("write", texts)
        self.texts.update(texts)

    def go_round(self, program=None):
        """A new document, a new text for an old one, a delete; then every kind of read."""
        if program is not None:
            self.program = program
        self.round += 1
        self.write({f"added {self.round}": f"new text {self.round}"})
        self.write({f"doc {self.round}": f"edited in round {self.round}"})
        gone = f"doc {100 - self.round}"
        self.order("delete", [gone])
        del self.texts[gone]
        self.check(gone)

    def check(self, gone="never there"):
        assert self.order("read", gone) == []
        for key in (f"doc {self.round}", f"added {self.round}", "doc 50"):
            assert self.order("read", key) == [self.texts[key]]
        for asked in ("new text 1", "something else", f"edited in round {self.round}"):
            query = OLD.vector(asked)
            nearest = sorted(self.texts, key=lambda key: -(query @ OLD.vector(self.texts[key])))
            assert self.order("search", asked, 5) == nearest[:5]


@pytest.fixture
def program(library, database):
    with running(library, database) as started:
        yield started


@pytest.fixture
def use(program):
    using = Use(program)
    using.write({f"doc {number}": f"text {number}" for number in range(101)})
    for _ in range(8):  # long enough for drivers to prepare their statements
        using.go_round()
    return using


@in_place
def test_a_program_goes_on_through_adoption_and_upgrade(library, database, db, use):
    adoption = Adoption(database, "docs")
    adoption.begin(library.table, "legacy", embedder=OLD)
    while left := adoption.steps():
        adoption._do(left[0], None)
        use.go_round()
    transition = Transition(database, "docs", "new", NEW)
    for verb in ("begin", "backfill", "build_index", "catch_up", "prepare", "cut_over"):
        getattr(transition, verb)()
        use.go_round()
    transition.catch_up()
    assert transition.missing() == 0
    own = db.execute(
        "SELECT string_agg(format('c.%I::text', attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'docs'::regclass AND attnum > 0 AND NOT attisdropped AND attname"
        " <> ALL ('{model_version,embedding,written_at,turn}')"
    ).fetchone()[0]
    differing = db.execute(
        f"SELECT * FROM (SELECT c.model_version, ROW({own}) AS row, count(*) OVER (PARTITION BY"
        f" ROW({own})) AS copies FROM docs c) c WHERE copies <> 2".encode()
    ).fetchall()
    assert differing == []


@in_place
def test_a_program_that_starts_again(library, database, use):
    adoption = Adoption(database, "docs")
    adoption.begin(library.table, "legacy", embedder=OLD)
    adoption.run()
    with running(library, database) as again:
        use.go_round(again)


@in_place
def test_the_way_back(library, database, db, use):
    adoption = Adoption(database, "docs")
    adoption.begin(library.table, "legacy", embedder=OLD)
    adoption.run()
    use.go_round()
    adoption.undo()
    use.go_round()
    with running(library, database) as again:
        use.go_round(again)


@in_place
def test_after_the_retirement_it_fails_loudly(library, database, db, use):
    adoption = Adoption(database, "docs")
    adoption.begin(library.table, "legacy", embedder=OLD)
    adoption.run()
    Transition(database, "docs", "new", NEW).run(cut_over=True)
    db.execute("UPDATE pgvec.model_version SET retire_at = now() WHERE state = 'draining'")
    db.execute("SELECT pgvec.set_retirement('docs', read_window => '0')")
    db.execute("CALL pgvec.retire_due()")
    with pytest.raises(Failed):
        use.program("search", "text 1", 5)
    with pytest.raises(Failed):
        use.program("write", {"late": "late"})


@refused
def test_a_program_that_needs_a_table_keeps_it(library, database, use):
    with pytest.raises(InvalidArgument, match="which would not find it again"):
        Adoption(database, "docs").begin(library.table, "legacy", embedder=OLD)
    with running(library, database) as again:
        use.go_round(again)
    assert use.stale == 0
