"""An embedder from a table of ``pgvec.toml``, and from nothing else.

Nothing here reads the database: a stored identity says what to compare with, never what to load.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Any, get_args, get_type_hints

from pgvec_versions.embedders import http, sentence_transformers, static
from pgvec_versions.embedders.protocol import Embedder
from pgvec_versions.errors import ConfigError

#: The values of ``provider``, and the class that each means.
PROVIDERS: Mapping[str, Callable[..., Embedder]] = MappingProxyType(
    {
        sentence_transformers.PROVIDER: sentence_transformers.SentenceTransformerEmbedder,
        static.PROVIDER: static.StaticTokenEmbedder,
        http.PROVIDER: http.HttpEmbedder,
    }
)

_TOML_TYPES = (str, bool, int, float, NoneType)
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def build_embedder(
    spec: Mapping[str, Any], *, where: str = "pgvec.toml", typed: bool = False
) -> Embedder:
    """Builds the embedder that a table describes: provider, model, revision, options.

    ``where`` names the table's file in errors. ``typed``: the caller wrote the table and not a
    file, so its host may get its key (see ``keys``).
    Raises: ConfigError, with the wrong entry and what is allowed; or with a host that a file alone
    cannot send a secret to.
    """
    entries = dict(spec)
    provider = entries.pop("provider", None)
    if not isinstance(provider, str) or provider not in PROVIDERS:
        wrong = f"unknown provider {provider!r}" if provider is not None else "no provider"
        raise ConfigError(f"embedder: {wrong}.", hint=f"Allowed: {', '.join(PROVIDERS)}.")
    build = PROVIDERS[provider]
    # The embedder itself refuses a missing pin: it can tell which one to write.
    entries.setdefault("revision", None)
    allowed = _allowed(build)
    listing = f"Allowed: {', '.join(allowed)}."
    unknown = [name for name in entries if name not in allowed]
    if unknown:
        raise ConfigError(
            f"embedder {provider}: unknown option {', '.join(unknown)}.", hint=listing
        )
    missing = [name for name, (_, required) in allowed.items() if required and name not in entries]
    if missing:
        raise ConfigError(f"embedder {provider}: missing {', '.join(missing)}.", hint=listing)
    for name, value in entries.items():
        types, _ = allowed[name]
        if not _fits(value, types):
            words = " or ".join(_WORDS[kind] for kind in types if kind in _WORDS)
            raise ConfigError(f"embedder {provider}: {name} must be {words}, not {value!r}.")
    made = build(**entries)
    if isinstance(made, http.HttpEmbedder) and not typed:
        made.require_allowed_key(where)
    return made


def _allowed(build: Callable[..., Embedder]) -> dict[str, tuple[tuple[type, ...], bool]]:
    """The options that a TOML table can have: name to (types, required).

    They come from the signature. Parameters of other types, such as ``sleep``, are for tests.
    """
    hints = get_type_hints(build.__init__)
    allowed: dict[str, tuple[tuple[type, ...], bool]] = {}
    for name, parameter in inspect.signature(build).parameters.items():
        hint = hints[name]
        types: tuple[type, ...] = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if all(kind in _TOML_TYPES for kind in types):
            allowed[name] = (types, parameter.default is inspect.Parameter.empty)
    return allowed


def _fits(value: object, types: tuple[type, ...]) -> bool:
    """Whether a TOML value has one of the types. true is not a number; 3 may be a float."""
    return type(value) in types or (type(value) is int and float in types)
