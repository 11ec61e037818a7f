"""Nobody lends our functions his own: whatever stands on the caller's path, ours run theirs."""

from __future__ import annotations

import pytest

from tests.sql.helpers import one, rows
from tests.tools import live_collection

PINNED = "pg_catalog, pg_temp"


def test_every_function_pins_its_search_path(tx):
    loose = rows(
        tx,
        "SELECT p.oid::regprocedure::text FROM pg_proc p"
        " WHERE p.pronamespace IN ('pgvec'::regnamespace, 'pgvec_leaves'::regnamespace)"
        # A body that was parsed when the function was made looks up no name.
        "   AND p.prokind <> 'p' AND p.prosqlbody IS NULL"
        "   AND NOT coalesce(p.proconfig, '{}') @> ARRAY['search_path=' || %s]",
        PINNED,
    )
    assert loose == []


def test_a_procedure_that_commits_pins_it_after_each_commit(tx):
    """A procedure with SET cannot COMMIT, so each of its transactions begins with the line."""
    for name, source in rows(
        tx,
        "SELECT p.proname, p.prosrc FROM pg_proc p"
        " WHERE p.pronamespace = 'pgvec'::regnamespace AND p.prokind = 'p'",
    ):
        lines = [line.strip() for line in source.splitlines() if line.strip()]
        starts = [i for i, line in enumerate(lines) if line in ("BEGIN", "COMMIT;")]
        assert len(starts) > 1, name
        for start in starts:
            after = next(line for line in lines[start + 1 :] if not line.startswith("--"))
            if after == "END":
                continue  # the last COMMIT: nothing is looked up any more
            assert after == f"SET LOCAL search_path = {PINNED};", f"{name}: {after}"


@pytest.fixture
def trap(db):
    """A schema on everybody's path where a stranger has put functions with our words."""
    live_collection(db)
    db.execute("CREATE ROLE stranger")
    db.execute("CREATE SCHEMA stranger AUTHORIZATION stranger")
    db.execute("CREATE TABLE stranger.became (who text)")
    db.execute("GRANT INSERT ON stranger.became TO PUBLIC")
    db.execute("GRANT USAGE ON SCHEMA stranger TO PUBLIC")
    db.execute("SET ROLE stranger")
    for arguments, result in (
        ("text, text", "text"),
        ("text, regclass", "text"),
        ("text, name", "text"),
    ):
        db.execute(
            f"CREATE FUNCTION stranger.format({arguments}) RETURNS {result} LANGUAGE plpgsql AS"
            " $$BEGIN INSERT INTO stranger.became VALUES (current_user); RETURN 'x'; END$$".encode()
        )
    db.execute(
        "CREATE FUNCTION stranger.same(text, text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO stranger.became VALUES (current_user);"
        " RETURN $1 OPERATOR(pg_catalog.=) $2; END$$"
    )
    db.execute("CREATE OPERATOR stranger.= (leftarg = text, rightarg = text, function = same)")
    db.execute("RESET ROLE")
    yield db
    db.execute("DROP OWNED BY stranger CASCADE")
    db.execute("DROP ROLE stranger")


@pytest.mark.parametrize(
    "call",
    [
        "SELECT * FROM pgvec.version_status",
        "SELECT pgvec.register_version('docs', 'v9', 8)",
        "SELECT pgvec.plan_backfill('docs', 'v1')",
        "SELECT pgvec.retirement_watch()",
        "SELECT * FROM pgvec.preview('cut_over', 'docs', 'v1')",
        "CALL pgvec.retire_due()",
        "CALL pgvec.retire_due(dry_run => true)",
        "SELECT pgvec.refresh_collection('docs')",
        "SELECT pgvec.drop_collection('docs')",
    ],
)
def test_a_strangers_function_on_the_path_is_never_run(trap, call):
    # pg_catalog last: whatever is not named with its schema is looked for at the stranger's first.
    trap.execute("SET search_path = stranger, public, pg_catalog")
    trap.execute(call.encode())
    trap.execute("RESET search_path")
    assert one(trap, "SELECT count(*) FROM stranger.became") == 0
