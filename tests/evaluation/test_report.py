"""The report: whole, readable in a real browser, light and dark, and asking nobody for anything."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks.store import ChunkStore
from pgvec_versions.embedders import EmbedderIdentity
from pgvec_versions.errors import FingerprintMismatch, NotReady
from pgvec_versions.evaluation.bounds import parse_bounds
from pgvec_versions.evaluation.measure import evaluate
from pgvec_versions.evaluation.metric_table import metric_rows
from pgvec_versions.evaluation.power import detectable
from pgvec_versions.evaluation.records import record, set_gate
from pgvec_versions.evaluation.report import Gathered, as_html, as_markdown, gather
from pgvec_versions.values import Chunk
from tests.browser import chromium, reads_well
from tests.evaluation.helpers import WordsEmbedder, passages, two_versions
from tests.tab import PAPER, PHONE, Tab, tab

pytest.importorskip("matplotlib", reason="needs the extra evaluate")
__all__ = ["chromium", "tab"]

HOSTILE = "<script>document.title = 'taken'</script> | `x` <b>bold</b> one two three four five."


@pytest.fixture
def reported(engine: Engine) -> Engine:
    """docs with v2 evaluated against v1, a gate that stops it, and a shadow."""
    old, new = WordsEmbedder("a", 64), WordsEmbedder("b", 8)
    two_versions(engine, old, new, [*passages(50), Chunk(HOSTILE, "hostile", 0)])
    set_gate(engine, "docs", parse_bounds(["recall@10>=0.95", "ndcg@10>=active-0.01"]))
    evaluate(engine, "docs", "v2", {"v1": old, "v2": new}, count=51, sweep=(10, 20, 40))
    figures = {"overlap": 0.4, "same_first": 0.2}
    detail = {"share": 1, "dropped": 3, "failed": 0}
    record(
        engine, "docs", "v2", kind="shadow", queries=9, metrics=figures, baseline_version="v1",
        detail=detail,
    )  # fmt: skip
    return engine


def with_hostile_text(gathered: Gathered) -> Gathered:
    """The same with markup for a query and a chunk's text."""
    first = {"document_id": HOSTILE, "text": HOSTILE}
    side = {"score": 0.0, "place": None, "first": first}
    told = {"query": HOSTILE, "relevant": [], "old": side, "new": side}
    detail = {**gathered.evaluation.detail, "losses": [told]}
    return replace(gathered, evaluation=replace(gathered.evaluation, detail=detail))


def test_the_report_reads_well_in_a_browser_on_a_desk_a_phone_and_paper(
    reported: Engine, chromium: str, tab: Tab, tmp_path: Path
) -> None:
    gathered = gather(reported, "docs", "v2")
    seen = reads_well(chromium, as_html(gathered), "report", tmp_path, 7000)
    assert seen["figures"] == ["quality", "curves", "changes", "distances", "timeline"]
    page = tmp_path / "long.html"
    page.write_text(as_html(with_long_names(with_hostile_text(gathered))), "utf-8")
    for opened in (tmp_path / "report.html", page):
        tab.open(opened, PHONE)
        assert tab.cut_off() == []
        assert_legible(tab, 10)
        tab.show((320, 700))
        assert tab.cut_off() == [], "on a small phone too"
        for size in (PAPER, (760, 1000), (1100, 900)):
            tab.show(size)
            assert tab.cut_off() == []
            assert_legible(tab, 11)
    tab.show(PHONE)
    said = "[...document.querySelectorAll('#metrics tr')].filter(r => r.checkVisibility())"
    assert tab.ask(f"{said}.every(r => r.querySelector('small').textContent.endsWith('.'))")


def assert_legible(tab: Tab, least: float) -> None:
    plots = tab.plots()
    assert len(plots) == 7
    for plot in plots:
        assert plot["smallest"] >= least, plot
        assert (plot["outside"], plot["over"]) == ([], []), plot


def with_long_names(gathered: Gathered) -> Gathered:
    """The same with labels of 60 letters."""
    label = "a-label-" * 7 + "long"
    evaluation = replace(
        gathered.evaluation, model_version=f"new-{label}", baseline_version=f"old-{label}"
    )
    segments = tuple(replace(s, version=f"{s.version}-{label}") for s in gathered.segments)
    return replace(gathered, evaluation=evaluation, segments=segments)


def test_the_report_says_how_much_its_queries_prove_and_what_each_measure_is(
    reported: Engine,
) -> None:
    gathered = gather(reported, "docs", "v2")
    deviation = gathered.evaluation.detail["deviations"]["ndcg@10"]
    assert deviation > 0
    smallest = detectable(deviation, 51)
    html, text = as_html(gathered), as_markdown(gathered)
    for page in (html, text):
        assert f"51 queries show a true difference in ndcg@10 of {smallest:.3f}" in page
        for row in metric_rows(gathered.evaluation):
            assert row.meaning
            assert row.meaning.split("'")[0] in page.replace("\\_", "_"), row.name
    assert html.index('id="proof"') < html.index('id="metrics"')
    assert f"would show from {smallest:.3f}" in html


def test_eight_questions_are_said_to_prove_little(engine: Engine) -> None:
    old, new = WordsEmbedder("a", 64), WordsEmbedder("b", 8)
    two_versions(engine, old, new, passages(30))
    for count, said in ((8, "8 queries "), (4, "4 queries cannot show a difference in quality")):
        evaluate(engine, "docs", "v2", {"v1": old, "v2": new}, count=count, sweep=(10,))
        gathered = gather(engine, "docs", "v2")
        for page in (as_html(gathered), as_markdown(gathered)):
            assert said in page


def test_the_report_asks_nobody_and_runs_nothing(reported: Engine) -> None:
    html = as_html(with_hostile_text(gather(reported, "docs", "v2")))
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(script|link|img|iframe|object)\b|url\(\s*['\"]?(?!#)|@import", html)
    assert "&lt;script&gt;document.title" in html, "a chunk's text is text"
    drawn = re.sub(r"<style>.*?</style>", "", html, count=1, flags=re.DOTALL)
    assert "var(--new)" in drawn
    assert not re.search(r"(fill|stroke): ?#[012][0-9a-f]{5}", drawn), "it follows no theme"


def test_the_verdict_comes_first_in_markdown_too(reported: Engine) -> None:
    text = as_markdown(with_hostile_text(gather(reported, "docs", "v2")))
    assert text.startswith("## The gate stops v2\n")
    assert "| nDCG @10 |" in text
    assert "<script>" not in text
    assert "<b>" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in tables)


def test_the_canary_history_and_the_shadow_have_their_place(reported: Engine) -> None:
    class Impostor(WordsEmbedder):
        @property
        def identity(self) -> EmbedderIdentity:
            return WordsEmbedder("b", 8).identity

    def told() -> list[tuple[str, str, float | None]]:
        lines = gather(reported, "docs", "v2").canaries
        return [(line.model_version, line.what.split(":")[0], line.least_cosine) for line in lines]

    assert ("v2", "stored at registration", None) in told()
    measured = [line for line in told() if line[1] == "evaluated"]
    assert measured == [("v1", "evaluated", 1.0), ("v2", "evaluated", 1.0)]
    assert [line[:2] for line in told()[-2:]] == [
        (label, "stands since then") for label in ("v1", "v2")
    ]
    with pytest.raises(FingerprintMismatch):
        ChunkStore(reported, "docs", {"v2": Impostor("c", 8)}).search("text", version="v2")
    gathered = gather(reported, "docs", "v2")
    differs = gathered.canaries[-3]
    assert (differs.tone, differs.worst != "") == ("bad", True)
    assert (differs.least_cosine or 0) < 0.999
    assert (gathered.canaries[-1].tone, gathered.canaries[-1].model_version) == ("bad", "v2")
    for text in (html := as_html(gathered), as_markdown(gathered)):
        assert "an embedder of its name makes other vectors (words words-b)" in text
    assert 'id="canaries"' in html
    assert 'id="shadow"' in html


def test_without_an_evaluation_there_is_no_report(engine: Engine) -> None:
    two_versions(engine, WordsEmbedder("a"), WordsEmbedder("b"), ["one text", "another text"])
    with pytest.raises(NotReady, match="never evaluated"):
        gather(engine, "docs", "v2")


HOSTILE_DETAILS: list[dict[str, Any]] = [
    {},
    dict.fromkeys(("k", "thresholds", "losses", "changes", "intervals", "distances"), "text"),
    dict.fromkeys(("source", "thresholds", "wins", "sweep", "significance", "canaries"), 7),
    {name: [1, None, {}, {"old": 1}] for name in ("thresholds", "losses", "wins", "changes")},
    {name: {"candidate": {"x": 1}, "y": None} for name in ("intervals", "distances", "sweep")},
    {
        "intervals": {
            side: {"$\\frac{": [0, 1], HOSTILE: [0, 1]} for side in ("candidate", "baseline")
        }
    },
    {"losses": [{"query": HOSTILE, "old": {"first": {"text": 1}}, "new": {}}], "changes": [0.5]},
    {"deviations": {"ndcg@10": HOSTILE, HOSTILE: 1}, "changes": [1, 1, 1]},
    {"deviations": {"ndcg@10": -1, "recall@10": 1e308}},
    {"significance": {"ndcg@10": {"delta": "x"}}, "canaries": {"foreign": {}}, "k": None},
]


@pytest.mark.parametrize("gated", [False, True])
def test_the_active_version_has_a_report_too(engine: Engine, gated: bool) -> None:
    """Nothing to compare with: no baseline, no thresholds, no wins and losses."""
    old = WordsEmbedder("a", 64)
    two_versions(engine, old, WordsEmbedder("b", 8), passages(40))
    if gated:
        set_gate(engine, "docs", parse_bounds(["recall@10>=0.95", "ndcg@10>=active-0.01"]))
    evaluate(engine, "docs", "v1", {"v1": old}, count=20, sweep=(10, 20))
    gathered = gather(engine, "docs", "v1")
    assert gathered.evaluation.baseline_version is None
    assert "v1" in as_html(gathered)
    assert "| nDCG @10 | – |" in as_markdown(gathered)


@pytest.mark.parametrize("detail", HOSTILE_DETAILS)
def test_an_evaluation_of_any_other_hand_has_a_report(
    engine: Engine, detail: dict[str, Any]
) -> None:
    """``pgvec.record_evaluation`` takes whatever figures and details another program has."""
    two_versions(engine, WordsEmbedder("a"), WordsEmbedder("b"), ["one text", "another text"])
    figures = {"recall@10": 1, "$\\frac{": 0.5, HOSTILE: 0.1}
    for kind, baseline in (("labelled", "v1"), ("recorded", None), ("shadow", "v1")):
        record(
            engine, "docs", "v2", kind=kind, queries=3, metrics=figures, baseline_version=baseline,
            baseline=figures if baseline else None, detail=detail,
        )  # fmt: skip
    gathered = gather(engine, "docs", "v2")
    html, text = as_html(gathered), as_markdown(gathered)
    assert "<script>" not in html + text
    assert "v2" in html
