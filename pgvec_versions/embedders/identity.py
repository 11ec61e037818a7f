"""Which model made a vector: the record that is stored with a version and compared later. Pure.

Two identities are equal if their canonical JSON is: keys sorted, options that are ``None`` left out
(``None`` means the model's own default, as if it were not given), ``1.0`` written as ``1`` (jsonb
may return either). ``fingerprint``, ``==`` and ``differences`` all follow this rule.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pgvec_versions.errors import ConfigError, EmbedderMismatch

#: The values that an option may have.
Scalar = str | int | float | bool | None

_FIELDS = ("provider", "model", "revision")
_FILES = "options.files"
_MACHINE_PATH = re.compile(r"[/\\~]|[A-Za-z]:[/\\]")


@dataclass(frozen=True, eq=False)
class EmbedderIdentity:
    """Provider, model, pinned revision, and every option that changes a vector.

    It never holds a secret, nor a path that exists on one machine only.

    Raises: ConfigError for an empty field, such a path, or a value that jsonb cannot store.
    """

    provider: str
    model: str
    revision: str
    options: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])

    def __post_init__(self) -> None:
        """Refuses what cannot be stored, and what means something else on another machine."""
        for name in _FIELDS:
            _check_text(name, getattr(self, name))
            if not getattr(self, name):
                raise ConfigError(f"an embedder identity needs a {name}.")
        if _MACHINE_PATH.match(self.model):
            raise ConfigError(
                f"the model of an embedder identity is a path of one machine: {self.model!r}.",
                hint="Give the model a name that means the same on every machine.",
            )
        for name, value in self.options.items():
            _check_option(name, value)
        # A copy: changing the caller's dict must not change the identity.
        object.__setattr__(self, "options", dict(self.options))

    def to_json(self) -> dict[str, Any]:
        """What ``pgvec.model_version.embedder`` stores."""
        return {
            "provider": self.provider,
            "model": self.model,
            "revision": self.revision,
            "options": dict(self.options),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> EmbedderIdentity:
        """The identity that ``to_json`` made.

        Raises: ConfigError when a field is missing, unknown, or of the wrong type.
        """
        unknown = sorted(set(stored) - {*_FIELDS, "options"})
        missing = [name for name in _FIELDS if name not in stored]
        if unknown or missing:
            raise ConfigError(
                "this is not an embedder identity: "
                + "; ".join(
                    f"{word} {', '.join(names)}"
                    for word, names in (("missing", missing), ("unknown", unknown))
                    if names
                )
                + "."
            )
        options = stored.get("options", {})
        if not isinstance(options, Mapping):
            raise ConfigError("the options of an embedder identity must be a table.")
        return cls(
            provider=stored["provider"],
            model=stored["model"],
            revision=stored["revision"],
            options=cast("Mapping[str, Scalar]", options),
        )

    @property
    def fingerprint(self) -> str:
        """The sha256, in hex, of the canonical JSON."""
        return hashlib.sha256(self._canonical().encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        """Whether both name the same model with the same options."""
        if not isinstance(other, EmbedderIdentity):
            return NotImplemented
        return self._canonical() == other._canonical()

    def __hash__(self) -> int:
        """Equal identities have equal hashes."""
        return hash(self._canonical())

    def __str__(self) -> str:
        """Provider and model, for messages."""
        return f"{self.provider} {self.model}"

    def _canonical(self) -> str:
        stated = {name: value for name, value in self.options.items() if value is not None}
        return _canonical({**self.to_json(), "options": stated})


def differences(stored: Mapping[str, Any], given: EmbedderIdentity) -> dict[str, tuple[Any, Any]]:
    """The fields that differ, as ``(stored, given)``. An option is called ``options.normalize``.

    A field that one side lacks is ``None`` there. If the stored record has no digest of the model's
    files, as one that a migration wrote by hand, the digest is not compared.
    """
    left, right = _flat(stored), _flat(given.to_json())
    if left and left.get(_FILES) is None:
        right.pop(_FILES, None)
    names = [*right, *sorted(set(left) - set(right))]
    return {
        name: (left.get(name), right.get(name))
        for name in names
        if _canonical(left.get(name)) != _canonical(right.get(name))
    }


def require_same(
    stored: Mapping[str, Any],
    given: EmbedderIdentity,
    *,
    collection: str,
    model_version: str,
    equivalents: Iterable[Mapping[str, Any]] = (),
) -> None:
    """Checks that ``given`` is the embedder that the version was registered with.

    ``equivalents``: identities that were declared to be the same model, served elsewhere.
    Raises: EmbedderMismatch, with ``differences``.
    """
    found = differences(stored, given)
    if not found or not all(differences(other, given) for other in equivalents):
        return
    detail = {
        "collection": collection,
        "model_version": model_version,
        "differences": {name: list(pair) for name, pair in found.items()},
    }
    where = f"version {model_version} of collection {collection}"
    if not stored:
        raise EmbedderMismatch(
            f"{where} was registered without an embedder, so nothing says that {given} made"
            " its vectors.",
            hint="Register the version with an embedder identity, or search with ready-made"
            " vectors.",
            differences=found,
            detail=detail,
        )
    listed = "; ".join(
        f"{name}: stored {_shown(pair[0])}, given {_shown(pair[1])}" for name, pair in found.items()
    )
    raise EmbedderMismatch(
        f"{where} was made by another embedder than the one given: {listed}.",
        hint="Use the stored embedder, or register a new version for this one; if it is the same"
        " model served elsewhere: pgvec declare-equivalent.",
        differences=found,
        detail=detail,
    )


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The identity as a flat mapping. Anything but a table of options stays as it is."""
    flat: dict[str, Any] = {}
    for name, value in identity.items():
        if name == "options" and isinstance(value, Mapping):
            options = cast("Mapping[str, Any]", value)
            flat.update((f"options.{key}", options[key]) for key in sorted(options))
        else:
            flat[name] = value
    return flat


def _canonical(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """``value`` with whole floats as ints, at every level."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {key: _plain(item) for key, item in table.items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _shown(value: Any) -> str:
    # JSON escapes a line break in a prefix, so the message stays on one line.
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _check_option(name: str, value: object) -> None:
    if isinstance(value, str):
        _check_text(f"options.{name}", value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"options.{name} of an embedder identity is not finite: {value}.")
    elif not isinstance(value, str | int | float | bool | None):
        raise ConfigError(
            f"options.{name} of an embedder identity must be text, a number, true, false or"
            f" nothing, not {type(value).__name__}."
        )


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(
            f"{name} of an embedder identity must be text, not {type(value).__name__}."
        )
    # jsonb stores neither NUL nor half a surrogate pair; the database would say so much later.
    if "\x00" in value or any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ConfigError(
            f"{name} of an embedder identity holds a character that cannot be stored: {value!r}."
        )
