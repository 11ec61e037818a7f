"""Pages in a real browser: whole, readable, light and dark.

The screenshots are kept where PGVEC_SCREENSHOTS says, to be looked at.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.tab import open_tab

__all__ = ["chromium", "reads_well"]

#: Says in the title what the page itself cannot show: does anything stick out, is anything broken?
_PROBE = """<script>
const seen = [...document.querySelectorAll('figure svg, table, .verdict')];
document.title = JSON.stringify({
  wide: document.documentElement.scrollWidth - window.innerWidth,
  clipped: [...document.querySelectorAll('body *')].filter(e => !e.closest('svg')
    && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible')
    .map(e => e.textContent.trim().slice(0, 40)),
  empty: seen.filter(e => e.getBoundingClientRect().height < 20).length,
  seen: seen.length,
  figures: [...document.querySelectorAll('figure')].map(e => e.id),
  faint: [...document.querySelectorAll('td, th, p, h1, h2, li')].filter(e => {
    const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(x => {
      x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const back = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
    if (!e.textContent.trim()) return false;
    const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5; }).map(e => e.textContent.trim().slice(0, 40))});
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


def reads_well(
    chromium: str, html: str, name: str, folder: Path, height: int = 4000
) -> dict[str, Any]:
    """Opens the page in both themes, asserts that it can be read, and returns what was seen.

    ``folder`` takes the page and the screenshots.
    """
    from PIL import Image

    page, probed = folder / f"{name}.html", folder / f"{name}-probed.html"
    page.write_text(html, "utf-8")
    probed.write_text(html.replace("</body>", f"{_PROBE}</body>"), "utf-8")
    kept = Path(os.environ.get("PGVEC_SCREENSHOTS") or folder)
    kept.mkdir(parents=True, exist_ok=True)
    brightness: dict[str, int] = {}
    seen: dict[str, Any] = {}
    with open_tab(chromium, folder / "profile") as tab:
        for theme in ("light", "dark"):
            tab.open(probed, (1100, height), theme)
            seen = json.loads(tab.ask("document.title"))
            assert seen["wide"] <= 0, "something sticks out to the right"
            assert seen["clipped"] == [], "something has to be scrolled to"
            assert (seen["empty"], seen["seen"] > 0) == (0, True)
            assert seen["faint"] == [], f"too faint to read in {theme}"
            shot = kept / f"{name}-{theme}.png"
            tab.open(page, (1100, height), theme)
            tab.picture(shot)
            with Image.open(shot) as image:
                colours = image.convert("L").getcolors(256)
                assert colours is not None
                assert len(colours) > 50, "nothing is drawn"
                _, most = max(colours)
                assert isinstance(most, int)
                brightness[theme] = most
    assert brightness["dark"] < 60 < 200 < brightness["light"]
    return seen
