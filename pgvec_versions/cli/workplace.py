"""Where a verb works: the database, its configuration, and the collection that is meant."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from pgvec_versions.catalog import Collection, collection_names
from pgvec_versions.cli.file_url import url_of_file
from pgvec_versions.config import Config, load_config
from pgvec_versions.embedders import Embedder, build_embedder
from pgvec_versions.errors import ConfigError, GateRefused, InvalidArgument, UnknownCollection
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.install import require_catalog


class Workplace:
    """An open database with its configuration."""

    def __init__(self, engine: Engine, config: Config, collection: str | None) -> None:
        self.engine = engine
        self.config = config
        self._named = collection
        self._built: dict[str, Embedder] = {}

    @cached_property
    def collection(self) -> str:
        """The collection to work on. Raises: UnknownCollection if it is unclear which."""
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
        """The embedder that pgvec.toml names for a version. Raises: ConfigError."""
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
        """The embedders that pgvec.toml names for the collection, by label. Loads no model."""
        return {
            label: self.embedder(label)
            for label in self.config.collection(self.collection).embedders
        }


def gate_hint(here: Workplace, label: str) -> str:
    """What to do when the gate stops a version, as commands to copy."""
    with autocommitted(here.engine) as raw:
        several = len(collection_names(raw)) > 1
    where = f" -c {here.collection}" if several else ""
    version = shlex.quote(label)
    return (
        f"Evaluate it: pgvec evaluate {version}{where}; read pgvec report {version}{where}. "
        f"Or, knowingly: pgvec cut-over {version}{where} --force --reason '…'."
    )


def version_states(known: Collection) -> str:
    """Every version of a collection with its state, to choose from."""
    return ", ".join(f"{v.model_version} ({v.state})" for v in known.versions) or "none"


@contextmanager
def workplace(
    url: str | None, config: Path | None = None, collection: str | None = None
) -> Generator[Workplace]:
    """Opens the database: the given URL, else the one in pgvec.toml, else the embedded server."""
    settings = load_config(config)
    if not url and settings.database_url and settings.path is not None:
        url = url_of_file(settings.database_url, settings.path)
    with ExitStack() as opened:
        if not url:
            from pgvec_versions.postgres.embedded import embedded_server

            url = opened.enter_context(embedded_server()).url()
        engine = engine_for(url)
        opened.callback(engine.dispose)
        here = Workplace(engine, settings, collection)
        try:
            yield here
        except GateRefused as refused:
            refused.hint = gate_hint(here, str(refused.detail.get("model_version", "VERSION")))
            raise


def named_embedder(here: Workplace, given: str) -> Embedder:
    """The embedder that a command-line value means: JSON, or a label in pgvec.toml.

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
