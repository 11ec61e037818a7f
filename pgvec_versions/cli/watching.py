"""``pgvec status --watch``: the status again and again, with rate, time left, and what blocks.

On a terminal it is one picture that changes; elsewhere each look is printed below the one before.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar

from pgvec_versions.catalog import status_rows
from pgvec_versions.cli.next_step import COLOURS, next_step
from pgvec_versions.cli.printing import console, emit_line, print_lines, stacked, styled
from pgvec_versions.cli.progress import duration
from pgvec_versions.cli.workplace import Workplace
from pgvec_versions.errors import InvalidArgument, NotPermitted, ServerError
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.rows import read_rows, read_value
from pgvec_versions.upgrade.preview import preview

#: Between two looks, unless --interval says otherwise. Units: seconds.
INTERVAL = 2.0
_LEAST_INTERVAL, _MOST_INTERVAL = 0.1, 86_400.0
#: A look counts rows. It never takes more than this part of the time.
_LARGEST_SHARE = 0.2
#: The rate is that of the last looks, over so many seconds.
_RATE_OVER = 60.0
_BAR_WIDTH = 40

#: A version: its collection and its label.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw. ``trouble`` is why there was nothing to see, if there was not.

    ``builds``: the leaves whose index is being built, and how much of it is done.
    Units: ``at`` in seconds of the monotonic clock; shares from 0 to 1.
    """

    at: float
    rows: list[dict[str, Any]]
    claims: dict[Key, int] = field(default_factory=dict[Key, int])
    workers: int = 0
    builds: dict[str, float | None] = field(default_factory=dict[str, float | None])
    blocks: dict[Key, tuple[str, ...]] = field(default_factory=dict[Key, tuple[str, ...]])
    trouble: str | None = None


class Rates:
    """How fast versions are filled, from one look to the next. Pure."""

    def __init__(self) -> None:
        self._seen: dict[Key, deque[tuple[float, int]]] = {}

    def saw(self, key: Key, at: float, missing: int) -> float | None:
        """Takes what a look saw. Returns the rate, or None while it is not known.

        Units: chunks a second, negative if more is written than is embedded.
        """
        seen = self._seen.setdefault(key, deque())
        seen.append((at, missing))
        while at - seen[0][0] > _RATE_OVER and len(seen) > 2:
            seen.popleft()
        began, before = seen[0]
        return (before - missing) / (at - began) if at > began else None


def check_interval(seconds: float | None) -> float:
    """The seconds between two looks. Raises: InvalidArgument."""
    if seconds is None:
        return INTERVAL
    if not _LEAST_INTERVAL <= seconds <= _MOST_INTERVAL:
        raise InvalidArgument(
            f"--interval must be {_LEAST_INTERVAL:g} to {_MOST_INTERVAL:,.0f} seconds, "
            f"not {seconds:g}."
        )
    return seconds


def watch_status(here: Workplace, collection: str | None, interval: float, as_json: bool) -> None:
    """Looks until Ctrl-C or SIGTERM, and then returns. Waits for a database that is away."""
    rates = Rates()
    with _until_stopped(), _shown(as_json) as show:
        last = _look(here, collection)
        while True:
            show(last, _described(here, last, rates))
            _wait(max(interval, (time.monotonic() - last.at) / _LARGEST_SHARE))
            began = time.monotonic()
            try:
                last = _look(here, collection)
            except ServerError as exc:
                last = Sight(began, [], trouble=f"cannot look: {exc.message} Trying again.")


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


@contextmanager
def _until_stopped() -> Generator[None]:
    """Ends the block quietly at Ctrl-C or SIGTERM."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if in_main else None
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, before)


def _look(here: Workplace, collection: str | None) -> Sight:
    at = time.monotonic()
    with autocommitted(here.engine) as raw:
        require_catalog(raw)
        rows = status_rows(raw, collection)
        held = read_rows(raw, sqlfiles.query("claims_held"))
        workers = int(read_value(raw, sqlfiles.query("workers_alive")))
        building = read_rows(raw, sqlfiles.query("index_builds"))
    claims = {(row.collection, row.model_version): row.claims for row in held}
    live = [row for row in rows if row["chunks"] is not None]
    # What changes comes first: a low terminal shows the beginning.
    live.sort(key=lambda row: row["state"] not in ("building", "ready"))
    blocks = {_key(row): _blocks(here, row) for row in live}
    return Sight(at, live, claims, workers, {row.leaf: row.share for row in building}, blocks)


def _key(row: dict[str, Any]) -> Key:
    return row["collection"], row["model_version"]


def _blocks(here: Workplace, row: dict[str, Any]) -> tuple[str, ...]:
    """What keeps the version from its next state, as far as its status does not say it."""
    if row["state"] != "ready":
        return ()
    try:
        return preview(here.engine, "cut_over", *_key(row)).in_the_way
    except NotPermitted:
        return ()


@dataclass(frozen=True, slots=True)
class Described:
    """A version in words. ``share`` is how complete it is, while it is filled."""

    row: dict[str, Any]
    meaning: str
    share: float | None
    lines: tuple[str, ...]
    data: dict[str, Any]


def _described(here: Workplace, sight: Sight, rates: Rates) -> list[Described]:
    return [_describe(here, sight, row, rates) for row in sight.rows]


def _describe(here: Workplace, sight: Sight, row: dict[str, Any], rates: Rates) -> Described:
    key = _key(row)
    step = next_step(row, here.labels.get(key[0]))
    rate = rates.saw(key, sight.at, row["missing"])
    command = here.command(*step.command, collection=key[0]) if step.command else None
    filled = row["state"] == "building"
    left = row["missing"] / rate if rate and rate > 0 and row["missing"] else None
    claims = sight.claims.get(key, 0)
    lines: list[str] = []
    if filled or row["missing"] or row["items_open"]:
        total = row["chunks"] + row["missing"]
        lines.append(
            f"{row['chunks']:,} of {total:,} chunks ({float(row['share_complete']):.1%}), "
            f"{_rate_words(rate)}, {f'{duration(left)} left' if left else 'time left not known'}"
        )
        lines.append(f"workers alive: {sight.workers}; claims held: {claims}")
    if row["leaf"] in sight.builds:
        built = sight.builds[row["leaf"]]
        lines.append("its index is being built" + ("" if built is None else f": {built:.0%}"))
    if row["last_error"]:
        lines.append(f"last error: {row['last_error']}")
    lines += [f"in the way: {line}" for line in sight.blocks.get(key, ())]
    if command is not None:
        lines.append(f"{step.leads}: {command}")
    data = {
        **row,
        "chunks_per_second": rate,
        "seconds_left": left,
        "workers_alive": sight.workers,
        "claims_held": claims,
        "index_share": sight.builds.get(row["leaf"]),
        "in_the_way": list(sight.blocks.get(key, ())),
        "next": command,
    }
    share = float(row["share_complete"]) if filled else None
    return Described(row, step.meaning, share, tuple(lines), data)


def _rate_words(rate: float | None) -> str:
    if rate is None:
        return "rate not known yet"
    return f"{max(rate, 0):,.3g} a second" if rate >= 0 else "more is written than is embedded"


# --- Showing it ---

Show = Callable[[Sight, list[Described]], None]


@contextmanager
def _shown(as_json: bool) -> Generator[Show]:
    """Gives the function that shows a look: on a terminal in place, elsewhere one below another."""
    if as_json:
        yield _show_json
    elif not sys.stdout.isatty():
        yield _show_lines
    else:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda sight, found: live.update(stacked(_pieces(sight, found)), refresh=True)


def _show_json(sight: Sight, found: list[Described]) -> None:
    data = {"at": datetime.now().astimezone(), "trouble": sight.trouble}
    emit_line({**data, "versions": [one.data for one in found]})


def _show_lines(sight: Sight, found: list[Described]) -> None:
    print_lines(_heading(sight, found))
    for one in found:
        collection, label = _key(one.row)
        print_lines(f"{collection}  {label}  {one.row['state']}  {one.meaning}")
        print_lines(f"  {text}" for text in one.lines)


def _pieces(sight: Sight, found: list[Described]) -> Iterable[Any]:
    yield styled((f"{_heading(sight, found)}; Ctrl-C ends it", "dim"))
    for one in found:
        collection, label = _key(one.row)
        state = (one.row["state"], COLOURS.get(one.row["state"], "dim"))
        yield styled(f"{collection}  {label}  ", state, f"  {one.meaning}")
        if one.share is not None:
            bar = ProgressBar(total=1.0, completed=one.share, width=_BAR_WIDTH)
            yield Padding(bar, (0, 0, 0, 2))
        for text in one.lines:
            yield Padding(styled(text), (0, 0, 0, 2))


def _heading(sight: Sight, found: list[Described]) -> str:
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    if sight.trouble:
        return f"{now}  {sight.trouble}"
    return f"{now}  {len(found)} versions" if found else f"{now}  no version has chunks yet"
