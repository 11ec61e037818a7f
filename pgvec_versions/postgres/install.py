"""Installs, upgrades and removes the catalog: the CLI and Alembic run the same script."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg import errors as pg_errors

from pgvec_versions.errors import Busy, CatalogMismatch, RequirementMissing, translated
from pgvec_versions.errors.translation import catalog_not_installed
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.rows import read_value


def upgrade_script(installed: int, version: int) -> str:
    """The SQL that upgrades the catalog from ``installed`` (0: none) to ``version``."""
    ups = [sqlfiles.catalog_up(number) for number in range(installed + 1, version + 1)]
    begin, end, restore = (sqlfiles.step(name) for name in ("begin", "end", "restore"))
    return "\n".join([begin, *ups, sqlfiles.objects(), end, restore])


def downgrade_script(installed: int, version: int) -> str:
    """The SQL that downgrades the catalog from ``installed`` to ``version`` (0: remove it)."""
    downs = [sqlfiles.catalog_down(number) for number in range(installed, version, -1)]
    return "\n".join([sqlfiles.step("begin"), *downs, sqlfiles.step("restore")]) if downs else ""


def installed_version(connection: Connection[Any]) -> int:
    """The catalog version in this database, 0 when there is none."""
    with translated():
        if not read_value(connection, sqlfiles.query("catalog_exists")):
            return 0
        return read_value(connection, sqlfiles.query("installed_version")) or 0


def require_catalog(connection: Connection[Any]) -> None:
    """Raises CatalogNotInstalled or CatalogMismatch unless the catalog fits this package."""
    found, wanted = installed_version(connection), sqlfiles.latest_catalog_version()
    if found == 0:
        raise catalog_not_installed()
    if found != wanted:
        raise mismatch(found, wanted)


def mismatch(found: int, wanted: int) -> CatalogMismatch:
    """The error for a catalog of version ``found`` when the package needs ``wanted``."""
    newer = found > wanted
    return CatalogMismatch(
        f"the catalog in this database has version {found}, this package brings {wanted}.",
        hint="Upgrade the package: pip install -U pgvec-versions" if newer else "Run: pgvec init",
        detail={"installed": found, "package": wanted},
    )


@contextmanager
def needs_pgvector() -> Generator[None]:
    """For ``CREATE EXTENSION vector``. Raises: RequirementMissing when pgvector is missing."""
    try:
        yield
    except (pg_errors.FeatureNotSupported, pg_errors.UndefinedFile) as exc:
        raise RequirementMissing(
            "pgvector is not installed on this server.",
            hint="Ask whoever runs the server to install pgvector 0.8.0 or later "
            "(package on Debian: postgresql-NN-pgvector). Then run: pgvec init",
            detail={"requirement": "vector"},
            sqlstate=exc.sqlstate,
        ) from exc


def install(connection: Connection[Any], version: int | None = None) -> tuple[int, int]:
    """Installs the catalog or upgrades it to ``version`` (the newest by default).

    Effects: one transaction; creates the extension ``vector`` if it is absent; replaces functions
    and views every time, and runs each frozen catalog version once.
    Returns the version before and after.
    Raises: RequirementMissing, CatalogMismatch (a newer catalog), NotPermitted (also when another
    role owns a schema pgvec), LockTimeout (another installation does not end), Busy (a schema pgvec
    without our catalog).
    """
    wanted = sqlfiles.latest_catalog_version() if version is None else version
    try:
        return _install(connection, wanted)
    except Busy:
        # Another session has just created the schema: now its catalog is there.
        return _install(connection, wanted)


def _install(connection: Connection[Any], wanted: int) -> tuple[int, int]:
    with translated(), connection.transaction():
        with needs_pgvector():
            connection.execute(sqlfiles.step("extension").encode())
        found = installed_version(connection)
        if found > wanted:
            raise mismatch(found, wanted)
        connection.execute(upgrade_script(found, wanted).encode())
    return found, wanted


def uninstall(connection: Connection[Any]) -> None:
    """Removes the catalog. Raises: CatalogMismatch (PV008) while a collection is left."""
    with translated(), connection.transaction():
        found = installed_version(connection)
        if found:
            connection.execute(downgrade_script(found, 0).encode())
