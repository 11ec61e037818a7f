"""``pgvec gate``: unknown metrics are refused, and what is replaced is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from pgvec_versions.errors import GateRefused, translated
from pgvec_versions.postgres.database import engine_for, transaction
from tests.cli.conftest import Run, static


@pytest.fixture
def docs(run: Run, configure: Callable[..., Path], database: str) -> Run:
    """A collection docs: static-1 is active, v2 is ready."""
    configure("static-1", static())
    run("init", "docs")
    run("upgrade", "--cut-over")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("SELECT pgvec.register_version('docs', 'v2', 384)")
        db.execute("SELECT pgvec.build_index('docs', 'v2'), pgvec.make_ready('docs', 'v2')")
    return run


def evaluated(database: str, **metrics: float) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "SELECT pgvec.record_evaluation('docs', 'v2', %s, 50, baseline_version => 'static-1')",
            (json.dumps({name.replace("_at_", "@"): value for name, value in metrics.items()}),),
        )


def test_an_unknown_metric_is_refused_and_the_gate_stays(docs: Run) -> None:
    docs("gate", "--require", "recall@10>=0.95", "--max-age", "2 days", "--labelled")
    before = docs("gate", "--json").data
    for bound in ("recal@10>=0.9", "recall>=0.9", "search_ms_p99<=5", "overlap@10>=active-0.1"):
        ended = docs("gate", "--require", "recall@10>=0.5", "--require", bound)
        assert ended.code == 2, bound
        assert bound.split(">")[0].split("<")[0] in ended.complaint
        assert docs("gate", "--json").data == before


def test_bounds_that_contradict_each_other_or_one_given_twice_are_wrong_input(docs: Run) -> None:
    for pair in (("recall@10>=0.95", "recall@10>=0.5"), ("recall@10>=0.9", "recall@10<=0.8")):
        ended = docs("gate", "--require", pair[0], "--require", pair[1])
        assert (ended.code, "recall@10" in ended.complaint) == (2, True)
        assert docs("gate", "--json").data["gate"] is None


def test_old_and_new_gate_are_printed_and_options_keep_their_value(docs: Run) -> None:
    first = docs("gate", "--require", "recall@10>=0.95", "--max-age", "2 days", "--labelled")
    assert "replaces" not in first.out
    second = docs("gate", "--require", "ndcg@10>=0.5", "--min-queries", "7", "--json")
    gate, replaced = second.data["gate"], second.data["replaced"]
    assert replaced["bounds"] == {"recall@10": {"min": 0.95}}
    assert gate["bounds"] == {"ndcg@10": {"min": 0.5}}
    assert (gate["min_queries"], gate["labelled"], gate["max_age"]) == (
        *(7, True),
        replaced["max_age"],
    )
    said = " ".join(docs("gate", "--any-queries").out.split())
    new, old = said.split("it replaces: ")
    assert "ndcg@10>=0.5" in new
    assert "7 queries" in new
    assert "7 labelled queries" in old
    assert docs("gate", "--json").data["gate"]["labelled"] is False


def test_options_alone_need_a_gate_and_do_not_go_with_check_or_remove(docs: Run) -> None:
    ended = docs("gate", "--min-queries", "3")
    assert (ended.code, "--require" in ended.complaint) == (2, True)
    for other in (["--remove"], ["--check", "v2"]):
        assert docs("gate", "--min-queries", "3", *other).code == 2


@pytest.mark.parametrize("age", ["soon", "9999999999999 years", "-1 day"])
def test_an_age_that_is_none_is_wrong_input(docs: Run, age: str) -> None:
    ended = docs("gate", "--require", "recall@10>=0.5", f"--max-age={age}")
    assert ended.code == 2
    assert "unexpected" not in ended.complaint
    assert docs("gate", "--json").data["gate"] is None


def test_a_dry_run_lists_the_failing_bounds_with_their_numbers(docs: Run, database: str) -> None:
    docs("gate", "--require", "recall@10>=0.95", "--require", "search_ms_p95<=20")
    evaluated(database, recall_at_10=0.91, search_ms_p95=31.5)
    dry = docs("cut-over", "v2", "--dry-run", "--json")
    assert dry.code == 3
    assert dry.data["in_the_way"] == [
        "the gate stops v2: recall@10 is 0.9100, at least 0.95",
        "the gate stops v2: search_ms_p95 is 31.5000, at most 20",
    ]


def test_hints_name_commands_and_the_collection_where_there_are_several(docs: Run) -> None:
    docs("gate", "--require", "recall@10>=0.95")
    for verb in (["cut-over", "v2"], ["gate", "--check", "v2"]):
        ended = docs(*verb)
        assert ended.code == 3
        assert "pgvec evaluate v2; read pgvec report v2." in ended.complaint
        assert "pgvec cut-over v2 --force --reason" in ended.complaint
        assert "force =>" not in ended.complaint
    docs("init", "more")
    ended = docs("cut-over", "v2", "-c", "docs", "--json")
    assert "pgvec evaluate v2 -c docs; read pgvec report v2 -c docs." in ended.complaint
    assert "pgvec cut-over v2 -c docs --force" in ended.data["hint"]


def test_in_python_the_hint_names_python(docs: Run, database: str) -> None:
    docs("gate", "--require", "recall@10>=0.95")
    engine = engine_for(create_engine(database.replace("postgresql:", "postgresql+psycopg:")))
    try:
        with pytest.raises(GateRefused) as caught, translated(), transaction(engine) as raw:
            raw.execute("SELECT pgvec.cut_over('docs', 'v2')")
    finally:
        engine.dispose()
    assert "force=True" in str(caught.value)
    assert "force =>" not in str(caught.value)


@pytest.mark.parametrize("several", [False, True])
def test_commands_name_the_collection_where_there_are_several(docs: Run, several: bool) -> None:
    named = ("-c", "docs") if several else ()
    given = " -c docs" if several else ""
    if several:
        docs("init", "handbook")
    assert f"pgvec evaluate{given} v2." in docs("report", "v2", *named).err
    assert f"(pgvec gate{given} --require" in " ".join(
        docs("gate", "--check", "v2", *named).out.split()
    )
    database = docs("doctor", "--sample", "0", "--json", *named)
    said = [f["to_do"] for f in database.data if f["what"].startswith("docs/")]
    assert said
    assert all("pgvec " not in text or given in text for text in said)
    assert "-c -c" not in "".join(said)
