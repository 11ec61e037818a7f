"""Checks on what an operator wrote for an embedder; they end in a ConfigError that says the fix."""

from __future__ import annotations

from pgvec_versions.errors import ConfigError

__all__ = ["missing_extra", "positive"]


def positive(name: str, value: float | None) -> None:
    """Refuse a number below or at zero; None passes.

    Raises: ConfigError.
    """
    # Written so that NaN is refused too.
    if value is not None and not value > 0:
        raise ConfigError(f"{name} must be above zero, not {value}.")


def missing_extra(extra: str, cause: ImportError) -> ConfigError:
    """The error for a library that is not installed, or that is but does not import."""
    return ConfigError(
        f"this embedder needs a library that cannot be imported: {cause}.",
        hint=f"Run: pip install 'pgvec-versions[{extra}]'",
        detail={"extra": extra},
    )
