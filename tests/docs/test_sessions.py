"""What docs/evaluation.md and docs/doctor.md print and leave behind, done as they say."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.clusters import binaries
from tests.docs.pages import Reader, blocks

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = [
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("ir_measures", "matplotlib", "sklearn")),
        reason="needs the extras evaluate and doctor",
    ),
    # Models are loaded, also by processes of their own.
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


def played(page: str, server: EmbeddedServer, database: str, folder: Path) -> str:
    """What the page's blocks print."""
    if "18" not in (server.pgdata / "PG_VERSION").read_text():
        pytest.skip("once is enough: the SQL behind it is tested on every server")
    reader = Reader(database, binaries(server) / "psql", folder)
    try:
        for block in blocks(DOCS / page):
            reader.read(block)
    finally:
        reader.close()
    return " ".join("".join(reader.said).split())


def test_a_candidate_is_evaluated_stopped_forced_reported_and_shadowed(
    server: EmbeddedServer, database: str, tmp_path: Path
) -> None:
    said = played("evaluation.md", server, database, tmp_path)
    assert "docs: 4 labelled queries" in said
    assert "stopped, with exit code 3" in said
    assert (tmp_path / "desk/report.md").read_text("utf-8").startswith("## The gate ")
    with psycopg.connect(database) as connection:
        verbs = dict(
            connection.execute(
                "SELECT verb, count(*) FROM pgvec.version_event GROUP BY verb"
            ).fetchall()
        )
        kinds = connection.execute("SELECT kind FROM pgvec.evaluation ORDER BY 1").fetchall()
    assert verbs["gate_forced"] == 1
    assert {"known_item", "labelled"} <= {kind for (kind,) in kinds}


def test_the_doctor_looks_at_a_collection_and_at_a_table_of_two_models(
    server: EmbeddedServer, database: str, tmp_path: Path
) -> None:
    said = played("doctor.md", server, database, tmp_path)
    assert "1 of 1 sampled chunks are reproduced" in said
    assert "2 groups of vectors that are not comparable" in said
    assert "static-1 makes" in said
    assert "a problem, with exit code 3" in said
    found = json.loads((tmp_path / "desk/doctor.json").read_text("utf-8"))
    assert {f["level"] for f in found} == {"ok", "warning"}
