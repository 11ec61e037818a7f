"""Nothing that is needed is ever dropped: whatever the clock, the order of calls, or how many."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import psycopg
import pytest

from tests.faults.looks import Connection, assert_catalog_agrees, one
from tests.sql.helpers import READY, second_version
from tests.tools import Connect, copy_version

STEPS = 60
RACES = 15
CLOCKS = ("-1 second", "-100 years", "1 hour", "7 days")


def call(connection: Connection, statement: str, *parameters: Any) -> str:
    """What came of it: ``ok``, or the SQLSTATE."""
    try:
        connection.execute(statement.encode(), parameters or None)
    except psycopg.Error as error:
        return error.sqlstate or "lost"
    return "ok"


def leaves_that_must_stand(db: Connection) -> dict[str, bool]:
    """Every active, ready, building or in-grace version, and whether its leaf stands."""
    return dict(
        db.execute(
            "SELECT model_version, to_regclass('pgvec_leaves.' || quote_ident(leaf)) IS NOT NULL"
            "  FROM pgvec.model_version WHERE state IN ('active', 'ready', 'building')"
            "    OR (state = 'draining' AND retire_at > clock_timestamp())"
        ).fetchall()
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_order_and_the_clock_no_needed_version_is_dropped(
    seed: int, connect: Connect
) -> None:
    db, other, third = connect(), connect(), connect()
    second_version(db, until="active", count=5)
    chance, number = random.Random(seed), 2
    did: Counter[str] = Counter()
    for _ in range(STEPS):
        live = [r[0] for r in db.execute(
            "SELECT model_version FROM pgvec.model_version WHERE dropped_at IS NULL"
        )]  # fmt: skip
        some = chance.choice(live)
        what = chance.choice(
            ["register", "fill", "cut_over", "roll_back", "abandon", "clock", "retire", "retire"]
        )
        if what == "register" and len(live) < 4:
            number += 1
            call(db, f"SELECT pgvec.register_version('docs', 'v{number}', 8)")
        elif what == "fill":
            active = one(db, "SELECT pgvec.active_version('docs')")
            if one(db, f"SELECT count(*) FROM docs WHERE model_version = '{some}'") == 0:
                copy_version(db, "docs", active, some)
            for verb in READY:
                call(db, f"SELECT pgvec.{verb}('docs', '{some}')")
        elif what == "cut_over":
            did[what] += call(db, "SELECT pgvec.cut_over('docs', %s)", some) == "ok"
        elif what == "roll_back":
            did[what] += call(db, "SELECT pgvec.roll_back('docs')") == "ok"
        elif what == "abandon":
            did[what] += call(db, "SELECT pgvec.abandon('docs', %s)", some) == "ok"
        elif what == "clock":
            db.execute(
                "UPDATE pgvec.model_version SET retire_at = clock_timestamp() + %s::interval"
                " WHERE state IN ('draining', 'abandoned') AND model_version = %s",
                (chance.choice(CLOCKS), some),
            )
        elif what == "retire":
            needed = leaves_that_must_stand(db)
            two = [
                threading.Thread(target=call, args=(c, "CALL pgvec.retire_due()"))
                for c in (other, third)
            ]
            for thread in two:
                thread.start()
            for thread in two:
                thread.join(60)
            did[what] += 1
            assert needed.keys() <= leaves_that_must_stand(db).keys(), "what was needed is gone"
        assert all(leaves_that_must_stand(db).values())
        assert one(db, "SELECT pgvec.active_version('docs')") is not None
        assert_catalog_agrees(db)
    gone = one(db, "SELECT count(*) FROM pgvec.model_version WHERE dropped_at IS NOT NULL")
    print(f"PostgreSQL {db.info.server_version // 10_000}: {dict(did)}, {gone} leaves dropped")


def test_a_roll_back_and_a_retirement_at_once_leave_the_one_or_the_other(connect: Connect) -> None:
    db, left, right = connect(), connect(), connect()
    second_version(db, until="active", count=5)
    ends: Counter[str] = Counter()
    number = 2
    for _ in range(RACES):
        db.execute(
            "UPDATE pgvec.model_version SET retire_at = now() - interval '1 s'"
            " WHERE state = 'draining'"
        )
        start = threading.Barrier(2)
        came: dict[str, str] = {}

        def go(connection: Connection, statement: str, start=start, came=came) -> None:  # type: ignore[no-untyped-def]
            start.wait()
            came[statement] = call(connection, statement)

        both = [
            threading.Thread(target=go, args=(left, "SELECT pgvec.roll_back('docs')")),
            threading.Thread(target=go, args=(right, "CALL pgvec.retire_due()")),
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(60)
        back = came["SELECT pgvec.roll_back('docs')"]
        assert came["CALL pgvec.retire_due()"] == "ok"
        # Gone before it could be gone back to: refused, by whichever look found out.
        assert back in ("ok", "PV005"), back
        ends["rolled back" if back == "ok" else "retired first"] += 1
        assert all(leaves_that_must_stand(db).values())
        assert_catalog_agrees(db)
        # A new one to go back to, if there is none left.
        if not one(db, "SELECT count(*) FROM pgvec.model_version WHERE state = 'draining'"):
            number += 1
            label = f"v{number}"
            active = one(db, "SELECT pgvec.active_version('docs')")
            db.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
            copy_version(db, "docs", active, label)
            for verb in (*READY, "cut_over"):
                db.execute(f"SELECT pgvec.{verb}('docs', %s)".encode(), (label,))
    print(f"PostgreSQL {db.info.server_version // 10_000}: {RACES} races: {dict(ends)}")
