"""Checks of an embedder's options. They raise a ConfigError that says how to fix it."""

from __future__ import annotations

from pgvec_versions.errors import ConfigError


def positive(name: str, value: float | None) -> None:
    """Refuses a number that is not above zero. None passes.

    Raises: ConfigError.
    """
    # Not "value <= 0": NaN must be refused too.
    if value is not None and not value > 0:
        raise ConfigError(f"{name} must be above zero, not {value}.")


def at_least_one(name: str, value: object) -> None:
    """Refuses everything except a whole number of one or more. Raises: ConfigError."""
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name} must be a whole number of 1 or more, not {value!r}.")


def missing_extra(extra: str, cause: ImportError) -> ConfigError:
    """The error for a library that is not installed, or that fails to import."""
    return ConfigError(
        f"this embedder needs a library that cannot be imported: {cause}.",
        hint=f"Run: pip install 'pgvec-versions[{extra}]'",
        detail={"extra": extra},
    )
