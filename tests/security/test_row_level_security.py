"""Nobody changes, sees or infers through one version what policies keep from him in another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.faults.test_attacks import versions
from tests.sql.helpers import one, refused, rows, told, vector, work_off
from tests.tools import Connect, abandon_keeping_leaf

Connection = psycopg.Connection[Any]

#: What the policies look at: a column of the host's, or a key of the metadata.
OWNERS = {
    "column": ("tenant = current_setting('app.tenant')", "tenant"),
    "metadata": ("metadata ->> 'tenant' = current_setting('app.tenant')", "metadata"),
    "row as a whole": (
        "to_jsonb(docs.*) ->> 'tenant' = current_setting('app.tenant')",
        "tenant",
    ),
}
STATES = [("active", "ready"), ("active", "building"), ("draining", "active")]


@pytest.fixture
def writer_role(connect: Connect) -> Iterator[str]:
    admin = connect()
    role = "w_" + one(admin, "SELECT current_database()")
    admin.execute(f"CREATE ROLE {role}".encode())
    yield role
    admin.execute(f"DROP OWNED BY {role}".encode())
    admin.execute(f"DROP ROLE {role}".encode())


def secured(db: Connection, role: str, *states: str, owner: str = "column", **options: Any) -> None:
    """Chunks a (red) and b (blue) in every version; ``role`` is a writer, held by a policy."""
    versions(db, "active", **options)
    db.execute("ALTER TABLE docs ADD COLUMN tenant text NOT NULL DEFAULT 'nobody'")
    db.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
    db.execute(f"CREATE POLICY tenants ON docs USING ({OWNERS[owner][0]})".encode())
    db.execute("SELECT pgvec.refresh_collection('docs')")
    insert(db, "a", "v1", "red text", "red")
    insert(db, "b", "v1", "blue text", "blue")
    for number, state in enumerate(states[1:], 2):
        label = f"v{number}"
        db.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
        db.execute("SELECT pgvec.plan_backfill('docs', %s)", (label,))
        work_off(db, label)
        if state == "building":
            continue
        for verb in ("build_index", "make_ready", *(["cut_over"] if state == "active" else [])):
            db.execute(f"SELECT pgvec.{verb}('docs', %s)".encode(), (label,))
    db.execute(f"SELECT pgvec.grant_write('docs', '{role}')".encode())


def insert(db: Connection, word: str, version: str, text: str, tenant: str) -> None:
    statement, *values = insertion(word, version, text, tenant)
    db.execute(statement.encode(), values)


def insertion(word: str, version: str, text: str, tenant: str) -> tuple[str, ...]:
    """A statement and its values, as ``refused`` takes them."""
    return (
        "INSERT INTO docs (chunk_id, model_version, content, embedding, tenant, metadata)"
        " VALUES (md5(%s)::uuid, %s, %s, %s, %s, jsonb_build_object('tenant', %s::text))"
        " RETURNING 1",
        *(word, version, text, vector(text, version), tenant, tenant),
    )


def become(db: Connection, role: str, tenant: str) -> None:
    db.execute(f"SET ROLE {role}".encode())
    db.execute("SELECT set_config('app.tenant', %s, false)", (tenant,))


def world(db: Connection) -> list[tuple[Any, ...]]:
    return rows(
        db,
        "SELECT chunk_id, model_version, content, tenant, metadata, embedding::text FROM docs"
        " ORDER BY 1, 2",
    )


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("text", ["red text", "mine now"])
def test_a_foreign_chunk_is_not_taken_over_through_a_version_that_lacks_it(
    connect: Connect, writer_role: str, states: tuple[str, ...], text: str, owner: str
) -> None:
    db, thief = connect(), connect()
    secured(db, writer_role, *states, owner=owner)
    # A chunk that v2 does not hold yet, and the same in the other direction.
    insert(db, "c", "v1", "red text", "red")
    insert(db, "d", "v2", "red text", "red")
    before = world(db)
    become(thief, writer_role, "blue")
    for word, version in (("c", "v2"), ("d", "v1")):
        said = refused(thief, "42501", *insertion(word, version, text, "blue"))
        # It says what a taken primary key says, whatever the text was.
        assert "red" not in said.message + said.hint
        # And with the policy's own refusal, nothing is learned of what is not there.
        refused(thief, "42501", *insertion("new", version, text, "red"))
    thief.execute("DELETE FROM docs")
    thief.execute("UPDATE docs SET content = content")
    assert [row for row in world(db) if row[3] == "red"] == [r for r in before if r[3] == "red"]
    assert work_off(db, "v1", "v2") > 0
    assert {row[2:4] for row in world(db) if row[3] == "red"} == {("red text", "red")}


def test_rows_written_since_the_cut_over_are_not_deleted_through_a_version_that_stopped_following(
    connect: Connect, writer_role: str
) -> None:
    db, thief = connect(), connect()
    secured(db, writer_role, "draining", "active", follow_while_draining=False)
    insert(db, "c", "v2", "red text", "red")
    before = world(db)
    become(thief, writer_role, "blue")
    refused(thief, "42501", *insertion("c", "v1", "x", "blue"))
    thief.execute("DELETE FROM docs WHERE tenant = 'red'")
    assert world(db) == before
    thief.execute("DELETE FROM docs")
    assert [row for row in world(db) if row[3] == "red"] == [r for r in before if r[3] == "red"]


@pytest.mark.parametrize("text", ["blue text", "red text"])
def test_two_owners_who_take_one_id_at_the_same_moment_keep_what_they_wrote(
    connect: Connect, writer_role: str, text: str
) -> None:
    db, red, blue = connect(), connect(), connect()
    secured(db, writer_role, "active", "ready")
    with red.transaction():
        insert(red, "c", "v1", "red text", "red")
        insert(blue, "c", "v2", text, "blue")
    before = world(db)
    work_off(db, "v1", "v2")
    assert world(db) == before
    problems = one(db, "SELECT pgvec.ready_problems('docs', 'v2')")
    assert problems["set_aside"] == 1
    said = rows(db, "SELECT last_error FROM pgvec.work_item WHERE lo = hi")
    assert len(said) == 2
    assert all("different owners" in error for (error,) in said)
    # Neither of them can end it, an operator can.
    become(blue, writer_role, "blue")
    refused(blue, "42501", "DELETE FROM docs WHERE chunk_id = md5('c')::uuid RETURNING 1")


def test_a_delete_takes_no_row_of_another_owner_that_it_could_not_see(
    connect: Connect, writer_role: str
) -> None:
    db, red, blue = connect(), connect(), connect()
    secured(db, writer_role, "active", "ready")
    become(blue, writer_role, "blue")
    with red.transaction():
        insert(red, "c", "v2", "red text", "red")
        insert(blue, "c", "v1", "mine", "blue")
        blue.execute("DELETE FROM docs WHERE content = 'mine'")
    before = world(db)
    work_off(db, "v1", "v2")
    assert world(db) == before
    # And it is not forgotten that the versions differ.
    assert one(db, "SELECT pgvec.ready_problems('docs', 'v2')")["surplus"] == 1


def test_a_delete_spares_the_former_owners_row_in_a_version_that_stopped_following(
    connect: Connect, writer_role: str
) -> None:
    db, writer = connect(), connect()
    secured(db, writer_role, "draining", "active", follow_while_draining=False)
    red = "chunk_id = md5('a')::uuid"
    db.execute(f"UPDATE docs SET tenant = 'blue' WHERE model_version = 'v2' AND {red}".encode())
    become(writer, writer_role, "blue")
    writer.execute(f"DELETE FROM docs WHERE model_version = 'v2' AND {red}".encode())
    assert rows(db, f"SELECT model_version, tenant FROM docs WHERE {red}") == [("v1", "red")]


@pytest.mark.parametrize("owner", OWNERS)
def test_the_writers_own_chunks_are_followed_as_ever(
    connect: Connect, writer_role: str, owner: str
) -> None:
    db, writer = connect(), connect()
    secured(db, writer_role, "active", "ready", owner=owner)
    become(writer, writer_role, "blue")
    insert(writer, "c", "v1", "new", "blue")
    writer.execute(
        "UPDATE docs SET content = 'edited', embedding = %s"
        " WHERE model_version = 'v1' AND content = 'blue text'",
        (vector("edited", "v1"),),
    )
    work_off(db, "v2")
    writer.execute("UPDATE docs SET position = 3 WHERE content = 'edited'")
    writer.execute("DELETE FROM docs WHERE content = 'new' AND model_version = 'v2'")
    work_off(db, "v1", "v2")
    for label in ("v1", "v2"):
        assert rows(
            db,
            "SELECT content, position FROM docs WHERE model_version = %s ORDER BY 1",
            label,
        ) == [("edited", 3), ("red text", None)]


@pytest.mark.parametrize("manner", ["at once", "with a text that waits", "while a row is held"])
@pytest.mark.parametrize("owner", ["column", "metadata"])
def test_a_change_of_owner_reaches_every_version_and_the_new_owner_goes_on(
    connect: Connect, writer_role: str, owner: str, manner: str
) -> None:
    db, writer, holder = connect(), connect(), connect()
    secured(db, writer_role, "active", "ready", owner=owner)
    give = "UPDATE docs SET tenant = 'blue', metadata = '{\"tenant\": \"blue\"}'"
    held = "WHERE model_version = 'v1' AND chunk_id = md5('a')::uuid"
    with holder.transaction():
        if manner == "while a row is held":
            holder.execute("SELECT FROM docs WHERE model_version = 'v2' FOR UPDATE")
        if manner == "with a text that waits":
            db.execute(
                f"{give}, content = 'given', embedding = %s {held}".encode(),
                (vector("given", "v1"),),
            )
        else:
            db.execute(f"{give} {held}".encode())
        become(writer, writer_role, "blue")
        writer.execute(f"UPDATE docs SET position = 7 {held}".encode())
    work_off(db, "v1", "v2")
    assert rows(db, "SELECT * FROM pgvec.work_item") == []
    text = "given" if manner == "with a text that waits" else "red text"
    assert (
        rows(db, "SELECT content, tenant, position FROM docs WHERE chunk_id = md5('a')::uuid")
        == [(text, "blue", 7)] * 2
    )


def test_an_insert_does_not_stand_in_for_an_update_that_policies_forbid(
    connect: Connect, writer_role: str
) -> None:
    db, writer = connect(), connect()
    secured(db, writer_role, "draining", "active")
    db.execute("DROP POLICY tenants ON docs")
    for command, clause in (("SELECT", "USING (true)"), ("INSERT", "WITH CHECK (true)")):
        db.execute(f"CREATE POLICY p_{command} ON docs FOR {command} {clause}".encode())
    db.execute("CREATE POLICY mine ON docs FOR UPDATE USING (tenant = 'nobody')")
    db.execute("SELECT pgvec.refresh_collection('docs')")
    insert(db, "c", "v1", "red text", "red")
    before = world(db)
    become(writer, writer_role, "red")
    refused(writer, "42501", *insertion("c", "v2", "changed", "red"))
    work_off(db, "v2")
    assert {row[2] for row in world(db)} == {row[2] for row in before}


def test_policies_that_look_at_the_version_are_never_got_round(
    connect: Connect, writer_role: str
) -> None:
    db, writer = connect(), connect()
    secured(db, writer_role, "draining", "active")
    db.execute("DROP POLICY tenants ON docs")
    db.execute("CREATE POLICY new ON docs USING (model_version = 'v2')")
    db.execute("SELECT pgvec.refresh_collection('docs')")
    before = world(db)
    become(writer, writer_role, "red")
    # A change of v2's row would be one of v1's too, which is kept from him.
    refused(writer, "42501", "UPDATE docs SET position = 1 RETURNING 1")
    refused(writer, "42501", "DELETE FROM docs RETURNING 1")
    assert world(db) == before
    insert(writer, "z", "v2", "new", "red")


# --- The policies of leaves are those of the chunk table, or nothing is read ---

CHANGES = {
    "altered": "ALTER POLICY tenants ON docs USING (tenant = 'red')",
    "replaced by one of the same name": (
        "DROP POLICY tenants ON docs; CREATE POLICY tenants ON docs USING (tenant = 'red')"
    ),
    "added": "CREATE POLICY more ON docs AS RESTRICTIVE USING (content <> 'blue text')",
    "dropped": "DROP POLICY tenants ON docs",
    "for others": "ALTER POLICY tenants ON docs TO pg_monitor",
    "with another check": "ALTER POLICY tenants ON docs WITH CHECK (tenant = 'red')",
    "renamed": "ALTER POLICY tenants ON docs RENAME TO other",
    "switched off": "ALTER TABLE docs DISABLE ROW LEVEL SECURITY",
    "forced": "ALTER TABLE docs FORCE ROW LEVEL SECURITY",
    "of a leaf": "DROP POLICY tenants ON pgvec_leaves.docs__v2",
    "of a leaf, switched off": "ALTER TABLE pgvec_leaves.docs__v2 DISABLE ROW LEVEL SECURITY",
}
READS = (
    "SELECT content FROM active_docs",
    "SELECT content FROM docs_at_v2",
    "SELECT content FROM pgvec.nearest('docs', '[1,1,1,1,1,1,1,1]', 'v2')",
)


LEAF_READS = (*READS, "SELECT content FROM pgvec_leaves.docs__v2")


def by_no_superuser(db: Connection) -> None:
    """The catalog as somebody installs it who may create no event trigger."""
    for trigger in ("pgvec_policies", "pgvec_policies_dropped"):
        db.execute(f"DROP EVENT TRIGGER {trigger}".encode())


def ready_to_read(db: Connection, reader: Connection, role: str) -> None:
    secured(db, role, "draining", "active")
    db.execute(f"SELECT pgvec.grant_read('docs', '{role}')".encode())
    become(reader, role, "blue")
    for session in (db, reader):
        session.execute("SET pgvec.query_version.docs = 'v2'")
    for read in LEAF_READS:
        assert rows(reader, read) == [("blue text",)], read


def seen_after(change: str) -> list[tuple[str]] | int:
    """What a tenant of blue sees when the change holds; how many rows, where it is all of them."""
    if change in ("altered", "replaced by one of the same name"):
        return [("red text",)]
    if change in ("added", "dropped", "for others"):
        return []
    return 2 if change == "switched off" else [("blue text",)]


@pytest.mark.parametrize("change", [name for name in CHANGES if "leaf" not in name])
def test_a_policy_that_changes_holds_on_leaves_and_views_at_once(
    connect: Connect, writer_role: str, change: str
) -> None:
    db, reader = connect(), connect()
    ready_to_read(db, reader, writer_role)
    db.execute(CHANGES[change].encode())
    expected = seen_after(change)
    for read in LEAF_READS:
        found = rows(reader, read)
        assert (len(found) if isinstance(expected, int) else found) == expected, read


@pytest.mark.parametrize("change", CHANGES)
def test_without_an_event_trigger_nothing_is_read_until_the_policy_holds(
    connect: Connect, writer_role: str, change: str
) -> None:
    db, reader = connect(), connect()
    by_no_superuser(db)
    ready_to_read(db, reader, writer_role)
    db.execute(CHANGES[change].encode())
    for read in READS:
        if change == "forced":
            # That is for the owner: it changes nothing for the others.
            assert rows(reader, read) == [("blue text",)]
            continue
        if change == "of a leaf" and "nearest" not in read:
            # PostgreSQL itself denies everything: 18 need not ask us then, 16 asks us first.
            try:
                assert rows(reader, read) == []
            except psycopg.Error as error:
                told(error, "PV051")
            continue
        said = refused(reader, "PV051", read)
        assert "refresh_collection" in said.hint
        # Whom no policy holds reads on, and is shown no more than he may see.
        assert len(rows(db, read)) == 2
    db.execute("SELECT pgvec.refresh_collection('docs')")
    expected = seen_after(change)
    for read in LEAF_READS:
        found = rows(reader, read)
        assert (len(found) if isinstance(expected, int) else found) == expected, read


def test_other_peoples_ddl_is_none_of_our_business(connect: Connect, writer_role: str) -> None:
    db, other = connect(), connect()
    secured(db, writer_role, "draining", "active")
    db.execute(f"GRANT CREATE ON SCHEMA public TO {writer_role}".encode())
    other.execute(f"SET ROLE {writer_role}".encode())
    other.execute("CREATE TABLE mine (a int); ALTER TABLE mine ENABLE ROW LEVEL SECURITY")
    other.execute("CREATE POLICY p ON mine USING (true); ALTER POLICY p ON mine USING (false)")
    other.execute("DROP POLICY p ON mine; ALTER TABLE mine ADD COLUMN b int; DROP TABLE mine")


@pytest.mark.parametrize("verb", ["cut_over", "roll_back"])
def test_no_version_becomes_active_with_other_policies(
    connect: Connect, writer_role: str, verb: str
) -> None:
    db = connect()
    by_no_superuser(db)
    secured(db, writer_role, *(("active", "ready") if verb == "cut_over" else STATES[2]))
    db.execute("ALTER POLICY tenants ON docs USING (tenant = 'red')")
    call = (
        "SELECT pgvec.cut_over('docs', 'v2')"
        if verb == "cut_over"
        else "SELECT pgvec.roll_back('docs')"
    )
    active = one(db, "SELECT pgvec.active_version('docs')")
    with pytest.raises(psycopg.Error) as caught:
        db.execute(call.encode())
    told(caught.value, "PV051")
    assert one(db, "SELECT pgvec.active_version('docs')") == active
    db.execute("SELECT pgvec.refresh_collection('docs')")
    db.execute(call.encode())


def test_without_policies_nobody_is_asked(tx: Connection) -> None:
    """The check costs nothing where row-level security is off, also with policies that sleep."""
    versions(tx, "active", words="a")
    tx.execute("CREATE POLICY asleep ON docs USING (false)")
    tx.execute("SET LOCAL pgvec.query_version.docs = 'v1'")
    assert rows(tx, "SELECT content FROM active_docs") == [("a",)]


def test_a_policy_that_changes_after_a_refresh_in_the_same_transaction_is_noticed(
    connect: Connect, writer_role: str
) -> None:
    db, reader = connect(), connect()
    by_no_superuser(db)
    ready_to_read(db, reader, writer_role)
    with db.transaction():
        db.execute("ALTER POLICY tenants ON docs USING (tenant = 'blue')")
        db.execute("SELECT pgvec.refresh_collection('docs')")
        db.execute("ALTER POLICY tenants ON docs USING (tenant = 'red')")
    for read in READS:
        refused(reader, "PV051", read)


def test_equal_policies_that_were_made_anew_are_read_through(
    connect: Connect, writer_role: str
) -> None:
    """As after a dump and restore: every row of pg_policy is another one."""
    db, reader = connect(), connect()
    by_no_superuser(db)
    ready_to_read(db, reader, writer_role)
    for table in ("docs", "pgvec_leaves.docs__v2"):
        db.execute(f"ALTER POLICY tenants ON {table} RENAME TO other".encode())
        db.execute(f"ALTER POLICY other ON {table} RENAME TO tenants".encode())
    for read in READS:
        assert rows(reader, read) == [("blue text",)]


@pytest.mark.parametrize("statement", ["DELETE FROM docs", "UPDATE docs SET position = 1"])
def test_who_owned_a_row_of_an_abandoned_version_stops_nobody(
    connect: Connect, writer_role: str, statement: str
) -> None:
    db, writer = connect(), connect()
    secured(db, writer_role, "active", "ready")
    abandon_keeping_leaf(db, "docs", "v2")
    red = "chunk_id = md5('a')::uuid"
    db.execute(f"UPDATE docs SET tenant = 'blue' WHERE {red}".encode())
    become(writer, writer_role, "red")
    writer.execute(statement.encode())
    assert rows(db, f"SELECT tenant, position FROM docs WHERE {red} AND model_version = 'v1'") == [
        ("blue", None)
    ]
