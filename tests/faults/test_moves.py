"""A transition moves house in the middle: dump and restore, and an upgrade of PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.clusters import Cluster, binaries, clusters
from tests.faults import story
from tests.faults.looks import one
from tests.sql.helpers import world


@pytest.fixture
def two(server: EmbeddedServer) -> Iterator[tuple[Cluster, Cluster]]:
    """A running cluster with a transition in the middle, and one that is not made yet."""
    here = binaries(server)
    newest = here.parents[1] / "pginstall18" / "bin"
    with clusters((here, "old"), (newest if newest.is_dir() else here, "new")) as (old, new):
        old.initdb(*NO_CHECKSUMS.get(version_of(here), ())).configure().start()
        story.begin(old.create("app"))
        yield old, new


#: PostgreSQL 18 turns them on by default, and pg_upgrade wants both sides alike.
NO_CHECKSUMS = {18: ("--no-data-checksums",)}


def version_of(bin_folder: Path) -> int:
    return 18 if "pginstall18" in str(bin_folder) else 16


def picture(url: str) -> dict[str, Any]:
    """Everything that a restored database must have again."""
    with psycopg.connect(url, autocommit=True) as db:
        seen = world(db)
        seen["chunks"] = db.execute("SELECT d::text FROM docs d ORDER BY 1").fetchall()
        seen["notes"] = db.execute("SELECT d::text FROM notes d ORDER BY 1").fetchall()
        seen["triggers"] = db.execute(
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger"
            " WHERE NOT tgisinternal ORDER BY 1, 2"
        ).fetchall()
        seen["constraints"] = db.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated"
            "  FROM pg_constraint WHERE connamespace <> 'pg_catalog'::regnamespace"
            "   AND contype IN ('c', 'p', 'u', 'f') ORDER BY 1, 2"
        ).fetchall()
        seen["functions"] = db.execute(
            "SELECT p.proname, md5(p.prosrc), p.proconfig, ARRAY(SELECT a::text"
            "  FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a ORDER BY 1)"
            "  FROM pg_proc p WHERE p.pronamespace = 'pgvec'::regnamespace ORDER BY 1, 2, 4"
        ).fetchall()
        return seen


def test_a_dump_restored_into_an_empty_cluster_serves_guards_and_finishes(
    two: tuple[Cluster, Cluster],
) -> None:
    old, new = two
    new.initdb().configure().start()
    dump = str(old.data.parent / "app.dump")
    # The newer pg_dump, as its manual asks.
    began = time.perf_counter()
    new.run("pg_dump", "-Fc", "-f", dump, "-d", old.url("app"))
    url = new.create("app")
    new.run("pg_restore", "--exit-on-error", "-d", url, dump)
    took = time.perf_counter() - began
    before, after = picture(old.url("app")), picture(url)
    for name in before:
        # How a relation or a privilege is written may change with the version of PostgreSQL.
        if name not in ("relations", "constraints") or old.bin == new.bin:
            assert before[name] == after[name], name
    assert {r[0] for r in before["relations"]} == {r[0] for r in after["relations"]}
    story.finish(url)
    # The one it came from has not noticed.
    assert picture(old.url("app")) == before
    print(f"{version_of(old.bin)} → {version_of(new.bin)}: dump and restore in {took:.1f} s")


def test_pg_upgrade_in_the_middle_of_a_transition_loses_nothing(
    two: tuple[Cluster, Cluster],
) -> None:
    old, new = two
    if old.bin == new.bin:
        pytest.skip("pg_upgrade goes from 16 to 18")
    before = picture(old.url("app"))
    old.stop()
    new.initdb(*NO_CHECKSUMS[18])
    began = time.perf_counter()
    new.run(
        "pg_upgrade", "-b", str(old.bin), "-B", str(new.bin), "-d", str(old.data),
        "-D", str(new.data), "-p", str(old.port), "-P", str(new.port), "-U", "postgres",
    )  # fmt: skip
    took = time.perf_counter() - began
    new.configure().start()
    after = picture(new.url("app"))
    assert before["chunks"] == after["chunks"]
    assert before["work_item"] == after["work_item"]
    assert before["functions"] == after["functions"]
    with psycopg.connect(new.url("app")) as db:
        assert one(db, "SHOW server_version").startswith("18")
    story.finish(new.url("app"))
    print(f"16 → 18: pg_upgrade in {took:.1f} s")
