"""The address of an endpoint, checked and written in one way. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pgvec_versions.errors import ConfigError

_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9.])?|[0-9a-f:.]*:[0-9a-f:.]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_and_address(base_url: str) -> tuple[str, str]:
    """The origin (scheme, host and port) and the whole address, each in its one way of writing.

    Raises: ConfigError for anything but a plain http(s) address. A password in it would be shown.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:  # The port is not a number.
        host, port, plain = "", None, False
    # Programs read an odd address in different ways; we must connect to the host that we check.
    sound = _is_plain(base_url) and bool(_HOST.fullmatch(host))
    if not sound or not plain or port == 0:
        raise ConfigError(
            "base_url must be an http or https address without user, password or query.",
            hint="For example https://api.openai.com/v1; the key goes into the environment"
            " variable that api_key_env names.",
        )
    scheme = base_url.split(":", 1)[0].lower()
    named = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://{named}" + (
        f":{port}" if port not in (None, _DEFAULT_PORTS[scheme]) else ""
    )
    return origin, origin + urlsplit(base_url).path.rstrip("/")


def _is_plain(base_url: str) -> bool:
    """Whether it begins like an http address and has only characters that belong into one."""
    return (
        base_url.lower().startswith(("http://", "https://"))
        and base_url.isascii()
        and base_url.isprintable()
        and not any(sign in base_url for sign in ' \\"<>^`{|}')
    )
