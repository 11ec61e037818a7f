"""The report, in a real browser: whole, readable, light and dark, and asking nobody for anything.

The screenshots are kept where PGVEC_SCREENSHOTS says, to be looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pgvec_versions.chunks import Chunk
from pgvec_versions.errors import NotReady
from pgvec_versions.evaluation.bounds import parse_bounds
from pgvec_versions.evaluation.measure import evaluate
from pgvec_versions.evaluation.records import record, set_gate
from pgvec_versions.evaluation.report import Gathered, as_html, as_markdown, gather
from tests.db.helpers import execute
from tests.evaluation.helpers import WordsEmbedder, passages, two_versions

pytest.importorskip("matplotlib", reason="needs the extra evaluate")

HOSTILE = "<script>document.title = 'taken'</script> | `x` <b>bold</b> one two three four five."
DARK, LIGHT = 0, 1
#: Says in the title what the page itself cannot show: does anything stick out, is anything broken?
PROBE = """<script>
const seen = [...document.querySelectorAll('figure svg, table, .verdict')];
document.title = JSON.stringify({
  wide: document.documentElement.scrollWidth - window.innerWidth,
  empty: seen.filter(e => e.getBoundingClientRect().height < 20).length,
  figures: [...document.querySelectorAll('figure')].map(e => e.id),
  paper: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color});
</script>"""


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium. Without one: skipped, or in CI failed."""
    for name in ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    reason = "no Chromium: apt-get install chromium"
    if os.environ.get("PGVEC_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


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


def browse(chromium: str, page: Path, theme: int, width: int, *more: str) -> str:
    done = subprocess.run(
        [
            chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={width},4000",
            f"--blink-settings=preferredColorScheme={theme}",
            *more,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_report_reads_well_in_a_browser_light_and_dark(
    reported: Engine, chromium: str, tmp_path: Path
) -> None:
    from PIL import Image

    page = tmp_path / "report.html"
    html = as_html(gather(reported, "docs", "v2"))
    page.write_text(html, "utf-8")
    probed = tmp_path / "probed.html"
    probed.write_text(html.replace("</body>", f"{PROBE}</body>"), "utf-8")
    brightness = {}
    for theme, name in ((LIGHT, "light"), (DARK, "dark")):
        dom = browse(chromium, probed, theme, 1100, "--dump-dom")
        title = re.search(r"<title>(\{.*?\})</title>", dom)
        assert title is not None, "the title was not the probe's"
        seen = json.loads(title[1])
        assert seen["wide"] <= 0, "something sticks out to the right"
        assert seen["empty"] == 0
        assert seen["figures"] == ["quality", "curves", "changes", "distances", "timeline"]
        folder = Path(os.environ.get("PGVEC_SCREENSHOTS") or tmp_path)
        folder.mkdir(parents=True, exist_ok=True)
        shot = folder / f"report-{name}.png"
        browse(chromium, page, theme, 1100, f"--screenshot={shot}")
        with Image.open(shot) as image:
            assert image.size == (1100, 4000)
            colours = image.convert("L").getcolors(256)
            assert colours is not None
            assert len(colours) > 50, "nothing is drawn"
            brightness[name] = max(colours)[1]
    assert brightness["dark"] < 60 < 200 < brightness["light"]


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


def test_canaries_and_shadow_have_their_place(reported: Engine) -> None:
    execute(
        reported,
        "SELECT pgvec.log_event('docs', 'v2', 'fingerprint_checked', detail => %s::jsonb)",
        '{"lowest": 1}',
    )
    html = as_html(gather(reported, "docs", "v2"))
    assert 'id="canaries"' in html
    assert 'id="shadow"' in html


def test_without_an_evaluation_there_is_no_report(engine: Engine) -> None:
    two_versions(engine, WordsEmbedder("a"), WordsEmbedder("b"), ["one text", "another text"])
    with pytest.raises(NotReady, match="never evaluated"):
        gather(engine, "docs", "v2")
