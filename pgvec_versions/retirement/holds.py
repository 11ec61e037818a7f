"""Holds on versions, and how a collection retires the others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.rows import read_row, read_value


class RetirementSetting(NamedTuple):
    """How a collection retires its versions. ``on_retire``: ``drop``, ``archive`` or ``export``."""

    on_retire: str
    read_window: timedelta


class Hold(NamedTuple):
    """Why a version is held, by whom, and since when."""

    reason: str
    held_by: str
    held_at: datetime


def hold_version(
    target: str | URL | Engine, collection: str, model_version: str, reason: str
) -> None:
    """Keeps a version from retiring until you release it.

    Raises: WrongState (it is gone), InvalidArgument (no reason), UnknownVersion.
    """
    _verb(target, "hold_version", collection, model_version=model_version, reason=reason)


def hold_of(target: str | URL | Engine, collection: str, model_version: str) -> Hold | None:
    """The hold on a version, or None."""
    parameters = {"collection": collection, "model_version": model_version}
    with autocommitted(engine_for(target)) as raw:
        require_catalog(raw)
        found = read_row(raw, sqlfiles.query("hold_of"), parameters)
    return None if found is None else Hold(found.reason, found.held_by, found.held_at)


def release_version(target: str | URL | Engine, collection: str, model_version: str) -> bool:
    """Ends a hold. Returns whether there was one."""
    return bool(_verb(target, "release_version", collection, model_version=model_version))


def set_retirement(
    target: str | URL | Engine,
    collection: str,
    on_retire: str | None = None,
    read_window: str | timedelta | None = None,
) -> RetirementSetting:
    """Sets how a collection retires its versions, and returns the setting. None changes nothing.

    Raises: InvalidArgument.
    """
    if on_retire is not None or read_window is not None:
        _verb(target, "set_retirement", collection, on_retire=on_retire, read_window=read_window)
    with autocommitted(engine_for(target)) as raw:
        found = read_row(raw, sqlfiles.query("retirement_setting"), {"collection": collection})
    return RetirementSetting(found.on_retire, found.read_window)


def _verb(target: str | URL | Engine, name: str, collection: str, **parameters: Any) -> Any:
    with transaction(engine_for(target)) as raw:
        require_catalog(raw)
        return read_value(raw, sqlfiles.query(name), {"collection": collection, **parameters})
