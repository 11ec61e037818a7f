"""A tab of a headless Chromium, driven over a pipe: a phone, paper, typing, pictures.

Source: https://chromedevtools.github.io/devtools-protocol/. Messages are JSON with a NUL at the
end; Chromium reads them from file descriptor 3 and writes to 4 (``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Units: CSS pixels. The height only matters for pictures.
PHONE = (375, 812)
#: The width of A4 inside margins of 1 cm, at 96 pixels an inch.
PAPER = (718, 1000)
#: A page that has not answered by then does not answer.
_WAIT_SECONDS = 20

#: Returns what sticks out of the page to the right, what is cut off, and scroll boxes without a
#: sign that they scroll. What the reader does not see, such as a closed drawer, does not count.
CUT_OFF = """(() => {
  const page = document.documentElement, told = [], paper = matchMedia('print').matches;
  const short = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + ': '
    + e.textContent.trim().replace(/\\s+/g, ' ').slice(0, 50);
  if (page.scrollWidth > page.clientWidth)
    told.push(`the page is ${page.scrollWidth} wide, the window ${page.clientWidth}`);
  const boxes = e => {
    const kind = getComputedStyle(e).overflowX;
    return kind === 'auto' || kind === 'scroll'; };
  for (const e of document.querySelectorAll(%(within)s + ' *')) {
    const style = getComputedStyle(e);
    if (!e.checkVisibility({visibilityProperty: true}) || e.closest('svg') !== null
        || e.classList.contains('md-clipboard')) continue;
    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
        && style.overflowX !== 'visible')
      if (!boxes(e)) told.push('cut off in ' + short(e));
      else if (paper || !style.backgroundAttachment.includes('local'))
        told.push('scrolls, and does not show it: ' + short(e));
    const [box] = e.getClientRects();
    let held = false;
    for (let up = e; up && up !== document.body; up = up.parentElement) held ||= boxes(up);
    if (box && box.right > page.clientWidth + 1 && !held) told.push('sticks out: ' + short(e));
  }
  return told;
})()"""

#: The smallest text of the plots that are shown, as the reader sees it, in CSS pixels; with the
#: texts that stick out of their plot.
PLOT_TEXTS = """[...document.querySelectorAll('figure svg')].filter(s => s.checkVisibility())
  .map(svg => {
    const scale = svg.getScreenCTM().a, whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')];
    return {
      figure: svg.closest('figure').id,
      smallest: Math.min(...texts.map(t => parseFloat(getComputedStyle(t).fontSize) * scale)),
      outside: texts.filter(t => {
        const box = t.getBoundingClientRect();
        return box.left < whole.left - 1 || box.right > whole.right + 1; }).map(t => t.textContent),
      over: texts.filter((t, i) => texts.some((o, j) => {
        if (j <= i) return false;
        const [a, b] = [t.getBoundingClientRect(), o.getBoundingClientRect()];
        return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
          && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3; }))
        .map(t => t.textContent)};
  })"""


class Tab:
    """One tab. ``size`` and ``theme`` hold for every page that it opens next."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        self._call("Page.enable")

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._answers, 1 << 20)
            assert read, "Chromium went away"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        sent: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            sent["sessionId"] = self._session
        os.write(self._commands, json.dumps(sent).encode() + b"\0")
        while (got := self._message()).get("id") != self._number:
            pass
        assert "error" not in got, got
        return got["result"]

    def open(self, page: Path, size: tuple[int, int] = PHONE, theme: str = "light") -> None:
        """Opens a file and waits until it is loaded."""
        self.show(size, theme)
        # By way of an empty page: the same address with another anchor would not load again.
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("location.protocol === 'file:' && document.readyState === 'complete'")

    def show(self, size: tuple[int, int], theme: str = "light") -> None:
        """Another size or theme for the page; ``PAPER``: as it is printed."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=2 if size == PHONE else 1,
            mobile=size == PHONE,
        )
        self._call(
            "Emulation.setEmulatedMedia",
            media="print" if size == PAPER else "screen",
            features=[{"name": "prefers-color-scheme", "value": theme}],
        )

    def ask(self, script: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        got = self._call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Waits until the expression is true. Fails after some seconds."""
        asked = f"""new Promise(done => {{
          const end = Date.now() + {1000 * _WAIT_SECONDS};
          const ask = () => {{ if ({script}) done(true); else if (Date.now() > end) done(false);
            else setTimeout(ask, 20); }};
          ask(); }})"""
        assert self.ask(asked), f"not within {_WAIT_SECONDS} seconds: {script}"

    def type(self, text: str) -> None:
        """Types into what has the focus."""
        self._call("Input.insertText", text=text)

    def cut_off(self, within: str = "body") -> list[str]:
        """What the reader cannot see or scroll to, in words. ``within``: a CSS selector."""
        return self.ask(CUT_OFF % {"within": json.dumps(within)})

    def plots(self) -> list[dict[str, Any]]:
        """Of each plot that is shown: its smallest text, and texts outside it or over others."""
        return self.ask(PLOT_TEXTS)

    def picture(self, path: Path) -> None:
        """Writes the whole page as a PNG."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self._call(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1},
        )
        path.write_bytes(base64.b64decode(shot["data"]))


@pytest.fixture(scope="session")
def tab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Tab]:
    """One tab for all tests of a file; needs ``tests.browser.chromium``."""
    with open_tab(chromium, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@contextmanager
def open_tab(chromium: str, profile: Path) -> Generator[Tab]:
    """A browser of its own with one tab; ``profile`` is a folder for its files."""
    their_commands, commands = os.pipe()
    answers, their_answers = os.pipe()
    script = f'exec "$0" "$@" 3<&{their_commands} 4>&{their_answers}'
    browser = subprocess.Popen(
        [
            "bash",
            "-c",
            script,
            chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        pass_fds=(their_commands, their_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_commands)
    os.close(their_answers)
    try:
        yield Tab(commands, answers)
    finally:
        browser.terminate()
        browser.wait(timeout=30)
        os.close(commands)
        os.close(answers)
