"""Settings that a role or a database brings along never make a verb impossible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from pgvec_versions.postgres.database import close_shared_engines
from tests.cli.conftest import Run, static


def put_setting(database: str, name: str, value: str) -> None:
    """A default of the database: every new session begins with it."""
    close_shared_engines()
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(db.info.dbname), sql.Identifier(name), sql.Literal(value)
            )
        )


def test_every_verb_works_under_a_default_isolation(
    run: Run, configure: Callable[..., Path], tmp_path: Path, database: str
) -> None:
    put_setting(database, "default_transaction_isolation", "serializable")
    (tmp_path / "text.txt").write_text("A lambda expression makes a function without a name.")
    one, two = static(), static(truncate_dim=192)

    def works(line: str) -> str:
        ended = run(*line.split())
        assert ended.code == 0, (line, ended.err)
        return ended.out

    configure("static-1", one, "0 seconds")
    works("init docs")
    works("upgrade --cut-over")
    works("add text.txt")
    works("search lambda")
    configure("static-2", two, "0 seconds", static_1=one)
    works("upgrade --dry-run --cut-over")
    works("upgrade")
    works("worker --drain")
    works("evaluate static-2 --count 1")
    works("report static-2 --markdown report.md")
    works("gate --require recall@10>=0.0 --min-queries 1")
    assert "in the way" not in works("cut-over --dry-run")
    works("cut-over --when-ready --timeout-s 20")
    assert "in the way" not in works("roll-back --dry-run")
    works("roll-back static-1")
    works("roll-back static-2")
    configure("static-3", static(truncate_dim=128), "0 seconds", static_1=one, static_2=two)
    works("upgrade")
    works("pause static-3")
    works("resume static-3")
    works("abandon static-3")
    works("hold static-1 --reason audit")
    works("release static-1")
    works("on-retire archive")
    works("export static-1 static-1.copy")
    assert "retired" in works("retire")
    works("restore static-1")
    works("status")
    assert run("doctor").code in (0, 1)
