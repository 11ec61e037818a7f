"""What you see while a verb works: a progress bar, and what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pgvec_versions.cli.printing import messages
from pgvec_versions.postgres.notices import Wait
from pgvec_versions.safe_text import line
from pgvec_versions.upgrade.transition import Progress as Step

#: A rate over less time jumps about. Units: seconds.
_SHORTEST_FOR_A_RATE = 0.5


def duration(seconds: float) -> str:
    """A length of time as people say it: "12 seconds", "12 minutes", "1.5 hours", "3 days"."""
    if seconds < 1:
        return "1 second"
    for unit, length, next_unit in (("second", 1, 90), ("minute", 60, 90 * 60)):
        if seconds < next_unit:
            count = round(seconds / length)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


class Stopper:
    """Ctrl-C and SIGTERM: the first lets the current step finish, the second stops at once.

    Effects: handles both signals inside the ``with`` block. While ``orderly`` is False, the first
    signal stops at once too.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.orderly = True
        self._before: dict[int, Any] = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set() or not self.orderly:
            raise KeyboardInterrupt
        self.event.set()
        messages.print("stopping after the current step; Ctrl-C again stops at once.")

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self, resume: str) -> None:
        """Exits with code 130 if a signal came, and says how to continue."""
        if self.event.is_set():
            messages.print(f"stopped; nothing is lost. Go on with: {resume}")
            raise typer.Exit(130)


def say_waiting(wait: Wait, ways_out: str = "") -> None:
    """Prints a line on stderr about what a verb waits for; ``ways_out`` of a wait for claims."""
    text = f"waiting: {wait.what}"
    messages.print(line(f"{text} {ways_out}" if wait.claims else text), soft_wrap=True)


@contextmanager
def progress_bar(quiet: bool = False) -> Generator[Callable[[Step], None]]:
    """Shows a bar with rate and time left on stderr. Gives the callback that moves it."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=messages,
        disable=quiet,
    )
    tasks: dict[str, Any] = {}

    def show(step: Step) -> None:
        if step.total == 0:
            return
        if step.step not in tasks:
            tasks[step.step] = bar.add_task(line(step.step), total=step.total, rate="")
        rate = ""
        if step.seconds > _SHORTEST_FOR_A_RATE and step.total > 1:
            rate = f"{step.done / step.seconds:,.0f}/s"
        bar.update(tasks[step.step], completed=step.done, total=step.total, rate=rate)

    with bar:
        yield show
