"""Which database a verb works on: the first of these that you give.

1. ``--database-url`` or ``--embedded``
2. ``PGVEC_DATABASE_URL``
3. ``database_url``, or ``embedded = true``, in ``pgvec.toml``
4. libpq's variables, such as ``PGHOST`` or ``PGSERVICE``

Without any of them a verb stops. If it started an embedded server instead, you would not notice
that a variable is missing. For the same reason an empty URL is an error.
"""

from __future__ import annotations

import os

from pgvec_versions.cli.file_url import url_of_file
from pgvec_versions.config import Config
from pgvec_versions.errors import ConfigError, InvalidArgument

_VARIABLE = "PGVEC_DATABASE_URL"
#: The variables of libpq that say which database. The others, such as PGPASSWORD, only say how.
_LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")


def chosen_url(
    given: str | None, embedded: bool, config: Config, server_only: str | None = None
) -> str | None:
    """The URL of the database to work on; None for the embedded server.

    ``given`` and ``embedded`` come from the command line. ``server_only`` is the name of a verb
    that never uses the embedded server.
    Raises: InvalidArgument, ConfigError.
    """
    if given is not None and embedded:
        raise InvalidArgument(
            "--embedded and --database-url do not go together.", hint="Give one of them."
        )
    if given is not None:
        return _not_empty(given, "--database-url")
    if not embedded:
        if _VARIABLE in os.environ:
            return _not_empty(os.environ[_VARIABLE], _VARIABLE)
        if config.database_url is not None and config.path is not None:
            return url_of_file(config.database_url, config.path)
        if not config.embedded:
            return _libpq_url(server_only)
    if server_only is not None:
        raise InvalidArgument(
            f"{server_only} does not use the embedded server: a job that lost its database URL"
            " would find nothing due there, and production would never retire.",
            hint=f"Give --database-url or {_VARIABLE}. On the embedded server, run:"
            " pgvec worker --embedded --retire-every SECONDS.",
        )
    return None


def named_by(given: str | None, embedded: bool, config: Config) -> str:
    """What names the database, in the same order as ``chosen_url``."""
    if given is not None:
        return "--database-url"
    if embedded:
        return "--embedded"
    if _VARIABLE in os.environ:
        return _VARIABLE
    if config.database_url is not None or config.embedded:
        return str(config.path)
    return ", ".join(name for name in _LIBPQ_VARIABLES if os.environ.get(name))


def _libpq_url(server_only: str | None) -> str:
    """The URL that leaves everything to libpq, if its variables name a database."""
    if any(os.environ.get(name) for name in _LIBPQ_VARIABLES):
        return "postgresql://"
    offer = "" if server_only else ", or run with --embedded for a private server of your own"
    raise ConfigError(
        "no database is named.",
        hint=f"Give --database-url or {_VARIABLE}, set libpq's PGHOST or PGSERVICE{offer}.",
    )


def _not_empty(url: str, source: str) -> str:
    if not url.strip():
        raise ConfigError(
            f"{source} is empty.",
            hint="Set it to postgresql://user@host:5432/database, or leave it out.",
        )
    return url
