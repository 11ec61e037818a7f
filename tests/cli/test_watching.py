"""``pgvec status --watch``: rate, time left, workers, what blocks, and the command to copy."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgvec_versions import Transition
from pgvec_versions.cli import watching
from pgvec_versions.cli.watching import Rates
from pgvec_versions.embedders import build_embedder
from pgvec_versions.errors import DatabaseUnavailable
from tests.cli.conftest import Ended, Run, static
from tests.faults.looks import wait_until


@pytest.fixture
def docs(run: Run, configure: Callable[..., Path], tmp_path: Path, database: str) -> Run:
    """docs: static-1 is active with five chunks, static-2 is registered and lacks all of them."""
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    for number in range(5):
        (tmp_path / f"note-{number}.md").write_text(f"# Note {number}\n\nA note on ferries.")
    run("add", ".")
    configure("static-2", static(truncate_dim=64), static_1=static())
    Transition(database, "docs", "static-2", build_embedder(static(truncate_dim=64))).begin()
    return run


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Does something after each look instead of waiting, then presses Ctrl-C."""

    def script(*steps: Callable[[], object]) -> None:
        left = list(steps)

        def wait(seconds: float) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(watching, "_wait", wait)

    return script


def versions(ended: Ended) -> list[dict[str, dict[str, Any]]]:
    """The versions of every look, by label."""
    return [
        {row["model_version"]: row for row in json.loads(line)["versions"]}
        for line in ended.out.splitlines()
    ]


def test_each_look_says_how_far_how_fast_and_which_command_is_next(
    docs: Run, db: psycopg.Connection, looks: Callable[..., None]
) -> None:
    lease = "UPDATE pgvec.work_item SET lease = gen_random_uuid(), leased_until = now() + {}"

    def two_are_there() -> None:
        db.execute(
            "INSERT INTO pgvec_leaves.docs__static_2 (chunk_id, model_version, document_id,"
            " position, content, metadata, embedding, turn) SELECT chunk_id, 'static-2',"
            " document_id, position, content, metadata, array_fill(0.1, '{64}')::vector, turn"
            " FROM docs"
            " WHERE model_version = 'static-1' LIMIT 2"
        )

    looks(
        two_are_there,
        lambda: db.execute(lease.format("interval '1 minute'").encode()),
        lambda: db.execute(lease.format("interval '-1 minute'").encode()),
    )
    ended = docs("status", "--watch", "--json")
    assert ended.code == 0
    before, filling, claimed, dead = (look["static-2"] for look in versions(ended))
    assert (before["missing"], before["chunks_per_second"], before["seconds_left"]) == (5,) + 2 * (
        None,
    )
    assert filling["missing"] == 3
    assert filling["chunks_per_second"] > 0
    assert filling["seconds_left"] == pytest.approx(3 / filling["chunks_per_second"])
    assert (claimed["claims_held"], dead["claims_held"]) == (1, 0)
    assert docs(*shlex.split(dead["next"])[1:]).code == 0
    looks()
    after = versions(docs("status", "--watch", "--json"))[0]["static-2"]
    assert after["state"] == "ready"
    assert docs(*shlex.split(after["next"])[1:]).code == 0


def test_what_blocks_and_the_last_error_are_said_in_plain_lines(
    docs: Run, db: psycopg.Connection, looks: Callable[..., None]
) -> None:
    docs("pause", "static-2")
    looks()
    assert re.search(r"paused since .*\n.*\n.*\n +next: pgvec resume static-2\n", docs(
        "status", "--watch").out)  # fmt: skip
    docs("resume", "static-2")
    db.execute("UPDATE pgvec.work_item SET set_aside_at = now(), last_error = 'no such model'")
    said = docs("status", "--watch").out
    assert "last error: no such model" in said
    assert "when the cause is gone: pgvec worker --drain --retry-failed" in said
    docs("worker", "--drain", "--retry-failed")
    docs("upgrade")
    docs("gate", "--require", "recall@10>=0.5")
    said = docs("status", "--watch").out
    assert "in the way: the gate stops static-2" in said
    assert "next: pgvec cut-over static-2" in said


def test_the_build_of_an_index_is_seen_from_outside(
    docs: Run, db: psycopg.Connection, database: str, looks: Callable[..., None]
) -> None:
    leaf = "pgvec_leaves.docs__static_2"

    def build() -> None:
        with psycopg.connect(database, autocommit=True) as builder:
            builder.execute(f"CREATE INDEX CONCURRENTLY ON {leaf} (position)".encode())

    with psycopg.connect(database) as writer, ThreadPoolExecutor() as pool:
        # The build waits for this transaction.
        writer.execute(f"LOCK TABLE {leaf} IN ROW EXCLUSIVE MODE".encode())
        built = pool.submit(build)
        seen = "SELECT count(*) FROM pg_stat_progress_create_index"
        wait_until(lambda: db.execute(seen).fetchone() == (1,))
        looks()
        assert "its index is being built" in docs("status", "--watch").out
        writer.rollback()
        built.result(20)


def test_workers_are_counted_while_their_process_lives(
    docs: Run, db: psycopg.Connection, database: str, looks: Callable[..., None]
) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-m", "pgvec_versions", "worker"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]  # fmt: skip
    try:
        alive = (
            "SELECT count(DISTINCT application_name) FROM pg_stat_activity"
            " WHERE application_name LIKE 'pgvec worker %' AND datname = current_database()"
        )
        wait_until(lambda: db.execute(alive).fetchone() == (2,))

        def kill_one() -> None:
            workers[0].kill()
            wait_until(lambda: db.execute(alive).fetchone() == (1,))

        looks(kill_one)
        two, one = versions(docs("status", "--watch", "--json"))
        assert (two["static-2"]["workers_alive"], one["static-2"]["workers_alive"]) == (2, 1)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def test_it_waits_for_a_database_that_is_away(
    docs: Run, looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = watching._look  # pyright: ignore[reportPrivateUsage]

    def away(*_: object) -> None:
        raise DatabaseUnavailable("the server closed the connection.")

    looks(
        lambda: monkeypatch.setattr(watching, "_look", away),
        lambda: monkeypatch.setattr(watching, "_look", look),
    )
    ended = docs("status", "--watch")
    assert ended.code == 0
    there, gone, back = re.split(r"(?m)^(?=\d\d:\d\d:\d\d)", ended.out)[1:]
    assert "cannot look: the server closed the connection. Trying again." in gone
    assert "static-2" in there
    assert "static-2" in back
    monkeypatch.setattr(watching, "_look", away)
    assert docs("status", "--watch").code == 5


def test_an_interval_that_is_none_is_wrong_input(run: Run) -> None:
    run("init", "docs")
    for seconds in ("0", "-1", "nan", "inf", "1e9"):
        ended = run("status", "--watch", f"--interval={seconds}")
        assert ended.code == 2
        assert "--interval" in ended.complaint
    assert run("status", "--interval", "2").code == 2


def test_a_terminal_shows_bars_until_ctrl_c_ends_it_with_0(docs: Run) -> None:
    ours, theirs = pty.openpty()
    watching_it = subprocess.Popen(
        [sys.executable, "-m", "pgvec_versions", "status", "--watch", "--interval", "0.1"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(theirs)
    try:
        said = ""
        while said.count("being filled") < 2:
            said += os.read(ours, 65536).decode(errors="replace")
        watching_it.send_signal(signal.SIGINT)
        assert watching_it.wait(20) == 0
    finally:
        watching_it.kill()
        os.close(ours)
    assert "━" in said
    assert "next: pgvec upgrade" in said
    assert "workers alive: 0" in said


def test_sigterm_ends_it_too(docs: Run, looks: Callable[..., None]) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    looks(lambda: signal.raise_signal(signal.SIGTERM), lambda: pytest.fail("it goes on"))
    ended = docs("status", "--watch")
    assert (ended.code, ended.out.count("being filled")) == (0, 1)
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_rate_is_that_of_the_last_minute() -> None:
    rates, key = Rates(), ("docs", "v2")
    assert rates.saw(key, 0.0, 1000) is None
    assert rates.saw(key, 10.0, 900) == 10
    assert rates.saw(key, 20.0, 1100) == -5
    for at in range(30, 200, 10):
        rate = rates.saw(key, float(at), 1100 - at)
    assert rate == 1
    assert rates.saw(("docs", "v3"), 1.0, 5) is None
