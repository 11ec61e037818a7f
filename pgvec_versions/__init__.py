"""pgvec-versions: embedding-model upgrades in Postgres as a routine operation.

One rule: a query is compared only with vectors that its own model version produced.

Folders, from the top layer to the bottom one; ``pyproject.toml`` says which may import which::

    cli/            the command line
    evaluation/     is the new version good enough
    doctor/         what is wrong with a database
    adoption/       an existing table becomes the first version
    upgrade/        transition and worker: from one model version to the next
    retirement/     how old versions are dropped
    migrate_ops/    Alembic operations
    chunks/         write chunks and search them
    embedders/      the models that make vectors
    postgres/       connections, the catalog's installation, the embedded server
    errors/         the tree of errors

Modules beside them::

    store, aio, transition, worker, models, fingerprints    documented import paths, one line each
    values.py       chunks, hits, query vectors
    catalog.py      collections and versions, as the catalog has them
    states.py       the states of a version
    config.py       pgvec.toml and the environment
    filters.py      metadata filters
    arguments.py    checks on arguments
    new_files.py    writing files safely
    safe_text.py    printing text of unknown origin safely
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgvec_versions.chunks.aio import AsyncChunkStore
    from pgvec_versions.chunks.mapped import ChunkMixin, active_view
    from pgvec_versions.chunks.store import ChunkStore
    from pgvec_versions.embedders import (
        Embedder,
        SentenceTransformerEmbedder,
        StaticTokenEmbedder,
    )
    from pgvec_versions.errors import PgvecError
    from pgvec_versions.filters import Where
    from pgvec_versions.upgrade.transition import Transition, roll_back
    from pgvec_versions.upgrade.worker import Worker
    from pgvec_versions.values import Chunk, Hit, QueryVector

_HOMES = {
    "AsyncChunkStore": "chunks.aio",
    "Chunk": "values",
    "ChunkMixin": "chunks.mapped",
    "ChunkStore": "chunks.store",
    "Embedder": "embedders",
    "Hit": "values",
    "PgvecError": "errors",
    "QueryVector": "values",
    "SentenceTransformerEmbedder": "embedders",
    "StaticTokenEmbedder": "embedders",
    "Transition": "upgrade.transition",
    "Where": "filters",
    "Worker": "upgrade.worker",
    "active_view": "chunks.mapped",
    "roll_back": "upgrade.transition",
}

__all__ = [
    "AsyncChunkStore",
    "Chunk",
    "ChunkMixin",
    "ChunkStore",
    "Embedder",
    "Hit",
    "PgvecError",
    "QueryVector",
    "SentenceTransformerEmbedder",
    "StaticTokenEmbedder",
    "Transition",
    "Where",
    "Worker",
    "active_view",
    "roll_back",
]


def __getattr__(name: str) -> Any:
    # On first use: so importing the package costs nothing and has no effects.
    if name in _HOMES:
        return getattr(import_module(f"pgvec_versions.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'pgvec_versions' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
