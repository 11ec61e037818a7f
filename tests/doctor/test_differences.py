"""The doctor finds versions that differ, and its advice works: the finding is gone afterwards."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

from pgvec_versions.doctor import Finding, examine
from pgvec_versions.upgrade.transition import Transition
from pgvec_versions.upgrade.worker import Worker
from pgvec_versions.values import Chunk
from tests.db.helpers import execute, open_store, texts
from tests.end_states import same
from tests.tools import TinyEmbedder

EMBEDDERS = {"v1": TinyEmbedder(), "v2": TinyEmbedder("b")}
FIRST = "content = 'text 001'"
COMMAND = re.compile(r"(?:SELECT|DELETE|UPDATE|ALTER) [^;]*;|pgvec worker --drain")
#: What somebody did in the leaf of one version, where no statement trigger sees it.
HARM = {
    "deleted": "DELETE FROM {leaf} WHERE " + FIRST,
    "edited": "UPDATE {leaf} SET content = 'edited' WHERE " + FIRST,
    "metadata": "UPDATE {leaf} SET metadata = '{{\"a\": 1}}' WHERE " + FIRST,
    "document": "UPDATE {leaf} SET document_id = 'moved' WHERE " + FIRST,
    "added": "INSERT INTO {leaf} (model_version, content, embedding)"
    " SELECT model_version, 'added', '[1,0,0,0,0,0,0,0]' FROM {leaf} WHERE " + FIRST,
}


def around(engine: Engine, statement: str) -> None:
    execute(
        engine, f"DO $$ BEGIN SET LOCAL session_replication_role = replica; {statement}; END $$"
    )


def findings(engine: Engine) -> list[Finding]:
    """What is wrong with the versions; texts and vectors are looked at by other tests."""
    found = examine(engine, sample=0)
    return [f for f in found if f.level != "ok" and f.what.startswith("docs/")]


def follow(engine: Engine, to_do: str, *, first: bool = True) -> None:
    """Does what the advice says: its commands in their order, of one of the ways that it names."""
    ways = re.split(r"If [^:]*: ", to_do)
    chosen = ways[0] if len(ways) == 1 else ways[1 if first else 2]
    done = 0
    for command in COMMAND.findall(chosen):
        if command.startswith("pgvec worker"):
            Worker(engine, "docs", EMBEDDERS).drain()
        else:
            execute(engine, command.replace("%", "%%"))
        done += 1
    assert done, to_do


@pytest.fixture(params=["building", "ready", "draining"])
def versions(request: pytest.FixtureRequest, engine: Engine) -> tuple[str, str]:
    """The active version and the other one, which is in the state of the parameter."""
    open_store(engine, EMBEDDERS["v1"], texts(6))
    upgrade = Transition(engine, "docs", "v2", EMBEDDERS["v2"])
    if request.param == "building":
        upgrade.begin()
        upgrade.backfill()
        upgrade.build_index()
    else:
        upgrade.run(cut_over=request.param == "draining")
    assert findings(engine) == []
    return ("v2", "v1") if request.param == "draining" else ("v1", "v2")


@pytest.mark.parametrize("where", ["active", "other"])
@pytest.mark.parametrize("harm", HARM)
def test_every_difference_is_found_and_its_advice_works(
    engine: Engine, versions: tuple[str, str], harm: str, where: str
) -> None:
    active, other = versions
    version = active if where == "active" else other
    around(engine, HARM[harm].format(leaf=f"pgvec_leaves.docs__{version}"))
    (found,) = findings(engine)
    assert found.evidence.startswith("1 chunks")
    assert (found.level == "problem") or (found.what == "docs/v2" and "lacks" in found.evidence)
    follow(engine, found.to_do)
    assert findings(engine) == []
    with engine.connect() as connection:
        same(connection.connection.driver_connection)  # type: ignore[arg-type]


def test_the_other_way_out_of_a_lost_chunk_deletes_it_everywhere(
    engine: Engine, versions: tuple[str, str]
) -> None:
    active, _ = versions
    around(engine, f"DELETE FROM pgvec_leaves.docs__{active} WHERE {FIRST}")
    (found,) = findings(engine)
    follow(engine, found.to_do, first=False)
    assert findings(engine) == []
    assert execute(engine, f"SELECT count(*) FROM docs WHERE {FIRST}") == [(0,)]


def test_what_the_active_version_lacks_is_a_problem_also_while_it_is_on_its_way(
    engine: Engine,
) -> None:
    store = open_store(engine, EMBEDDERS["v1"], texts(3))
    Transition(engine, "docs", "v2", EMBEDDERS["v2"]).run(cut_over=True)
    store.add([Chunk("late", "late", 0)], version="v1")
    (found,) = findings(engine)
    assert (found.level, found.what) == ("problem", "docs/v2")
    assert "missing or stale" in found.evidence
    follow(engine, found.to_do)
    assert findings(engine) == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("ALTER TABLE docs DISABLE TRIGGER USER", "disabled"),
        ("ALTER TABLE docs DISABLE TRIGGER pgvec_follow_delete", "disabled"),
        ("ALTER TABLE docs ENABLE REPLICA TRIGGER pgvec_follow_insert", "disabled"),
        ("ALTER TABLE pgvec_leaves.docs__v1 DISABLE TRIGGER USER", "disabled"),
        ("DROP TRIGGER pgvec_follow_update ON docs", "dropped"),
        ("DROP TRIGGER pgvec_check_update ON docs", "dropped"),
        ("DROP TRIGGER pgvec_refuse_truncate ON pgvec_leaves.docs__v1", "dropped"),
    ],
)
def test_a_trigger_that_does_not_fire_is_found_and_the_advice_works(
    engine: Engine, harm: str, words: str
) -> None:
    open_store(engine, EMBEDDERS["v1"], texts(3))
    execute(engine, harm)
    (found,) = findings(engine)
    assert words in found.evidence
    follow(engine, found.to_do)
    assert findings(engine) == []


def test_a_trigger_of_your_own_may_be_disabled(engine: Engine) -> None:
    open_store(engine, EMBEDDERS["v1"], texts(3))
    execute(
        engine,
        "CREATE TRIGGER mine BEFORE UPDATE ON docs FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger();"
        " ALTER TABLE docs DISABLE TRIGGER mine",
    )
    assert findings(engine) == []


def test_a_sequence_that_is_behind_its_rows_is_found(engine: Engine) -> None:
    """As after logical replication, which does not carry sequences."""
    open_store(engine, EMBEDDERS["v1"], texts(3))
    execute(engine, "SELECT setval('pgvec.turn', 1)")
    (found,) = findings(engine)
    assert "never drawn" in found.evidence
    follow(engine, found.to_do)
    assert findings(engine) == []


def test_a_chunk_that_a_restore_brought_back_is_found_in_both_directions(engine: Engine) -> None:
    open_store(engine, EMBEDDERS["v1"], texts(3))
    Transition(engine, "docs", "v2", EMBEDDERS["v2"]).run()
    execute(engine, "CREATE TABLE kept AS SELECT * FROM docs WHERE " + FIRST)
    execute(engine, "DELETE FROM docs WHERE " + FIRST)
    around(engine, "INSERT INTO docs SELECT * FROM kept")
    found = findings(engine)
    assert sorted(f.what for f in found) == ["docs/v1", "docs/v2"]
    assert all("deleted later" in f.evidence for f in found)
    follow(engine, next(f.to_do for f in found if f.what == "docs/v1"), first=False)
    follow(engine, next(f.to_do for f in found if f.what == "docs/v2"))
    assert findings(engine) == []
    assert execute(engine, "SELECT count(*) FROM docs") == [(4,)]
