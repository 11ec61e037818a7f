"""A dry run says 'in the way' exactly when the verb is refused, and for the verb's own reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgvec_versions.states import State
from tests.effort import effort
from tests.sql.helpers import Connection, leaf, one, put, refused, rows, second_version, world
from tests.sql.states import break_index, bring
from tests.sql.test_forced_policies import owned  # noqa: F401
from tests.tools import live_collection, make_active

EVERY_VERB = {
    "drop_collection": "SELECT pgvec.drop_collection('docs')",
    "register_version": "SELECT pgvec.register_version('docs', 'v2', 8)",
    "plan_backfill": "SELECT pgvec.plan_backfill('docs', 'v2')",
    "build_index": "SELECT pgvec.build_index('docs', 'v2')",
    "make_ready": "SELECT pgvec.make_ready('docs', 'v2')",
    "cut_over": "SELECT pgvec.cut_over('docs', 'v2', '1 s', 1)",
    "roll_back": "SELECT pgvec.roll_back('docs', NULL, '1 s', 1)",
    "abandon": "SELECT pgvec.abandon('docs', 'v2')",
    "pause": "SELECT pgvec.pause('docs', 'v2')",
    "resume": "SELECT pgvec.resume('docs', 'v2')",
    "retry_set_aside": "SELECT pgvec.retry_set_aside('docs', 'v2')",
}
RETIRE = "SELECT pgvec.retire_version('docs', 'v2')"


@dataclass(frozen=True)
class DryRun:
    """What a dry run says: texts, and the codes that the verb would raise."""

    does: list[str]
    ways: list[str]
    codes: list[str | None]


def dry_run(
    db: Connection, verb: str, collection: str | None, version: str | None = None, **arguments: Any
) -> DryRun:
    """A name that is wrong is raised by the dry run as by the verb."""
    asked = (verb, collection, version, json.dumps(arguments))
    call = "(%s, %s, %s, arguments => %s)"
    try:
        with db.transaction():
            said = rows(db, f"SELECT kind, what FROM pgvec.preview{call}", *asked)
            codes = rows(db, f"SELECT code FROM pgvec.refusals{call}", *asked)
    except psycopg.Error as error:
        return DryRun([], [str(error)], [error.sqlstate])
    return DryRun(
        [what for kind, what in said if kind == "does"],
        [what for kind, what in said if kind == "in the way"],
        [code for (code,) in codes],
    )


def raised(db: Connection, statement: str, *params: Any) -> str | None:
    """The code that a verb is refused with, if it is. Whatever it did is undone."""
    try:
        with db.transaction(force_rollback=True):
            db.execute(statement.encode(), params or None)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def assert_agrees(said: DryRun, code: str | None, about: object) -> None:
    assert (said.codes[0] if said.codes else None) == code, (about, said)
    assert bool(said.ways) == (code is not None), (about, said)


# --- Situations ---


def item(source: str, target: str, set_aside: str = "NULL") -> str:
    return (
        "INSERT INTO pgvec.work_item (collection, source_version, model_version, lo, hi,"
        f" set_aside_at) SELECT 'docs', '{source}', '{target}', i, i, {set_aside}"
        f" FROM CAST(md5('{set_aside}')::uuid AS text) i"
    )


def of_v2(change: str, where: str = "true") -> str:
    return f"UPDATE pgvec.model_version SET {change} WHERE model_version = 'v2' AND {where}"


def without_an_active_version(db: Connection) -> None:
    db.execute(
        "UPDATE pgvec.model_version SET state = 'draining', draining_at = now(),"
        " retire_at = now() + '1 day' WHERE state = 'active'"
    )


def without_index(db: Connection) -> None:
    db.execute(f"DROP INDEX IF EXISTS {leaf(db, 'v2')}_hnsw".encode())


def on_the_pinned_view(db: Connection) -> None:
    if one(db, "SELECT to_regclass('docs_at_v2') IS NOT NULL"):
        db.execute("CREATE VIEW of_v2 AS SELECT content FROM docs_at_v2")


def with_its_leaf(statement: str) -> Callable[[Connection], object]:
    def change(db: Connection) -> None:
        if one(db, "SELECT to_regclass(%s) IS NOT NULL", leaf(db, "v2")):
            db.execute(statement.format(leaf(db, "v2")).encode())

    return change


def _statement(text: str) -> Callable[[Connection], object]:
    return lambda db: db.execute(text.encode())


#: Each makes of any situation another one. The order is that in which several are made.
TWISTS: dict[str, Callable[[Connection], object]] = {
    "nothing active": without_an_active_version,
    "paused": _statement(of_v2("paused_at = now()")),
    "held": _statement(
        "INSERT INTO pgvec.retirement_hold (collection, model_version, reason)"
        " VALUES ('docs', 'v2', 'for the audit')"
    ),
    "gated": _statement("SELECT pgvec.set_gate('docs', '{\"recall@10\": {\"min\": 0.9}}')"),
    "open item": _statement(item("v1", "v2")),
    "set aside": _statement(item("v1", "v2", "now()")),
    "open item of v1": _statement(item("v2", "v1")),
    "no index": without_index,
    "chunk missing": with_its_leaf("DELETE FROM {} WHERE content = 'text 3'"),
    "check dropped": with_its_leaf("ALTER TABLE {} DROP CONSTRAINT IF EXISTS pgvec_version"),
    "stopped following": _statement(of_v2("follows = false", "state = 'draining'")),
    "due": _statement(of_v2("retire_at = now() - '1 s'::interval", "retire_at IS NOT NULL")),
    "archived": _statement("SELECT pgvec.set_retirement('docs', 'archive')"),
    "exported": _statement("SELECT pgvec.set_retirement('docs', 'export')"),
    "view of the host's": _statement("CREATE VIEW mine AS SELECT content FROM active_docs"),
    "view on the pinned one": on_the_pinned_view,
    "row type": _statement("CREATE TABLE keeps (chunk docs)"),
    "foreign key": _statement(
        "CREATE TABLE cites (c uuid, v text, FOREIGN KEY (c, v) REFERENCES docs)"
    ),
    "leaf lost": with_its_leaf("DROP TABLE {} CASCADE"),
    "table lost": _statement("ALTER TABLE docs RENAME TO elsewhere"),
}


@settings(max_examples=effort(ci=15, nightly=400))
@given(
    state=st.sampled_from(list(State)), twists=st.sets(st.sampled_from(list(TWISTS)), max_size=4)
)
def test_a_dry_run_says_in_the_way_exactly_when_the_verb_is_refused(tx, state, twists):
    with tx.transaction(force_rollback=True):
        bring(tx, state)
        for name, twist in TWISTS.items():
            if name in twists:
                twist(tx)
        assert_every_verb_agrees(tx, (state, twists))


@pytest.mark.parametrize("twist", TWISTS)
@pytest.mark.parametrize("state", State)
def test_each_situation_by_itself(tx, state, twist):
    bring(tx, state)
    TWISTS[twist](tx)
    assert_every_verb_agrees(tx, (state, twist))


def assert_every_verb_agrees(db: Connection, about: object) -> None:
    before = world(db)
    for verb, statement in EVERY_VERB.items():
        version = "v2" if "'v2'" in statement else None
        assert_agrees(dry_run(db, verb, "docs", version), raised(db, statement), (verb, about))
    said = dry_run(db, "retire_due", "docs", "v2")
    with db.transaction(force_rollback=True):
        outcome = one(db, RETIRE)
    assert bool(said.ways) == (outcome != "retired"), (outcome, about, said)
    assert bool(said.does) == (outcome == "retired"), (outcome, about, said)
    if said.ways and outcome != "rolled back":
        assert outcome in " ".join(said.ways), (outcome, about, said)
    assert world(db) == before


# --- Single rules ---


def test_a_dry_run_promises_no_drop_that_is_refused(tx):
    bring(tx, "draining")
    tx.execute("UPDATE pgvec.model_version SET retire_at = now() - '1 s'::interval"
               " WHERE state = 'draining'")  # fmt: skip
    look = "SELECT kind, what, detail FROM pgvec.preview('retire_due', %s)"
    ((kind, what, _),) = rows(tx, look, None)
    assert (kind, what.startswith("drops the pinned view and the leaf of v2")) == ("does", True)
    tx.execute("SELECT pgvec.hold_version('docs', 'v2', 'for the audit')")
    for collection in ("docs", None):
        ((kind, what, detail),) = rows(tx, look, collection)
        assert kind == "in the way", what
        assert detail["reason"] == "held"
        assert "for the audit" in what
    assert one(tx, RETIRE) == "held"


def test_a_dry_run_of_a_version_that_is_not_due_says_when_it_is(tx):
    bring(tx, "draining")
    assert rows(tx, "SELECT FROM pgvec.preview('retire_due', 'docs')") == [()]
    tx.execute("UPDATE pgvec.model_version SET retire_at = now() + '1 day'::interval"
               " WHERE state = 'draining'")  # fmt: skip
    assert rows(tx, "SELECT FROM pgvec.preview('retire_due', 'docs')") == []
    assert "in grace" in dry_run(tx, "retire_due", "docs", "v2").ways[0]


def test_a_broken_index_is_seen_by_verb_and_dry_run(tx):
    second_version(tx)
    break_index(tx, "v2")
    assert_every_verb_agrees(tx, "broken index")


def test_a_ready_version_that_would_fall_back_is_told_and_not_refused(tx):
    second_version(tx)
    put(tx, "late", "v1")
    said = dry_run(tx, "make_ready", "docs", "v2")
    assert said.ways == []
    assert "building again" in said.does[-1]
    assert one(tx, "SELECT pgvec.make_ready('docs', 'v2')") == "building"


def test_force_and_allow_missing_are_judged_too(tx):
    second_version(tx, until="active")
    put(tx, "late", "v2")
    assert dry_run(tx, "roll_back", "docs").codes == ["PV006"]
    assert dry_run(tx, "roll_back", "docs", allow_missing=True).codes == []
    tx.execute("SELECT pgvec.roll_back('docs', allow_missing => true)")
    tx.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    tx.execute("DELETE FROM pgvec.work_item")
    make_ready = ("plan_backfill", "build_index")
    for verb in make_ready:
        tx.execute(f"SELECT pgvec.{verb}('docs', 'v3')".encode())
    tx.execute("SELECT pgvec.set_gate('docs', '{\"recall@10\": {\"min\": 0.9}}')")
    assert "PV080" not in dry_run(tx, "cut_over", "docs", "v3", force=True).codes


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_old_snapshot_is_in_the_way_of_what_flips(db, isolation):
    second_version(db, until="active")
    db.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    db.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    for verb, statement in EVERY_VERB.items():
        if verb in ("cut_over", "roll_back"):
            version = "v2" if verb == "cut_over" else None
            said = dry_run(db, verb, "docs", version)
            assert_agrees(said, raised(db, statement), verb)
            assert said.codes[0] == "PV007"
    db.execute("ROLLBACK")


def test_a_build_under_way_is_in_the_way_of_a_second(db, connect):
    second_version(db, until="building")
    builder = connect(autocommit=False)
    builder.execute("SELECT pgvec.build_index('docs', 'v2')")
    said = dry_run(db, "build_index", "docs", "v2")
    assert_agrees(said, raised(db, EVERY_VERB["build_index"]), "a second build")
    assert said.codes == ["PV009"]
    builder.rollback()
    assert dry_run(db, "build_index", "docs", "v2").codes == []


# --- Names and arguments ---

CLASHES = (
    "",
    "CREATE TABLE notes (a int)",
    "CREATE VIEW active_notes AS SELECT 1 AS a",
    "CREATE SEQUENCE notes_chunk_id_seq",
    "CREATE TYPE notes AS ENUM ('a')",
    "CREATE DOMAIN active_notes AS text",
    "CREATE TYPE notes_chunk_id_seq AS ENUM ('a')",
    "SELECT pgvec.create_collection('notes')",
)
OPTIONS = (
    {},
    {"id_type": "bigint"},
    {"id_type": "text", "distance": "l2", "storage": "halfvec"},
    {"id_type": "serial"},
    {"distance": None},
    {"distance": "manhattan"},
    {"storage": "bit"},
    {"retire_after": "-1 day"},
    {"retire_after": None},
    {"retire_after": "1 day"},
)


@pytest.mark.parametrize("clash", CLASHES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_collection_that_cannot_be_created_is_said_beforehand(tx, clash, options):
    second_version(tx, count=1)
    if clash:
        tx.execute(clash.encode())
    names = ["notes", "docs", "active_docs", "docs__v2", "docs_at_v2", "Notes", "x" * 41, None]
    before = world(tx)
    for name in names:
        given_options = "".join(f", {key} => %s" for key in options)
        code = raised(
            tx, f"SELECT pgvec.create_collection(%s::text{given_options})", name, *options.values()
        )
        assert_agrees(dry_run(tx, "create_collection", name, **options), code, name)
    assert world(tx) == before


@pytest.mark.parametrize("schema", ["nowhere", None])
def test_a_schema_that_is_not_there_is_said_beforehand(tx, schema):
    said = rows(tx, "SELECT code FROM pgvec.refusals('create_collection', 'n', NULL, %s)", schema)
    assert said == [("PV007",)]
    refused(tx, "PV007", "SELECT pgvec.create_collection('n', host_schema => %s)", schema)
    look = "SELECT kind FROM pgvec.preview('create_collection', 'n', NULL, %s)"
    assert ("in the way",) in rows(tx, look, schema)


LABELS = ["v3", "v1", "v2", "", "two words", "any", "v" * 46, "v" * 47, "größe"]
VERSION_OPTIONS = (
    {"dimensions": 8},
    {"dimensions": 2000},
    {"dimensions": 2001},
    {"dimensions": 4001},
    {"dimensions": 0},
    {"dimensions": None},
    {"dimensions": 8, "m": 1, "ef_construction": 64},
    {"dimensions": 8, "m": 16, "ef_construction": 31},
    {"dimensions": 8, "m": None, "ef_construction": 64},
    {"dimensions": 8, "embedder": [1]},
    {"dimensions": 8, "embedder": {}},
)


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
@pytest.mark.parametrize("options", VERSION_OPTIONS, ids=str)
def test_a_version_that_cannot_be_registered_is_said_beforehand(tx, storage, options):
    live_collection(tx, count=0, storage=storage)
    tx.execute("SELECT pgvec.register_version('docs', 'v2', 8)")
    tx.execute("SELECT pgvec.abandon('docs', 'v2')")
    values = [json.dumps(v) if isinstance(v, list | dict) else v for v in options.values()]
    given_options = "".join(f", {key} => %s" for key in options)
    for label in LABELS:
        code = raised(
            tx, f"SELECT pgvec.register_version('docs', %s::text{given_options})", label, *values
        )
        assert_agrees(dry_run(tx, "register_version", "docs", label, **options), code, label)


def test_row_level_security_that_holds_the_owner_is_said_beforehand(owned):  # noqa: F811
    owned.execute("SELECT pgvec.create_collection('docs')")
    owned.execute("SELECT pgvec.register_version('docs', 'v1', 8)")
    make_active(owned, "docs", "v1")
    statement = "SELECT pgvec.register_version('docs', 'v2', 8)"
    assert_agrees(dry_run(owned, "register_version", "docs", "v2"), raised(owned, statement), 0)
    owned.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    owned.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    said = dry_run(owned, "register_version", "docs", "v2")
    assert_agrees(said, raised(owned, statement), "forced")
    assert said.codes == ["42501"]


@pytest.mark.parametrize("verb", [*EVERY_VERB, "retire_due"])
def test_a_name_that_is_not_there_is_told_like_the_verb_tells_it(tx, verb):
    live_collection(tx, count=0)
    for asked, code in ((("dosc", "v1"), "PV001"), (("docs", "v9"), "PV002")):
        if code == "PV001" or verb not in (
            "drop_collection", "register_version", "retry_set_aside"
        ):  # fmt: skip
            assert dry_run(tx, verb, *asked).codes == [code]


@pytest.mark.parametrize("verb", ["explode", "", None])
def test_a_dry_run_of_no_verb_is_refused(tx, verb):
    assert dry_run(tx, verb, None).codes == ["PV007"]


# --- What depends on a relation ---

DEPENDENTS = (
    "CREATE TABLE plain (a int)",
    "CREATE INDEX ON host (b)",
    "CREATE POLICY p ON host USING (b > 1)",
    "CREATE TABLE other (a int PRIMARY KEY); ALTER TABLE host ADD FOREIGN KEY (b) REFERENCES other",
    "CREATE STATISTICS s ON a, b FROM host",
    "ALTER TABLE host ADD COLUMN c bigserial",
    "ALTER TABLE host ADD FOREIGN KEY (b) REFERENCES host",
    "CREATE TABLE part (a int PRIMARY KEY, b int); ALTER TABLE part INHERIT host",
    "CREATE VIEW v AS SELECT a FROM host",
    "CREATE VIEW v AS SELECT 1 AS n WHERE EXISTS (SELECT FROM host)",
    "CREATE MATERIALIZED VIEW v AS SELECT * FROM host",
    "CREATE VIEW v AS SELECT a FROM host; CREATE VIEW w AS SELECT a FROM v",
    "CREATE TABLE k (h host)",
    "CREATE TABLE k (h host[])",
    "CREATE FUNCTION f(h host) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM host; END",
    "CREATE TABLE k (a int REFERENCES host)",
    "CREATE TABLE k (a int); CREATE POLICY p ON k USING (a IN (SELECT a FROM host))",
    "CREATE SEQUENCE s OWNED BY host.b",
)


@pytest.mark.parametrize("statement", DEPENDENTS)
def test_what_depends_on_a_relation_is_what_postgres_refuses_to_drop_it_for(tx, statement):
    tx.execute("CREATE TABLE host (a int PRIMARY KEY, b int)")
    tx.execute(statement.encode())
    found = rows(tx, "SELECT dependent FROM pgvec.host_dependents(ARRAY['host'::regclass])")
    assert raised(tx, "DROP TABLE host") == ("2BP01" if found else None), found
