"""The three fields of each collection, from ``pgvec.toml`` and the environment.

The only I/O is to read the file.

::

    [collections.docs]
    model_version = "minilm-1"
    retire_after = "7 days"
    embedder = { provider = "sentence-transformers", model = "…", revision = "…" }

    [collections.docs.previous]      # embedders of other live versions
    static-1 = { provider = "static-tokens", model = "…", revision = "…" }
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pgvec_versions.errors import ConfigError

__all__ = ["CollectionConfig", "Config", "load_config", "named_file"]

DEFAULT_FILE = "pgvec.toml"
_FIELDS = ("model_version", "embedder", "retire_after", "previous")
#: How long a previous version stays: a number and one unit.
INTERVAL = re.compile(r"^\d+ (second|minute|hour|day|week|month)s?$")


@dataclass(frozen=True, slots=True)
class CollectionConfig:
    """The fields of one collection."""

    collection: str
    model_version: str
    embedder: dict[str, Any]
    retire_after: str = "7 days"
    previous: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def embedders(self) -> dict[str, dict[str, Any]]:
        """The embedder tables by label, previous versions included."""
        return {**self.previous, self.model_version: self.embedder}


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. ``path`` is None when there is none.

    Pass ``database_url`` through ``cli.file_url`` before you connect, so that a file cannot send
    your password to a host of its choice. It may contain a password of its own: never show it.
    """

    path: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    embedded: bool = False
    collections: dict[str, CollectionConfig] = field(default_factory=dict[str, CollectionConfig])

    def collection(self, name: str) -> CollectionConfig:
        """The fields of a collection. Raises: ConfigError when it is not in the file."""
        if name in self.collections:
            return self.collections[name]
        where = self.path or DEFAULT_FILE
        have = ", ".join(self.collections) or "none"
        raise ConfigError(
            f"{where} has no collection {name!r} (it has: {have})."
            if self.path
            else f"there is no {where} here.",
            hint=f"Add [collections.{name}] with model_version, embedder and retire_after; "
            "see the README.",
        )


def named_file(given: Path | None) -> Path | None:
    """The file that you named: ``given``, or ``PGVEC_CONFIG``."""
    return given or (Path(os.environ["PGVEC_CONFIG"]) if os.environ.get("PGVEC_CONFIG") else None)


def _config_path(given: Path | None = None) -> Path | None:
    """The file to read, or None: ``given``, ``PGVEC_CONFIG``, or ``pgvec.toml`` in this folder.

    Raises: ConfigError when a file that you named does not exist.
    """
    named = named_file(given)
    if named is None:
        here = Path(DEFAULT_FILE)
        return here if here.is_file() else None
    if not named.is_file():
        raise ConfigError(f"there is no file {named}.", hint="Check --config or PGVEC_CONFIG.")
    return named


def load_config(given: Path | None = None) -> Config:
    """Reads the file; without one, gives an empty Config.

    Raises: ConfigError, which names the wrong place.
    """
    path = _config_path(given)
    if path is None:
        return Config()
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not TOML: {exc}.") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}.") from exc
    _only(data, ("database_url", "embedded", "collections"), str(path))
    url, embedded = _database(data, path)
    tables = _table(data.get("collections", {}), f"{path}: collections")
    return Config(
        path,
        url,
        embedded,
        {
            name: _collection(name, _table(t, f"{path}: [collections.{name}]"), path)
            for name, t in tables.items()
        },
    )


def _database(data: dict[str, Any], path: Path) -> tuple[str | None, bool]:
    url, embedded = data.get("database_url"), data.get("embedded", False)
    if url is not None and not isinstance(url, str):
        raise ConfigError(f"{path}: database_url must be a text.")
    if url is not None and not url.strip():
        raise ConfigError(
            f"{path}: database_url is empty.",
            hint="Set it to postgresql://user@host:5432/database, or leave it out.",
        )
    if not isinstance(embedded, bool):
        raise ConfigError(f"{path}: embedded must be true or false.")
    if embedded and url is not None:
        raise ConfigError(
            f"{path}: embedded = true and database_url do not go together.",
            hint="Leave one of them out.",
        )
    return url, embedded


def _collection(name: str, table: dict[str, Any], path: Path) -> CollectionConfig:
    where = f"{path}: [collections.{name}]"
    _only(table, _FIELDS, where)
    label = table.get("model_version")
    if not isinstance(label, str) or not label:
        raise ConfigError(
            f"{where} needs model_version, a text.", hint='Such as: model_version = "minilm-1"'
        )
    retire_after = table.get("retire_after", "7 days")
    if not isinstance(retire_after, str) or not INTERVAL.match(retire_after):
        raise ConfigError(
            f"{where}: retire_after {retire_after!r} is not an interval.",
            hint='Such as: retire_after = "7 days"',
        )
    previous = {
        old: _table(spec, f"{where} previous.{old}")
        for old, spec in _table(table.get("previous", {}), f"{where} previous").items()
    }
    if label in previous:
        raise ConfigError(
            f"{where}: {label!r} is both model_version and in previous.",
            hint="Take it out of previous.",
        )
    if "embedder" not in table:
        raise ConfigError(
            f"{where} needs embedder, a table.",
            hint="With provider, model and revision; see the README.",
        )
    return CollectionConfig(
        name, label, _table(table["embedder"], f"{where} embedder"), retire_after, previous
    )


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a table.")
    return dict(cast("Mapping[str, Any]", value))


def _only(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise ConfigError(
                f"{where}: unknown field {key!r}.", hint=f"Allowed: {', '.join(allowed)}."
            )
