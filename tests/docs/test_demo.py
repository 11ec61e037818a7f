"""The demo that the README prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.effort import is_nightly

ROOT = Path(__file__).parents[2]
#: The demo without the long topics: two thirds of its time are the embedding of their text.
SHORTER = """
from pydoc_data import topics
from pgvec_versions.cli import main
topics.topics = {name: text for name, text in topics.topics.items() if len(text) < 12_000}
main()
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demo_tells_the_whole_story(
    server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if "18" not in (server.pgdata / "PG_VERSION").read_text():
        pytest.skip("the demo starts a server of its own, of version 18")
    folder = server.pgdata.parent / "demo"
    program = ("-m", "pgvec_versions") if is_nightly() else ("-c", SHORTER)

    def demo(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *program, "demo", "--folder", str(folder), *options],
            text=True,
            capture_output=True,
            cwd=ROOT,
            timeout=380,
        )

    try:
        done = demo()
        out = done.stdout
        assert done.returncode == 0, done.stderr + out
        assert "SQL, declared: PV011" in out
        assert "SQL, silent:   PV012" in out
        assert "Python:        PV011" in out
        assert "every one by static-1" in out
        assert "12 of 12 answers as before" in out
        assert "the note is there too: True (static-1)" in out
        assert "static-1 retired" in out
        scores = {
            name: float(mrr)
            for name, mrr in re.findall(r"(static-1|minilm-1) +hit rate \d+%, MRR ([\d.]+)", out)
        }
        wrong = re.search(r"without an error: hit rate \d+%, MRR ([\d.]+)", out)
        assert wrong is not None
        assert float(wrong[1]) < scores["static-1"] < scores["minilm-1"]
        psql = re.search(r"^  (\S*psql '[^']+')", out, flags=re.MULTILINE)
        assert psql is not None
        look = subprocess.run(
            f"{psql[1]} -At -c 'SELECT count(*) FROM pgvec.version_status'",
            shell=True,
            text=True,
            capture_output=True,
        )
        assert look.stdout.strip() == "2", "the database stays for a look"
    finally:
        demo("--stop")
    assert not (folder / "postmaster.pid").exists(), "demo --stop ends the server"
