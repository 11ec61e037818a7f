"""Where a verb works: the database, its configuration, and the collection that is meant."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pgvec_versions.catalog import Collection, collection_names
from pgvec_versions.cli.hints import naming_collection
from pgvec_versions.cli.printing import messages
from pgvec_versions.cli.which_database import chosen_url
from pgvec_versions.config import Config, load_config
from pgvec_versions.embedders import Embedder, build_embedder
from pgvec_versions.errors import (
    ConfigError,
    GateRefused,
    InvalidArgument,
    PgvecError,
    UnknownCollection,
)
from pgvec_versions.postgres.database import autocommitted, engine_for, psycopg_url
from pgvec_versions.postgres.direct import direct_engine
from pgvec_versions.postgres.install import installed_version, require_catalog

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

    from pgvec_versions.postgres.embedded import EmbeddedServer

#: Settings of a URL that may hold a secret or name the file of one.
_SECRETS = frozenset(("password", "passfile", "sslpassword", "sslkey", "oauth_client_secret"))


class Workplace:
    """An open database with its configuration."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        collection: str | None,
        embedded: Path | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        """``options`` are those of this command that another one needs to get here."""
        self.engine = engine
        self.config = config
        self._options = options
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

    def collections(self) -> list[str]:
        """The names of all collections; none in a database without the catalog."""
        with autocommitted(self.engine) as raw:
            return collection_names(raw) if installed_version(raw) else []

    def with_collection(self, text: str) -> str:
        """The commands in a text with ``-c``, if this is one of several collections."""
        return naming_collection(text, self.collection) if self._several else text

    def say_where(self, what: str = "all collections") -> None:
        """Prints one line about where this verb works, on stderr; a second call does nothing."""
        if not self._said:
            self._said = True
            messages.print(f"database: {self.database}; {what}", soft_wrap=True)

    @property
    def labels(self) -> dict[str, str]:
        """The label that pgvec.toml names as the version to build, by collection."""
        return {name: known.model_version for name, known in self.config.collections.items()}

    def command(self, verb: str, *words: str, collection: str | None = None) -> str:
        """A command to copy: it works on this database, and on this collection or the given one.

        It names the collection only where there are several.
        """
        where = ("-c", collection or self.collection) if self._several else ()
        return shlex.join(("pgvec", verb, *words, *where, *self._options))

    @cached_property
    def _several(self) -> bool:
        return len(self.collections()) > 1

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
    return (
        f"Evaluate it: {here.command('evaluate', label)}; read {here.command('report', label)}. "
        f"Or, knowingly: {here.command('cut-over', label)} --force --reason '…'."
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
    works_as: str | None = None,
) -> Generator[Workplace]:
    """Opens the database that ``cli.which_database`` chooses, and says which one it is.

    ``server_only`` is the name of a verb that never uses the embedded server. ``no_file``: there is
    no ``pgvec.toml`` yet. ``direct``: without SQLAlchemy, for a verb that should start quickly.
    ``works_as`` is the name of one that embeds: ``pgvec status --watch`` counts the processes with
    such sessions.
    """
    settings = Config() if no_file else load_config(config)
    options = _options_to_repeat(url, config, embedded)
    url = chosen_url(url, embedded, settings, server_only)
    folder = server = None
    with ExitStack() as opened:
        if url is None:
            from pgvec_versions.postgres.embedded import embedded_server

            server = opened.enter_context(embedded_server())
            url = server.url()
            folder = server.pgdata
        named = url if works_as is None else _named(url, works_as)
        engine = (direct_engine(url) if direct else None) or engine_for(named)
        opened.callback(engine.dispose)
        here = Workplace(engine, settings, collection, folder, options)
        here.server = server
        said = f"collection: {collection}" if collection else "all collections"
        try:
            yield here
        except GateRefused as refused:
            refused.hint = gate_hint(here, str(refused.detail.get("model_version", "VERSION")))
            raise
        except PgvecError as exc:
            exc.hint = _hint_here(here, exc.hint)
            raise
        except typer.Exit:
            here.say_where(said)
            raise
        here.say_where(said)


def _options_to_repeat(url: str | None, config: Path | None, embedded: bool) -> tuple[str, ...]:
    """The options that say where this command works; a URL with a password is not repeated."""
    given: list[str] = ["--embedded"] if embedded else []
    if config is not None:
        given += ["--config", str(config)]
    if url and _shows_no_secret(url):
        given += ["--database-url", url]
    return tuple(given)


def _named(url: str, works_as: str) -> URL:
    """The URL with a name for its sessions, unless you give another; one name a process."""
    name = f"pgvec {works_as} {os.getpid()}-{secrets.token_hex(3)}"
    return psycopg_url(url).update_query_dict({"fallback_application_name": name})


def _shows_no_secret(url: str) -> bool:
    try:
        known = psycopg_url(url)
    except ConfigError:
        return False
    return known.password is None and not known.query.keys() & _SECRETS


def _hint_here(here: Workplace, hint: str | None) -> str | None:
    """The hint with the collection in its commands, if the verb got as far as to know it."""
    if not hint or "collection" not in vars(here):
        return hint
    try:
        return here.with_collection(hint)
    except PgvecError:
        # The database does not answer any more; the error that it belongs to says so.
        return hint


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
