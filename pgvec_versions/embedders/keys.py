"""Which host may get the secret of which environment variable.

Somebody else may have written a ``pgvec.toml``: it comes with every cloned repository. If the file
were enough, ``base_url = "https://evil.example"`` and ``api_key_env = "AWS_SECRET_KEY"`` would send
that secret away at the first search. So a file can only ask. A pair of host and variable is allowed

- always, if it is a provider's own: ``OPENAI_API_KEY`` to ``https://api.openai.com``;
- if the environment, which has the secret, allows it: ``PGVEC_ALLOW_KEY="HOST=VARIABLE"``, or
  several such pairs with spaces between. ``HOST`` means https; write ``http://HOST:PORT`` in full.

The database cannot allow a pair, because a file may name the database too. What you type on the
command line or write in a program (``HttpEmbedder(…)``) is allowed.
"""

from __future__ import annotations

import os
import re

from pgvec_versions.errors import ConfigError

#: The environment variable that allows pairs.
ALLOW = "PGVEC_ALLOW_KEY"

#: The variables that providers' documentation tells everybody to set.
_PROVIDERS_OWN = frozenset({("https://api.openai.com", "OPENAI_API_KEY")})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(variable: str | None) -> None:
    """Refuses what cannot be the name of an environment variable. None passes.

    Raises: ConfigError, without the value: it may be the key itself.
    """
    if variable is not None and not _NAME.fullmatch(variable):
        raise ConfigError(
            "api_key_env must be the name of an environment variable.",
            hint='Such as: api_key_env = "OPENAI_API_KEY". The key itself stays out of the file.',
        )


def require_allowed(origin: str, variable: str, *, where: str) -> None:
    """Checks that something other than the file ``where`` lets ``variable`` go to ``origin``.

    Raises: ConfigError, with what to type.
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
    """The pairs in the environment, as (origin, variable)."""
    pairs: set[tuple[str, str]] = set()
    for word in os.environ.get(ALLOW, "").replace(",", " ").split():
        host, _, variable = word.rpartition("=")
        origin = host.rstrip("/").lower()
        pairs.add((origin if "://" in origin else f"https://{origin}", variable))
    return pairs
