"""Holds on versions, and how a collection retires the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog


def hold_version(
    target: str | URL | Engine, collection: str, model_version: str, reason: str
) -> None:
    """Keeps a version from retirement until it is released.

    Raises: WrongState (gone already), InvalidArgument (no reason), UnknownVersion.
    """
    _verb(target, "hold_version", collection, model_version=model_version, reason=reason)


def release_version(target: str | URL | Engine, collection: str, model_version: str) -> bool:
    """Ends a hold. Returns whether there was one."""
    return bool(_verb(target, "release_version", collection, model_version=model_version))


def set_retirement(
    target: str | URL | Engine,
    collection: str,
    on_retire: str | None = None,
    read_window: str | timedelta | None = None,
) -> tuple[str, timedelta]:
    """Says how a collection retires its versions; None stays as it is. Returns what holds now.

    ``on_retire``: ``drop``, ``archive`` or ``export``. Raises: InvalidArgument.
    """
    if on_retire is not None or read_window is not None:
        _verb(target, "set_retirement", collection, on_retire=on_retire, read_window=read_window)
    with autocommitted(engine_for(target)) as raw:
        row: Any = raw.execute(
            sqlfiles.query("retirement_setting"), {"collection": collection}
        ).fetchone()
    return row[0], row[1]


def _verb(target: str | URL | Engine, name: str, collection: str, **parameters: Any) -> Any:
    with transaction(engine_for(target)) as raw:
        require_catalog(raw)
        row = raw.execute(sqlfiles.query(name), {"collection": collection, **parameters}).fetchone()
    return row[0] if row else None
