"""The whole path on the command line with real models: from the first index to the retirement."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import psycopg

from tests.cli.conftest import Run, static


def write_topics(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.txt").write_text(topics[name])
    return folder


def test_someone_goes_through_an_upgrade_with_the_verbs_alone(
    run: Run, configure: Callable[..., Path], tmp_path: Path, db: psycopg.Connection
) -> None:
    folder = write_topics(tmp_path / "texts", ["with", "lambda", "break", "debugger"])
    configure("static-1", static())

    assert run("init", "docs", "--json").data["created"] is True
    assert run("upgrade", "--cut-over", "--json").data["state"] == "active"
    added = run("add", "texts", "--json").data
    assert added["documents"] == 4
    assert added["added"] == added["embedded"] > 4
    hits = run("search", "how do I leave a loop early", "--json").data
    assert {hit["model_version"] for hit in hits} == {"static-1"}
    assert hits == sorted(hits, key=lambda hit: hit["distance"])

    # The second model has another dimension: the same tokens, half of each vector.
    configure("static-2", static(truncate_dim=192), static_1=static())
    ready = run("upgrade")
    assert ready.code == 0
    assert "static-2 of docs is ready" in ready.out
    (folder / "lambda.txt").write_text("A lambda expression makes a function without a name.")
    assert run("add", "texts", "--json").data["model_version"] == "static-1"
    assert "docs is on static-2" in run("cut-over").out
    hits = run("search", "function without a name", "-k", "1", "--json").data
    assert hits[0]["model_version"] == "static-2"
    assert hits[0]["content"].startswith("A lambda expression makes")

    assert run("roll-back", "--json").data["active"] == "static-1"
    hits = run("search", "function without a name", "-k", "1", "--json").data
    assert hits[0]["model_version"] == "static-1"
    assert hits[0]["content"].startswith("A lambda expression makes")
    assert run("roll-back", "static-2", "--json").data["active"] == "static-2"

    assert run("retire").out.strip() == "nothing is due."
    db.execute(
        "UPDATE pgvec.model_version SET retire_at = clock_timestamp() WHERE state = 'draining'"
    )
    gone = run("retire", "--json").data
    assert [(g["model_version"], g["outcome"]) for g in gone] == [("static-1", "retired")]
    assert gone[0]["bytes"] > 0
    states = {row["model_version"]: row["state"] for row in run("status", "--json").data}
    assert states == {"static-1": "retired", "static-2": "active"}


def test_status_is_understood_at_a_glance(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    write_topics(tmp_path / "texts", ["with"])
    run("add", "texts")
    configure("static-2", static(truncate_dim=192), static_1=static())
    run("upgrade")
    text = run("status").out
    assert "answers queries" in text
    assert "complete; next: pgvec cut-over static-2" in text
    run("cut-over")
    assert "to go back: pgvec roll-back static-1" in run("status").out


def test_a_second_upgrade_has_nothing_to_do(run: Run, configure: Callable[..., Path]) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    again = run("upgrade", "--cut-over")
    assert again.code == 0
    assert "nothing to do" in again.out


def test_retire_after_of_the_file_reaches_the_collection(
    run: Run, configure: Callable[..., Path], db: psycopg.Connection
) -> None:
    configure("static-1", static(), retire_after="2 days")
    run("init", "docs")
    configure("static-1", static(), retire_after="3 hours")
    run("upgrade")
    assert db.execute("SELECT retire_after = '3 hours' FROM pgvec.collection").fetchone() == (True,)


def test_adding_a_folder_again_embeds_only_what_changed(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    folder = write_topics(tmp_path / "texts", ["with", "pass"])
    (folder / "notes.md").write_text("# One\n\nfirst\n\n# Two\n\nsecond\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n")
    first = run("add", "texts", "--json").data
    assert first["documents"] == 3, "a folder gives its text files only"
    assert run("add", "texts", "--json").data["embedded"] == 0
    (folder / "notes.md").write_text("")
    emptied = run("add", "texts", "--json").data
    assert emptied["empty"] == ["texts/notes.md"]
    assert emptied["deleted"] == 1


def test_an_old_document_of_ten_megabytes_is_split_and_stored(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure("static-1", static(truncate_dim=32))
    run("init", "docs")
    run("upgrade", "--cut-over")
    text = "\n\n".join(
        f"{topics['with']} {number}" for number in range(10_000_000 // len(topics["with"]) + 1)
    )
    (tmp_path / "big.txt").write_text(text)
    added = run("add", "big.txt", "--chunk-chars", "2000", "--json").data
    assert added["added"] > 4000
    assert run("search", "context manager", "-k", "1", "--json").data[0]["document_id"] == "big.txt"


def test_worker_drains_what_other_clients_wrote(
    run: Run, configure: Callable[..., Path], tmp_path: Path, db: psycopg.Connection
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    write_topics(tmp_path / "texts", ["with"])
    run("add", "texts")
    configure("static-2", static(truncate_dim=192), static_1=static())
    run("upgrade", "--cut-over")
    db.execute(
        "UPDATE docs SET content = 'by hand', embedding = "
        "(SELECT array_agg(random())::real[]::vector FROM generate_series(1, 192)) "
        "WHERE model_version = 'static-2' AND position = 0"
    )
    done = run("worker", "--drain", "--json").data
    assert done["written"] == 1
    assert db.execute("SELECT count(*) FROM docs WHERE content = 'by hand'").fetchone() == (2,)


def test_search_filters_and_exact_mode(
    run: Run, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    write_topics(tmp_path / "texts", ["with", "break"])
    run("add", "texts")
    only = run(
        "search", "loop", "--where", json.dumps({"source": "texts/with.txt"}), "--exact", "--json"
    ).data
    assert {hit["document_id"] for hit in only} == {"texts/with.txt"}
    table = run("search", "loop")
    assert "version static-1" in table.out


def test_doctor_finds_a_broken_index_and_says_what_to_do(
    run: Run, configure: Callable[..., Path], db: psycopg.Connection
) -> None:
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    healthy = run("doctor", "--json")
    assert healthy.code == 0
    assert not [f for f in healthy.data if f["level"] == "problem"]
    db.execute("DROP INDEX pgvec_leaves.docs__static_1_hnsw")
    ill = run("doctor", "--json")
    assert ill.code == 3
    assert "build_index" in next(f["to_do"] for f in ill.data if f["level"] == "problem")


def test_doctor_without_a_catalog_names_the_command(run: Run, empty_database: str) -> None:
    ended = run("doctor", "--json", "--database-url", empty_database)
    assert ended.code == 3
    assert "pgvec init" in [f["to_do"] for f in ended.data]


def test_schedule_without_pg_cron_prints_the_line_for_another_scheduler(run: Run) -> None:
    text = run("schedule", "*/5 * * * *").out
    assert "*/5 * * * * pgvec retire" in text
    assert "systemd" in text
    assert "Kubernetes" in text
    assert run("schedule", "--off").out.strip() == "there was no job."
