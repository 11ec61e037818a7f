"""plpgsql_check reads every function of ours, branch by branch, also those that no test enters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pgvec_versions.postgres.install import install
from tests.tools import live_collection

pytestmark = pytest.mark.cron

DATABASE = "pgvec_plpgsql_check"
#: What it says and is no fault, and why.
EXPLAINED = {
    r'(relation|schema) "cron[."]': "reached only where pg_cron is in the database; here it is not",
    r"^target type is different type than source type$": "a literal as the first value of an array "
    "or of jsonb: converted once a call",
}


@pytest.fixture
def checked(cron_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A database of its own on that server, with the catalog and the extension."""
    with psycopg.connect(cron_url, autocommit=True) as admin:
        there = admin.execute(
            "SELECT FROM pg_available_extensions WHERE name = 'plpgsql_check'"
        ).fetchone()
        if there is None:
            pytest.skip(
                "the server with pg_cron was made before it brought plpgsql_check: "
                "stop it, remove its folder, start it again"
            )
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0".encode())
        url = re.sub(r"/[^/]*$", f"/{DATABASE}", cron_url)
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("CREATE EXTENSION vector; CREATE EXTENSION plpgsql_check")
            install(db)
            live_collection(db, count=1)
            yield db
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


def test_no_function_has_an_error_or_a_warning(checked: psycopg.Connection[Any]) -> None:
    checked.execute("SET search_path = public")
    found = checked.execute(
        """
        SELECT p.proname, c.level, c.sqlstate, c.lineno, c.message
          FROM pg_proc p
          JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
         CROSS JOIN LATERAL plpgsql_check_function_tb(
                    p.oid,
                    relid => CASE WHEN p.prorettype = 'trigger'::regtype
                                  THEN 'public.docs'::regclass ELSE 0::regclass END,
                    oldtable => CASE p.proname WHEN 'follow_writes' THEN 'old_rows' END,
                    newtable => CASE p.proname WHEN 'follow_writes' THEN 'new_rows' END,
                    -- Not its guesses: it takes format(%I, %L) for unclean where a text is put
                    -- together in two steps. Injection is what test_fuzz_functions.py looks for.
                    security_warnings => false, performance_warnings => false,
                    extra_warnings => false) c
         WHERE p.pronamespace = 'pgvec'::regnamespace
         ORDER BY 1, 4
        """
    ).fetchall()
    unexplained = [row for row in found if not any(re.search(words, row[4]) for words in EXPLAINED)]
    assert unexplained == []


def test_it_finds_what_is_wrong(checked: psycopg.Connection[Any]) -> None:
    """The check is at work: a function with a fault has one."""
    checked.execute(
        "CREATE FUNCTION pgvec.faulty() RETURNS int LANGUAGE plpgsql AS"
        " $$BEGIN IF false THEN RETURN (SELECT no_such_column FROM pgvec.collection); END IF;"
        " RETURN 1; END$$"
    )
    found = checked.execute(
        "SELECT level FROM plpgsql_check_function_tb('pgvec.faulty()'::regprocedure)"
    ).fetchall()
    assert ("error",) in found
