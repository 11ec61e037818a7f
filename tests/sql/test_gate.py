"""The gate: what cut_over lets through, what it stops, and what is written down."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.sql.helpers import in_background, one, refused, rows, state, wait_until_blocked
from tests.tools import Connect, copy_version, live_collection

Connection = psycopg.Connection[Any]
GOOD = {"recall@10": 0.99, "ndcg@10": 0.71}
BEFORE = {"recall@10": 0.98, "ndcg@10": 0.70}


@pytest.fixture
def ready(tx: Connection) -> Connection:
    """docs on v1, v2 ready beside it."""
    live_collection(tx, count=20)
    add_version(tx, "v2")
    return tx


def add_version(db: Connection, label: str) -> None:
    db.execute("SELECT pgvec.register_version('docs', %s, 8)", (label,))
    copy_version(db, "docs", "v1", label)
    for verb in ("build_index", "make_ready"):
        db.execute(f"SELECT pgvec.{verb}('docs', %s)".encode(), (label,))


def set_gate(db: Connection, bounds: dict[str, Any], **options: Any) -> None:
    names = "".join(f", {name} => %s" for name in options)
    db.execute(
        f"SELECT pgvec.set_gate('docs', %s{names})".encode(),
        (json.dumps(bounds), *options.values()),
    )


def record(
    db: Connection,
    metrics: dict[str, Any] | None = None,
    version: str = "v2",
    baseline: str | None = "v1",
    queries: int = 50,
    kind: str = "labelled",
) -> int:
    return one(
        db,
        "SELECT pgvec.record_evaluation('docs', %s, %s, %s, %s, %s, %s)",
        version,
        json.dumps(metrics or GOOD),
        queries,
        kind,
        baseline,
        json.dumps(BEFORE),
    )


def cut_over(db: Connection, version: str = "v2") -> Any:
    return one(db, "SELECT pgvec.cut_over('docs', %s)", version)


def stopped(db: Connection, version: str = "v2") -> list[dict[str, Any]]:
    """What the gate says against a cut-over, which must not have happened."""
    refusal = refused(db, "PV080", "SELECT pgvec.cut_over('docs', %s)", version)
    assert state(db, version) == "ready"
    assert version in refusal.message
    return refusal.detail["failures"]


BOUNDS = {"recall@10": {"min": 0.95}, "ndcg@10": {"max_drop": 0.01}}


def test_without_a_gate_nothing_is_demanded(ready: Connection) -> None:
    assert cut_over(ready) == "v1"


def test_a_gate_demands_an_evaluation(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    assert [f["check"] for f in stopped(ready)] == ["evaluation"]
    record(ready)
    assert cut_over(ready) == "v1"
    passed = rows(ready, "SELECT verb FROM pgvec.version_event WHERE verb LIKE 'gate%'")
    assert passed == [("gate_passed",)]


@pytest.mark.parametrize(
    ("metrics", "check", "found"),
    [
        ({"recall@10": 0.94, "ndcg@10": 0.71}, "recall@10", 0.94),
        ({"recall@10": 0.99, "ndcg@10": 0.68}, "ndcg@10", 0.68),
        ({"recall@10": 0.99}, "ndcg@10", None),
        ({"ndcg@10": 0.71}, "recall@10", None),
    ],
)
def test_a_bound_that_is_not_met_stops_it_with_the_numbers(
    ready: Connection, metrics: dict[str, float], check: str, found: float | None
) -> None:
    set_gate(ready, BOUNDS)
    record(ready, metrics)
    (failure,) = stopped(ready)
    assert (failure["check"], failure["found"]) == (check, found)
    assert failure["needed"] in (0.95, 0.01)
    if check == "ndcg@10":
        assert failure["baseline"] == BEFORE["ndcg@10"]


def test_upper_bounds_hold_too(ready: Connection) -> None:
    set_gate(ready, {"search_ms_p95": {"max": 50, "max_rise": 10}})
    record(ready, {"search_ms_p95": 60})
    assert {f["bound"] for f in stopped(ready)} == {"max", "max_rise"}


def test_an_old_evaluation_does_not_count(ready: Connection) -> None:
    set_gate(ready, BOUNDS, max_age="1 hour")
    record(ready)
    ready.execute("UPDATE pgvec.evaluation SET at = at - interval '61 minutes'")
    assert [f["check"] for f in stopped(ready)] == ["age"]


def test_the_newest_evaluation_is_the_one_that_counts(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    record(ready)
    newest = record(ready, {"recall@10": 0.5, "ndcg@10": 0.71})
    refusal = refused(ready, "PV080", "SELECT pgvec.cut_over('docs', 'v2')")
    assert refusal.detail["evaluation_id"] == newest


def test_too_few_queries_do_not_count(ready: Connection) -> None:
    set_gate(ready, BOUNDS, min_queries=100)
    record(ready, queries=99)
    assert [(f["check"], f["found"]) for f in stopped(ready)] == [("queries", 99)]


def test_labels_can_be_demanded(ready: Connection) -> None:
    set_gate(ready, BOUNDS, labelled=True)
    record(ready, kind="known_item")
    assert [f["check"] for f in stopped(ready)] == ["evaluation"]
    record(ready, kind="labelled")
    cut_over(ready)


@pytest.mark.parametrize("kind", ["shadow", "recorded"])
def test_queries_without_an_answer_never_open_the_gate(ready: Connection, kind: str) -> None:
    set_gate(ready, BOUNDS)
    record(ready, kind=kind)
    assert [f["check"] for f in stopped(ready)] == ["evaluation"]


def test_an_index_built_since_was_not_evaluated(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    record(ready)
    ready.execute("DROP INDEX pgvec_leaves.docs__v2_hnsw")
    ready.execute("SELECT pgvec.build_index('docs', 'v2')")
    assert [f["check"] for f in stopped(ready)] == ["index"]


def test_many_chunks_since_were_not_evaluated(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    record(ready)
    ready.execute("UPDATE pgvec.evaluation SET chunks = 15")
    (failure,) = stopped(ready)
    assert (failure["check"], failure["evaluated"], failure["now"]) == ("chunks", 15, 20)


def test_a_drop_is_measured_against_the_version_that_is_active_now(ready: Connection) -> None:
    add_version(ready, "v3")
    record(ready, version="v2")
    record(ready, version="v3")
    cut_over(ready, "v2")
    set_gate(ready, BOUNDS)
    (failure,) = stopped(ready, "v3")
    assert (failure["check"], failure["found"], failure["needed"]) == ("baseline", "v1", "v2")


def test_the_first_version_has_nothing_to_fall_behind(tx: Connection) -> None:
    tx.execute("SELECT pgvec.create_collection('other')")
    tx.execute("SELECT pgvec.register_version('other', 'v1', 8)")
    tx.execute("SELECT pgvec.build_index('other', 'v1'), pgvec.make_ready('other', 'v1')")
    tx.execute("SELECT pgvec.set_gate('other', %s)", (json.dumps(BOUNDS),))
    tx.execute("SELECT pgvec.record_evaluation('other', 'v1', '{\"recall@10\": 1}', 20)")
    assert one(tx, "SELECT pgvec.cut_over('other', 'v1')") is None


def test_force_needs_a_reason_and_both_are_recorded(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    record(ready, {"recall@10": 0.5, "ndcg@10": 0.71})
    for reason in (None, "  "):
        statement = "SELECT pgvec.cut_over('docs', 'v2', force => true, reason => %s)"
        refused(ready, "PV007", statement, reason)
    ready.execute("SELECT pgvec.cut_over('docs', 'v2', force => true, reason => 'v1 is gone')")
    (detail,) = rows(ready, "SELECT detail FROM pgvec.version_event WHERE verb = 'gate_forced'")
    assert detail[0]["reason"] == "v1 is gone"
    assert [f["check"] for f in detail[0]["failures"]] == ["recall@10"]
    assert state(ready, "v2") == "active"


def test_force_passes_the_gate_and_no_other_check(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    ready.execute("DROP INDEX pgvec_leaves.docs__v2_hnsw")
    statement = "SELECT pgvec.cut_over('docs', 'v2', force => true, reason => 'now')"
    refused(ready, "PV006", statement)
    assert rows(ready, "SELECT FROM pgvec.version_event WHERE verb = 'gate_forced'") == []


def test_a_version_that_is_not_ready_is_told_so_first(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    ready.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    refused(ready, "PV005", "SELECT pgvec.cut_over('docs', 'v3')")
    refused(ready, "PV002", "SELECT pgvec.cut_over('docs', 'nobody')")


def test_a_roll_back_is_never_gated(ready: Connection) -> None:
    cut_over(ready)
    set_gate(ready, BOUNDS)
    assert one(ready, "SELECT pgvec.roll_back('docs')") == "v1"
    assert state(ready, "v1") == "active"


def test_a_gate_can_be_taken_away_and_that_is_recorded(ready: Connection) -> None:
    assert one(ready, "SELECT pgvec.drop_gate('docs')") is False
    set_gate(ready, BOUNDS)
    assert one(ready, "SELECT pgvec.drop_gate('docs')") is True
    cut_over(ready)
    verbs = [
        verb for (verb,) in rows(ready, "SELECT verb FROM pgvec.version_event ORDER BY event_id")
    ]
    assert [v for v in verbs if v.endswith("_gate")] == ["set_gate", "drop_gate"]


def test_whoever_was_judged_against_another_version_is_not_let_in(
    db: Connection, connect: Connect
) -> None:
    live_collection(db, count=20)
    set_gate(db, BOUNDS)
    for label in ("v2", "v3"):
        add_version(db, label)
        record(db, version=label)
    first, second = connect(autocommit=False), connect()
    first.execute("SELECT pgvec.cut_over('docs', 'v2')")
    second.execute("SET lock_timeout = 0")
    statement = b"SELECT pgvec.cut_over('docs', 'v3', '20 s', 1)"
    with in_background(second.execute, statement) as late:
        wait_until_blocked(db, second)
        first.commit()
        with pytest.raises(psycopg.Error) as caught:
            late.result()
    assert caught.value.sqlstate == "PV009"
    assert (state(db, "v2"), state(db, "v3")) == ("active", "ready")


@pytest.mark.parametrize(
    "bounds",
    [None, "[]", "{}", '{"r": 1}', '{"r": {}}', '{"r": {"least": 1}}', '{"r": {"min": "1"}}'],
)
def test_bounds_that_mean_nothing_are_refused(ready: Connection, bounds: str | None) -> None:
    refused(ready, "PV007", "SELECT pgvec.set_gate('docs', %s)", bounds)


@pytest.mark.parametrize(
    "metric",
    [
        *("recal@10", "recall", "recall@", "recall@0", "recall@ten", "recall@010", "recall@10 "),
        *("Recall@10", "recall@10\n", "search_ms_p95@10", "search_ms_p99", "", "precision@5"),
        *("recall@10@10", "recall_10"),
    ],
)
def test_a_metric_that_nothing_records_is_refused_and_the_gate_stays(
    ready: Connection, metric: str
) -> None:
    set_gate(ready, BOUNDS, max_age="1 hour")
    before = rows(ready, "SELECT * FROM pgvec.gate")
    bounds = json.dumps({**BOUNDS, metric: {"min": 0.9}})
    refusal = refused(ready, "PV007", "SELECT pgvec.set_gate('docs', %s)", bounds)
    assert refusal.detail["metric"] == metric
    assert "recall@K" in refusal.hint
    assert rows(ready, "SELECT * FROM pgvec.gate") == before


@pytest.mark.parametrize(
    "metric",
    ["recall@10", "hit_rate@1", "mrr@5", "ndcg@100", "reproduced", "search_ms_p50",
     "search_ms_p95", "embed_ms_p50", "embed_ms_p95", "index_bytes", "table_bytes"],
)  # fmt: skip
def test_every_metric_that_an_evaluation_records_can_be_bounded(
    ready: Connection, metric: str
) -> None:
    set_gate(ready, {metric: {"min": 0, "max": 1e12, "max_drop": 1, "max_rise": 1}})


@pytest.mark.parametrize(
    ("bound", "kept"),
    [
        ({"min": 0.9, "max": 0.8}, False),
        ({"min": 0.95, "max": 0.95}, True),
        ({"max_drop": -0.2, "max_rise": 0.1}, False),
        ({"max_drop": -0.1, "max_rise": 0.1}, True),
        ({"min": 0.9, "max": 0.8, "max_drop": 1}, False),
    ],
)
def test_bounds_that_no_figure_can_meet_are_refused_and_the_gate_stays(
    ready: Connection, bound: dict[str, float], kept: bool
) -> None:
    set_gate(ready, BOUNDS)
    new = {"ndcg@10": {"min": 0.1}, "recall@10": bound}
    if kept:
        set_gate(ready, new)
    else:
        refusal = refused(ready, "PV007", "SELECT pgvec.set_gate('docs', %s)", json.dumps(new))
        assert (refusal.detail["metric"], refusal.detail["bound"]) == ("recall@10", bound)
    assert rows(ready, "SELECT bounds FROM pgvec.gate") == [(new if kept else BOUNDS,)]


@pytest.mark.parametrize("metric", ["overlap@10", "rank_correlation"])
def test_what_compares_two_versions_has_only_fixed_bounds(ready: Connection, metric: str) -> None:
    set_gate(ready, {metric: {"min": 0.5, "max": 1}})
    for bound in ("max_drop", "max_rise"):
        bounds = json.dumps({metric: {bound: 0.1}})
        refused(ready, "PV007", "SELECT pgvec.set_gate('docs', %s)", bounds)


def test_a_metric_of_your_own_is_known_once_it_was_recorded(ready: Connection) -> None:
    bounds = json.dumps({"our_score": {"min": 0.9}})
    refused(ready, "PV007", "SELECT pgvec.set_gate('docs', %s)", bounds)
    record(ready, {"our_score": 0.95})
    set_gate(ready, {"our_score": {"min": 0.9}})
    assert cut_over(ready) == "v1"


def test_what_you_do_not_give_keeps_its_value_and_what_is_replaced_is_said(
    ready: Connection,
) -> None:
    assert one(ready, "SELECT pgvec.set_gate('docs', %s)", json.dumps(BOUNDS)) is None
    first = ("7 days", 20, False, 0.1)
    terms = "max_age::text, min_queries, labelled, max_changed"
    assert rows(ready, f"SELECT {terms} FROM pgvec.gate") == [first]
    given = ("2 days", 5, True, 0.5)
    set_gate(ready, BOUNDS, max_age=given[0], min_queries=5, labelled=True, max_changed=0.5)
    new = json.dumps({"recall@10": {"min": 0.5}})
    replaced = "SELECT g.bounds, g.max_age::text, g.min_queries FROM pgvec.set_gate('docs', %s) g"
    assert rows(ready, replaced, new) == [(BOUNDS, "2 days", 5)]
    assert rows(ready, f"SELECT {terms} FROM pgvec.gate") == [given]
    ready.execute("SELECT pgvec.set_gate('docs', labelled => false)")
    assert rows(ready, f"SELECT bounds, {terms} FROM pgvec.gate") == [
        (json.loads(new), "2 days", 5, False, 0.5)
    ]
    last = rows(ready, "SELECT detail FROM pgvec.version_event ORDER BY event_id DESC LIMIT 1")
    assert last[0][0]["replaced"]["labelled"] is True


def test_the_hint_names_sql(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    refusal = refused(ready, "PV080", "SELECT pgvec.cut_over('docs', 'v2')")
    assert "SELECT pgvec.cut_over('docs', 'v2', force => true" in refusal.hint
    assert "pgvec evaluate" not in refusal.hint


def test_figures_must_be_numbers_and_the_version_must_answer(ready: Connection) -> None:
    refused(ready, "PV007", "SELECT pgvec.record_evaluation('docs', 'v2', '{\"a\": \"1\"}', 5)")
    refused(ready, "PV007", "SELECT pgvec.record_evaluation('docs', 'v2', NULL, 5)")
    refused(ready, "PV007", "SELECT pgvec.record_evaluation('docs', 'v2', '{}', -1)")
    refused(ready, "PV007", "SELECT pgvec.record_evaluation('docs', 'v2', '{}', 1, 'guessed')")
    ready.execute("SELECT pgvec.register_version('docs', 'v3', 8)")
    refused(ready, "PV005", "SELECT pgvec.record_evaluation('docs', 'v3', '{}', 5)")


def test_a_dry_run_names_the_gate_until_it_lets_the_version_through(ready: Connection) -> None:
    def ways() -> list[tuple[str, dict[str, Any]]]:
        dry = (
            "SELECT what, detail FROM pgvec.preview('cut_over', 'docs', 'v2') WHERE kind <> 'does'"
        )
        return rows(ready, dry)

    assert ways() == []
    set_gate(ready, BOUNDS)
    record(ready, {**GOOD, "recall@10": 0.5})
    ((said, detail),) = ways()
    assert said == "the gate stops v2: recall@10 is 0.5000, at least 0.95"
    assert detail == {"gate": stopped(ready)}
    record(ready, {"recall@10": 0.5, "ndcg@10": 0.5}, queries=3)
    assert [said for said, _ in ways()] == [
        "the gate stops v2: its evaluation rests on 3 queries, at least 20",
        "the gate stops v2: ndcg@10 is 0.5000, at most 0.01 below 0.7000",
        "the gate stops v2: recall@10 is 0.5000, at least 0.95",
    ]
    record(ready)
    assert ways() == []


def test_evaluations_and_gate_go_with_their_collection(ready: Connection) -> None:
    set_gate(ready, BOUNDS)
    record(ready)
    ready.execute("SELECT pgvec.drop_collection('docs')")
    assert rows(ready, "SELECT FROM pgvec.gate UNION ALL SELECT FROM pgvec.evaluation") == []
