"""Which host may have the secret of which environment variable.

A ``pgvec.toml`` may lie in a folder that somebody else wrote: a repository that was just cloned. If
its word were enough, ``base_url = "https://evil.example"`` and ``api_key_env = "AWS_SECRET_KEY"``
would send that secret away at the first search. So a file only asks. A pair of host and variable is
allowed

- by itself, when it is a provider's own: ``OPENAI_API_KEY`` to ``https://api.openai.com``;
- when the environment, where the secret is too, says so: ``PGVEC_ALLOW_KEY="HOST=VARIABLE"``, more
  than one with spaces between them. ``HOST`` means https; ``http://HOST:PORT`` is written whole.

The database never allows one: a file may name the database as well. What is typed on the command
line or written in a program (``HttpEmbedder(…)``) needs no further word.
"""

from __future__ import annotations

import os
import re

from pgvec_versions.errors import ConfigError

__all__ = ["ALLOW", "check_name", "require_allowed"]

#: The environment variable that allows pairs.
ALLOW = "PGVEC_ALLOW_KEY"

#: What the providers' own documentation tells everybody to set.
_PROVIDERS_OWN = frozenset({("https://api.openai.com", "OPENAI_API_KEY")})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(variable: str | None) -> None:
    """Refuse what no environment variable is called; None passes.

    Raises: ConfigError, which does not repeat it: it may be the key itself.
    """
    if variable is not None and not _NAME.fullmatch(variable):
        raise ConfigError(
            "api_key_env must be the name of an environment variable.",
            hint='Such as: api_key_env = "OPENAI_API_KEY". The key itself stays out of the file.',
        )


def require_allowed(origin: str, variable: str, *, where: str) -> None:
    """Return only if ``variable`` may go to ``origin``, by a word from outside ``where``.

    Raises: ConfigError with what to type.
    """
    if (origin, variable) in _PROVIDERS_OWN or (origin, variable) in _allowed():
        return
    pair = f"{origin.removeprefix('https://')}={variable}"
    raise ConfigError(
        f"{where} would send the secret in the environment variable {variable} to {origin},"
        " and nothing else says that it may.",
        hint=f"Nothing was sent. If that is right, say so where the secret is set:"
        f" export {ALLOW}='{pair}'",
        detail={"origin": origin, "variable": variable, "file": where, "allow": f"{ALLOW}={pair}"},
    )


def _allowed() -> set[tuple[str, str]]:
    """The pairs of the environment, as (origin, variable)."""
    pairs: set[tuple[str, str]] = set()
    for word in os.environ.get(ALLOW, "").replace(",", " ").split():
        host, _, variable = word.rpartition("=")
        origin = host.rstrip("/").lower()
        pairs.add((origin if "://" in origin else f"https://{origin}", variable))
    return pairs
