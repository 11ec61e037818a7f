"""Where a verb works: the database, its configuration, and the collection that is meant."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pgvec_versions.catalog import Collection, collection_names
from pgvec_versions.cli.printing import messages
from pgvec_versions.cli.which_database import chosen_url
from pgvec_versions.config import Config, load_config
from pgvec_versions.embedders import Embedder, build_embedder
from pgvec_versions.errors import ConfigError, GateRefused, InvalidArgument, UnknownCollection
from pgvec_versions.postgres.database import autocommitted, engine_for
from pgvec_versions.postgres.direct import direct_engine
from pgvec_versions.postgres.install import require_catalog

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from pgvec_versions.postgres.embedded import EmbeddedServer


class Workplace:
    """An open database with its configuration."""

    def __init__(
        self, engine: Engine, config: Config, collection: str | None, embedded: Path | None = None
    ) -> None:
        self.engine = engine
        self.config = config
        #: The embedded server and its data folder, if this is one.
        self.server: EmbeddedServer | None = None
        self._folder = embedded
        self._named = collection
        self._said = False
        self._built: dict[str, Embedder] = {}

    @cached_property
    def collection(self) -> str:
        """The collection to work on. Raises: UnknownCollection if it is unclear which.

        Effects: says which database and collection this is.
        """
        found = self._find_collection()
        self.say_where(f"collection: {found}")
        return found

    @property
    def database(self) -> str:
        """Database, host, port and user as the connection has them; never a password."""
        if self._folder is not None:
            return f"the embedded server in {self._folder}"
        with autocommitted(self.engine) as raw:
            info = raw.info
            return f"{info.dbname} on {info.host}:{info.port} as {info.user}"

    def say_where(self, what: str = "all collections") -> None:
        """Prints one line about where this verb works, on stderr; a second call does nothing."""
        if not self._said:
            self._said = True
            messages.print(f"database: {self.database}; {what}", soft_wrap=True)

    def _find_collection(self) -> str:
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
    url: str | None,
    config: Path | None = None,
    collection: str | None = None,
    *,
    embedded: bool = False,
    server_only: str | None = None,
    no_file: bool = False,
    direct: bool = False,
) -> Generator[Workplace]:
    """Opens the database that ``cli.which_database`` chooses, and says which one it is.

    ``server_only`` is the name of a verb that never uses the embedded server. ``no_file``: there is
    no ``pgvec.toml`` yet. ``direct``: without SQLAlchemy, for a verb that should start quickly.
    """
    settings = Config() if no_file else load_config(config)
    url = chosen_url(url, embedded, settings, server_only)
    folder = server = None
    with ExitStack() as opened:
        if url is None:
            from pgvec_versions.postgres.embedded import embedded_server

            server = opened.enter_context(embedded_server())
            url = server.url()
            folder = server.pgdata
        engine = (direct_engine(url) if direct else None) or engine_for(url)
        opened.callback(engine.dispose)
        here = Workplace(engine, settings, collection, folder)
        here.server = server
        said = f"collection: {collection}" if collection else "all collections"
        try:
            yield here
        except GateRefused as refused:
            refused.hint = gate_hint(here, str(refused.detail.get("model_version", "VERSION")))
            raise
        except typer.Exit:
            here.say_where(said)
            raise
        here.say_where(said)


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
