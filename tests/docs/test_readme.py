"""The README is run as it is printed: SQL, Python and configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pgvec_versions import ChunkStore
from pgvec_versions.cli import app
from pgvec_versions.config import load_config
from pgvec_versions.embedded import EmbeddedServer
from pgvec_versions.install import install
from tests.tools import MINILM, MINILM_REVISION

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"expected one {language} block"
    return str(found[0])


def test_the_sql_runs_as_it_is_printed(server: EmbeddedServer, database: str) -> None:
    psql = server.psql_command("x").split()[0]
    done = subprocess.run(
        [psql, database, "-v", "ON_ERROR_STOP=1", "-X", "-q", "-A", "-t"],
        input=block("sql"),
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Holidays …") == 2, "found through the view and by nearest"
    with psycopg.connect(database) as connection:
        states = dict(
            connection.execute("SELECT model_version, state FROM pgvec.model_version").fetchall()
        )
    assert states == {"v1": "active", "v2": "draining"}


def test_the_python_runs_as_it_is_printed(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pgvec.create_collection('docs')")
    names = {"MODEL": MINILM, "REVISION": MINILM_REVISION, "url": database}
    exec(compile(block("python"), "README.md", "exec"), names)
    assert [hit.content for hit in names["hits"]] == ["Holidays are requested in the portal."]
    assert ChunkStore(database, "docs").active_version == "static-1"


def test_the_configuration_is_what_the_loader_takes(tmp_path: Path) -> None:
    path = tmp_path / "pgvec.toml"
    path.write_text(block("toml"), "utf-8")
    docs = load_config(path).collection("docs")
    assert docs.model_version == "minilm-1"
    assert list(docs.embedders) == ["static-1", "minilm-1"]


def test_every_verb_is_in_the_readme_or_the_contributing_guide() -> None:
    verbs = [
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    ]
    assert len(verbs) >= 13
    text = README + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    text += "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    for verb in verbs:
        assert re.search(rf"(pgvec|make) {verb}\b", text), verb


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demo_tells_the_whole_story(
    server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if "18" not in (server.pgdata / "PG_VERSION").read_text():
        pytest.skip("the demo starts a server of its own, of version 18")
    folder = server.pgdata.parent / "demo"

    def demo(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pgvec_versions", "demo", "--folder", str(folder), *options],
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


def test_installing_needs_nothing_but_the_package(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        assert install(connection) == (0, 1)
