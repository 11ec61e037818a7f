"""What every verb shares: its options, the database, errors, output and Ctrl-C."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

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
from sqlalchemy import Engine

from pgvec_versions.catalog import collection_names
from pgvec_versions.cli.file_url import url_of_file
from pgvec_versions.cli.plain import print_json
from pgvec_versions.cli.printing import console, messages, print_lines
from pgvec_versions.config import Config, load_config
from pgvec_versions.embedders import Embedder, build_embedder
from pgvec_versions.errors import ConfigError, InvalidArgument, UnknownCollection
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.safe_text import line
from pgvec_versions.upgrade.transition import Progress as Step

__all__ = [
    "CollectionOption",
    "ConfigOption",
    "JsonOption",
    "Stopper",
    "UrlOption",
    "Workplace",
    "console",
    "emit",
    "messages",
    "named_embedder",
    "need_positive",
    "progress_bar",
    "workplace",
]

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="PGVEC_DATABASE_URL",
        help="The database; without one, the embedded server.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file; by default pgvec.toml in this folder."),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection", "-c", help="The collection; may be left out where there is only one."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Workplace:
    """An open database with its configuration."""

    def __init__(self, engine: Engine, config: Config, collection: str | None) -> None:
        self.engine = engine
        self.config = config
        self._named = collection
        self._built: dict[str, Embedder] = {}

    @cached_property
    def collection(self) -> str:
        """The collection that is meant. Raises: UnknownCollection when that is not clear."""
        with autocommitted(self.engine) as raw:
            require_catalog(raw)
            names = collection_names(raw)
        if self._named in names:
            return self._named
        if self._named is not None:
            raise UnknownCollection(
                f"there is no collection {self._named!r}.",
                hint=f"There is: {', '.join(names)}."
                if names
                else f"Create it: pgvec init {self._named}.",
            )
        candidates = [name for name in self.config.collections if name in names] or names
        if len(candidates) == 1:
            return candidates[0]
        if not names:
            raise UnknownCollection(
                "there is no collection yet.", hint="Create one: pgvec init NAME."
            )
        raise UnknownCollection(
            f"which collection? There are {', '.join(names)}.", hint="Name it with --collection."
        )

    def embedder(self, label: str) -> Embedder:
        """The embedder that pgvec.toml has for a label. Raises: ConfigError."""
        if label not in self._built:
            tables = self.config.collection(self.collection).embedders
            if label not in tables:
                raise ConfigError(
                    f"{self.config.path} has no embedder for version {label!r} "
                    f"of {self.collection}.",
                    hint=f"Add it under [collections.{self.collection}.previous].",
                )
            self._built[label] = build_embedder(tables[label], where=str(self.config.path))
        return self._built[label]

    def embedders(self) -> dict[str, Embedder]:
        """All embedders that pgvec.toml has for the collection, by label. Loads no model."""
        return {
            label: self.embedder(label)
            for label in self.config.collection(self.collection).embedders
        }


@contextmanager
def workplace(
    url: str | None, config: Path | None = None, collection: str | None = None
) -> Generator[Workplace]:
    """Opens the database that was named, the one of pgvec.toml, or the embedded server."""
    settings = load_config(config)
    if not url and settings.database_url and settings.path is not None:
        url = url_of_file(settings.database_url, settings.path)
    with ExitStack() as opened:
        if not url:
            from pgvec_versions.postgres.embedded import embedded_server

            url = opened.enter_context(embedded_server()).url()
        engine = engine_for(url)
        opened.callback(engine.dispose)
        yield Workplace(engine, settings, collection)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def emit(
    data: Mapping[str, Any] | list[Any], as_json: bool, text: str | Iterable[str] = ""
) -> None:
    """Prints JSON, or the text for people: a line, or several."""
    if as_json:
        print_json(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))
    elif text:
        print_lines(text)


class Stopper:
    """Ctrl-C and SIGTERM: the first asks the step to end in order, the second ends at once.

    Effects: takes both signals while it is entered.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.orderly = True
        self._before: dict[int, Any] = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set() or not self.orderly:
            raise KeyboardInterrupt
        self.event.set()
        messages.print("stopping: what is under way is finished first; Ctrl-C again ends at once.")

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self, resume: str) -> None:
        """Ends the program with exit code 130 if it was asked to stop; says how to go on."""
        if self.event.is_set():
            messages.print(f"stopped; nothing is lost. Go on with: {resume}")
            raise typer.Exit(130)


@contextmanager
def progress_bar(quiet: bool = False) -> Generator[Callable[[Step], None]]:
    """A bar with rate and time left; gives a callback for ``Transition``'s progress.

    The bar goes to stderr, so that stdout stays clean for what is printed.
    """
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
        rate = f"{step.done / step.seconds:,.0f}/s" if step.seconds > 0.5 and step.total > 1 else ""
        bar.update(tasks[step.step], completed=step.done, total=step.total, rate=rate)

    with bar:
        yield show


def need_positive(value: int, name: str) -> int:
    """The value, if it is 1 or more. Raises: InvalidArgument."""
    if value < 1:
        raise InvalidArgument(f"{name} must be 1 or more, not {value}.")
    return value


def named_embedder(here: Workplace, given: str) -> Embedder:
    """An embedder given as JSON, or as a label of pgvec.toml.

    Raises: InvalidArgument, ConfigError.
    """
    if given.lstrip().startswith("{"):
        try:
            spec: dict[str, Any] = json.loads(given)
        except ValueError as exc:
            raise InvalidArgument(f"--embedder is not JSON: {exc}.") from None
        return build_embedder(spec, where="--embedder", typed=True)
    for known in here.config.collections.values():
        if given in known.embedders:
            return build_embedder(known.embedders[given], where=str(here.config.path))
    raise ConfigError(
        f"pgvec.toml has no embedder {given!r}.",
        hint='Name a label of it, or give JSON: {"provider": "…", "model": "…", "revision": "…"}.',
    )
