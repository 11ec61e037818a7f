"""The collections and versions of the catalog, as dataclasses. Read-only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, dict_row

from pgvec_versions.errors import UnknownVersion
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.states import LIVE, State


@dataclass(frozen=True, slots=True)
class Version:
    """A row of ``pgvec.model_version``: a label, its embedder's identity and its state."""

    model_version: str
    state: State
    dimensions: int
    embedder: dict[str, Any]
    leaf: str
    pinned_view: str
    follows: bool
    m: int
    retire_at: datetime | None
    equivalents: tuple[dict[str, Any], ...] = ()

    @property
    def live(self) -> bool:
        """Whether its leaf exists and follows writes."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class Collection:
    """A row of ``pgvec.collection`` with its versions, the most recently active first."""

    collection: str
    host_schema: str
    distance: str
    storage: str
    id_type: str
    retire_after: timedelta
    require_query_version: bool
    follow_while_draining: bool
    document_root: str | None = None
    versions: tuple[Version, ...] = ()

    @property
    def active(self) -> Version | None:
        """The version that queries are routed to, or None before the first cut-over."""
        return next((v for v in self.versions if v.state == State.ACTIVE), None)

    @property
    def live(self) -> tuple[Version, ...]:
        """The versions that have a leaf."""
        return tuple(v for v in self.versions if v.live)

    @property
    def id_type_name(self) -> sql.Identifier:
        """The type of ``chunk_id``, for a statement."""
        return sql.Identifier("pg_catalog", {"bigint": "int8"}.get(self.id_type, self.id_type))

    def version(self, label: str) -> Version:
        """The version with that label. Raises: UnknownVersion."""
        for version in self.versions:
            if version.model_version == label:
                return version
        known = ", ".join(f"{v.model_version} ({v.state})" for v in self.versions) or "none"
        raise UnknownVersion(
            f"collection {self.collection} has no version {label!r}.",
            hint=f"It has: {known}.",
            detail={"collection": self.collection, "model_version": label},
        )


def _version(row: dict[str, Any]) -> Version:
    fields: dict[str, Any] = {
        **row,
        "state": State(row["state"]),
        "equivalents": tuple(row["equivalents"]),
    }
    return Version(**fields)


def read_collection(connection: PgConnection, name: str) -> Collection:
    """The collection with its versions. Raises: UnknownCollection, CatalogNotInstalled."""
    with connection.cursor(row_factory=class_row(Collection)) as cursor:
        found = cursor.execute(sqlfiles.query("collection"), {"collection": name}).fetchone()
    assert found is not None
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sqlfiles.query("versions"), {"collection": name}).fetchall()
    return replace(found, versions=tuple(_version(row) for row in rows))


def collection_names(connection: PgConnection) -> list[str]:
    """All collections, by name."""
    return [name for (name,) in connection.execute(sqlfiles.query("collections"))]


def status_rows(connection: PgConnection, collection: str | None = None) -> list[dict[str, Any]]:
    """The rows of ``pgvec.version_status``. Units: sizes in bytes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sqlfiles.query("status"), {"collection": collection}).fetchall()
