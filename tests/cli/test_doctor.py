"""``pgvec doctor`` on the command line: what it prints, writes and ends with."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import psycopg

from pgvec_versions.cli.doctor import commands_here
from pgvec_versions.doctor import Finding
from tests.cli.conftest import Run, static


def test_it_prints_writes_a_page_and_ends_with_a_code_for_ci(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    (tmp_path / "one.txt").write_text("How to bake bread.")
    run("add", "one.txt")
    ended = run("doctor", "-c", "docs", "--html", "report.html")
    assert ended.code == 0
    assert "1 of 1 sampled chunks are reproduced" in " ".join(ended.out.split())
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<h1>No problem, " in page
    assert "No problem, " in ended.out, "and it is printed"
    database = ended.err.partition("database: ")[2].partition(";")[0]
    assert f"<dd>{html.escape(database)}</dd>" in page, "the page says where it looked"
    assert "<dt>collection</dt><dd>docs</dd>" in page
    assert run("doctor", "--strict").code == 3, "there is no job"
    assert run("doctor", "-c", "nothing").code == 4
    configure("static-1", static(query_prefix="query: "))
    other = run("doctor", "--json")
    assert other.code == 3
    assert any("another embedder" in f["evidence"] for f in other.data if f["level"] == "problem")


def test_a_page_about_a_database_without_the_catalog_names_it(run: Run, tmp_path: Path) -> None:
    run("doctor", "--html", "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<dt>database</dt>" in page
    assert "<h1>" in page


def test_the_same_model_served_elsewhere_is_declared_and_another_is_not(
    run: Run, configure: Callable[..., Path]
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    # Both have another identity; one makes the same vectors, one does not.
    same, other = static(truncate_dim=384), static(query_prefix="query: ")
    configure("static-1", same)
    assert run("search", "bread").code == 6
    refused = run("declare-equivalent", "static-1", "--embedder", json.dumps(other))
    assert refused.code == 6
    assert "does not make the vectors" in refused.complaint
    declared = run("declare-equivalent", "static-1", "--reason", "moved", "--json")
    assert (declared.code, declared.data["canaries"]) == (0, 32)
    assert run("search", "bread").code == 0
    assert run("declare-equivalent", "static-1", "--embedder", "nobody").code == 2
    assert run("declare-equivalent", "nothing", "--embedder", json.dumps(same)).code == 4


def test_a_table_without_the_catalog_and_a_candidate(
    run: Run, configure: Callable[..., Path], db: psycopg.Connection, tmp_path: Path
) -> None:
    configure("static-1", static())
    db.execute("CREATE TABLE documents (content text, embedding vector(2))")
    db.execute("INSERT INTO documents VALUES ('a text', '[1,0]')")
    for candidate in ("static-1", json.dumps(static())):
        found = run("doctor", "--table", "documents", "--embedder", candidate, "--json")
        assert any("makes 0 of 1 sampled vectors" in f["evidence"] for f in found.data)
    assert run("doctor", "--table", "documents", "--embedder", "nobody").code == 2
    assert run("doctor", "--table", "documents", "--embedder", "{").code == 2
    run("doctor", "--table", "documents", "--html", "table.html")
    page = (tmp_path / "table.html").read_text()
    assert "<dt>table</dt><dd>documents</dd>" in page
    assert "<h1>" in page
    assert run("doctor", "--embedder", "static-1").code == 2
    assert run("doctor", "--table", "none").code == 4


def test_what_to_do_names_the_collection_where_there_are_several() -> None:
    found = [
        Finding("problem", "docs/v1", "x", "Let a worker run: pgvec worker."),
        Finding("ok", "retirement", "x", "pgvec retire does it now."),
    ]
    assert commands_here(found, ["docs"]) == found
    first, second = commands_here(found, ["docs", "handbook"])
    assert first.to_do == "Let a worker run: pgvec worker -c docs."
    assert second == found[1]
