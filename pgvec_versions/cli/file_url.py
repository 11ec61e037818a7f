"""The database that ``pgvec.toml`` names, and the passwords that must not reach it.

Somebody else may have written that file: it comes with every cloned repository. If a URL has no
password, libpq takes one from the environment, no matter who named the host, and would send
``PGPASSWORD`` to ``database_url = "postgresql://evil.example/x"``. So a host that a file names gets
a password only from that file, or from a line of the password file that names this host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pgvec_versions.errors import ConfigError
from pgvec_versions.postgres.database import psycopg_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

#: What a URL in a file may set. Left out: services, password files, Kerberos delegation, plugins.
_ALLOWED = frozenset(
    (
        *("host", "hostaddr", "port", "dbname", "user", "password", "options", "connect_timeout"),
        *("application_name", "target_session_attrs", "load_balance_hosts", "channel_binding"),
        *("sslmode", "sslrootcert", "sslnegotiation", "client_encoding", "require_auth"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        *("tcp_user_timeout", "requirepeer"),
    )
)
#: Where libpq looks for a password that the URL does not give. A service may hold one.
_GIVE_PASSWORDS = ("PGPASSWORD", "PGSERVICE")


def url_of_file(url: str, path: Path) -> str:
    """Returns the ``database_url`` of a file, if libpq would send its host no other password.

    Raises: ConfigError, with the host, the file, where the password is, and what to type.
    """
    parsed = psycopg_url(url)
    odd = sorted(set(parsed.query) - _ALLOWED)
    if odd:
        raise ConfigError(
            f"{path}: database_url sets {', '.join(map(repr, odd))}, which a file may not.",
            hint="Give that URL yourself: --database-url or PGVEC_DATABASE_URL.",
            detail={"file": str(path), "settings": odd},
        )
    hosts = sorted(_hosts(parsed))
    if not hosts or parsed.password or parsed.query.get("password"):
        return url
    for source in _passwords():
        raise ConfigError(
            f"{path} names the database on {', '.join(hosts)}, and {source} would send that host"
            " a password.",
            hint="Nothing was sent. If that is right, name the database yourself, with"
            " --database-url or PGVEC_DATABASE_URL; else remove the password.",
            detail={"file": str(path), "hosts": hosts, "source": source},
        )
    return url


def _hosts(url: URL) -> set[str]:
    found = {url.host} if url.host else set[str]()
    for name in ("host", "hostaddr"):
        value = url.query.get(name, ())
        for one in (value,) if isinstance(value, str) else value:
            found |= {host for host in one.split(",") if host}
    return found


def _passwords() -> Iterable[str]:
    """The places on this machine that would give a password to any host."""
    yield from (f"the environment variable {v}" for v in _GIVE_PASSWORDS if os.environ.get(v))
    named = os.environ.get("PGPASSFILE")
    path = Path(named) if named else Path("~/.pgpass").expanduser()
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except (OSError, RuntimeError):
        return
    # A field ends at a colon without a backslash before it; * alone means any host.
    if any(re.match(r"\s*\*:", line) for line in lines):
        yield f"a line for any host in {path}"
