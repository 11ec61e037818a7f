"""ChunkStore: add chunks, delete them, find the nearest ones. Every chunk has its version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pgvec_versions.arguments import (
    need_bool,
    need_int,
    need_items,
    need_optional_text,
    need_text,
)
from pgvec_versions.catalog import Collection, Version, read_collection, status_rows
from pgvec_versions.chunks.adding import Adding, ready_vectors
from pgvec_versions.chunks.statements import TRIES, ChunkTable, go_again
from pgvec_versions.embedders import Embedder, Vectors, checked
from pgvec_versions.embedders.by_version import BoundEmbedders, ModelCall, write_version
from pgvec_versions.errors import (
    BadEmbedding,
    Busy,
    InvalidArgument,
    InvalidVector,
    LockTimeout,
    QueryVersionMismatch,
    StaleSnapshot,
    VersionNotQueryable,
    VersionNotWritable,
)
from pgvec_versions.filters import Filter, as_json
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import (
    Caller,
    autocommitted,
    engine_for,
    reading,
    transaction,
)
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.vectors import BinaryVector, pack, pack_one
from pgvec_versions.values import AddResult, Chunk, ChunkId, Hit, QueryVector, checked_id

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

#: Called after a search with the text, k, the filter and the hits. It must neither wait nor raise.
Observer = Callable[[str, int, Filter | None, Sequence[Hit]], None]
#: Candidates of a search, at most: pgvector's bound on ``hnsw.ef_search``.
_MOST_CANDIDATES = 1000
#: Dimensions of a vector, at most: pgvector's bound.
_MOST_DIMENSIONS = 16_000


class ChunkStore:
    """The chunks of one collection.

    ``embedders`` maps labels to embedders: give one for every version that may become active. Or
    give a single embedder, for the version that was registered with it. Without embedders you can
    search only with ready-made query vectors. ``run_model`` calls the model; by default it runs in
    the thread that calls the store. Threads may share a store: an embedder gets as many calls at
    once as its ``concurrency`` allows.

    ``observer`` is called after every search by text that the active version answered (see
    ``evaluation.shadow``).

    Effects: reads the catalog once when it is made. Each call runs in its own transaction, or in
    that of the ``connection`` you give (a SQLAlchemy ``Connection`` or ``Session``); then you
    commit.
    Raises: UnknownCollection, CatalogNotInstalled, CatalogMismatch, EmbedderMismatch.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        collection: str,
        embedders: Embedder | Mapping[str, Embedder] | None = None,
        *,
        run_model: Callable[[ModelCall], Vectors] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.engine = engine_for(target)
        self.collection = need_text(collection, "the collection")
        self._observer = observer
        with autocommitted(self.engine) as connection:
            require_catalog(connection)
            self._known = read_collection(connection, collection)
            self._embedders = BoundEmbedders(
                self._known, embedders, self.engine, connection, run_model
            )

    @property
    def active_version(self) -> str | None:
        """The label of the active version; asks the database now."""
        return _active(self._refresh())

    def _refresh(self, connection: Caller | None = None) -> Collection:
        """Reads the catalog again. Use what it returns: another thread may set ``_known``."""
        with reading(self.engine, connection) as raw:
            known = read_collection(raw, self.collection)
            self._embedders.verify(known, raw)
        self._known = known
        return known

    @property
    def active_label(self) -> str | None:
        """The label of the active version when the catalog was last read."""
        return _active(self._known)

    def status(self) -> list[dict[str, Any]]:
        """One row for each version: state, chunks, progress. Units: sizes in bytes."""
        with autocommitted(self.engine) as connection:
            return status_rows(connection, self.collection)

    # ---------------------------------------------------------------- add

    def add(
        self,
        chunks: Iterable[Chunk | str],
        *,
        version: str | None = None,
        keep_others: bool = False,
        connection: Caller | None = None,
        progress: Callable[[int], None] | None = None,
        vectors: npt.ArrayLike | None = None,
    ) -> AddResult:
        """Stores chunks, and embeds only texts that are new.

        A text that is stored already is not embedded again; a changed text replaces its chunk. A
        document is replaced as a whole: its stored chunks that are not among the new ones are
        deleted, unless ``keep_others``. Give the chunks of one document one after the other.

        ``vectors`` are ready-made vectors, one row for each chunk; then ``version`` says which
        version made them, and nothing is embedded.

        Shape: ``vectors`` is (n, dimensions) for n chunks.
        Effects: writes the chunks with the label of the active version (or ``version``, or, if you
        gave no embedder for it, a live version that has one); every other live version follows.
        Without ``connection`` it commits after about 1,000 chunks, or more where that is quick,
        never in the middle of a document. After an error each document is stored completely or not
        at all; call it again to add the rest.
        Raises: InvalidArgument (empty text), EmbedderError, EmbedderMissing, VersionNotWritable,
        BadEmbedding.
        """
        need_optional_text(version, "version")
        need_bool(keep_others, "keep_others")
        if vectors is not None and version is None:
            raise InvalidArgument(
                "ready-made vectors need the version that made them.", hint="Give version=…, too."
            )
        known = self._refresh(connection)
        target = self._write_version(known, version)
        ready = None
        if vectors is not None:
            ready = ready_vectors(vectors, target)
        adding = Adding(self.engine, known, self._embedders, target, connection, ready)
        return adding.run(chunks, keep_others, progress)

    def _write_version(self, known: Collection, version: str | None) -> Version:
        if version is None:
            return write_version(known, self._embedders)
        target = known.version(version)
        if not target.live:
            raise VersionNotWritable(
                f"version {version} of {self.collection} is {target.state} and takes no chunks.",
                hint="Name a live version, or none.",
            )
        return target

    # ------------------------------------------------------------- delete

    def delete(
        self,
        *,
        chunk_ids: Sequence[ChunkId] | None = None,
        document_ids: Sequence[str] | None = None,
        connection: Caller | None = None,
    ) -> int:
        """Deletes chunks by id, or whole documents, from every live version at once.

        Returns the number of chunks; ignores unknown ids. Raises: InvalidArgument, Busy.
        """
        if (chunk_ids is None) == (document_ids is None):
            raise InvalidArgument("delete takes chunk_ids or document_ids, one of the two.")
        if chunk_ids is None:
            documents = need_items(document_ids, "document_ids")
            given = [need_text(name, "a document id") for name in documents]
            which, wanted = "rows_of_documents", {"documents": given}
        else:
            ids = need_items(chunk_ids, "chunk_ids")
            given = [checked_id(name, self._known.id_type) for name in ids]
            which, wanted = "rows_of_chunks", {"ids": given}
        if not given:
            return 0
        for _ in range(TRIES):
            try:
                with transaction(self.engine, connection) as raw:
                    return ChunkTable(self._known).delete(raw, which, **wanted)
            except (LockTimeout, StaleSnapshot) as exc:
                go_again(exc, self.engine, connection)
        raise Busy(
            f"other sessions keep writing the same chunks of {self.collection}.",
            hint="Nothing was deleted; try again.",
        )

    # ------------------------------------------------------------- search

    def embed_query(self, text: str, version: str | None = None) -> QueryVector:
        """The vector of a query, made by the active version's embedder (or that of ``version``).

        It asks the database which version is active. If a cut-over follows, the guard refuses the
        vector: embed the query again.
        Raises: EmbedderMissing, EmbedderError, InvalidArgument, VersionNotQueryable,
        UnknownVersion.
        """
        _need_query(text)
        need_optional_text(version, "version")
        return self._embedded(text, version, version or self.active_version, None)

    def _embedded(
        self, text: str, version: str | None, label: str | None, connection: Caller | None
    ) -> QueryVector:
        """The vector of a query, by ``version``'s embedder or else by that of the active version.

        ``label`` is that version, or the one that was active when the catalog was last read. If
        its embedder was not given, another version may have become active: the catalog is read
        again before anything is refused.
        """
        if label is None or not self._embedders.has(label):
            known = self._refresh(connection)
            label = version or _active(known)
            if label is None:
                raise VersionNotQueryable(
                    f"{self.collection} has no active version yet.",
                    hint="Cut over to one first: pgvec cut-over.",
                )
            known.version(label)
        return self._embedders.query(label, text)

    def search(
        self,
        query: str | QueryVector,
        k: int = 10,
        *,
        filter: Filter | None = None,
        ef_search: int | None = None,
        exact: bool = False,
        version: str | None = None,
        connection: Caller | None = None,
    ) -> list[Hit]:
        """The ``k`` chunks nearest to a text, or to a ready-made vector with its version.

        The active version's embedder embeds a text, and the statement that searches asserts that
        this version is still active. After a cut-over in between it embeds and searches once more.
        A ready-made vector of a version that is not active is refused. ``version`` searches one
        live version by name instead, whichever is active.

        Units: ``ef_search`` candidates, 1 to 1000. ``exact`` ranks without the index, for checks.
        Raises: QueryVersionMismatch, VersionNotQueryable, EmbedderMissing, InvalidVector,
        InvalidArgument.
        """
        # All checks come before the model runs and before anything is sent.
        k = need_int(k, "k")
        if ef_search is not None:
            ef_search = need_int(ef_search, "ef_search", 1, _MOST_CANDIDATES)
        need_bool(exact, "exact")
        need_optional_text(version, "version")
        narrowed = as_json(filter)
        if isinstance(query, QueryVector):
            asked = query
        else:
            _need_query(query)
            asked = self._embedded(query, version, version or self.active_label, connection)
        if version is not None and asked.model_version != version:
            raise QueryVersionMismatch(
                f"the query vector is of {asked.model_version}, version {version} was asked for.",
                hint=f"Embed the query with {version}.",
                detail={"query_version": asked.model_version, "model_version": version},
            )
        try:
            hits = self._nearest(asked, k, narrowed, ef_search, exact, version is None, connection)
            return self._observed(query, version, k, filter, hits)
        except (QueryVersionMismatch, VersionNotQueryable):
            if isinstance(query, QueryVector) or version is not None:
                raise
            label = _active(self._refresh(connection))
            if label in (None, asked.model_version):
                raise
        again = self._embedded(query, None, label, connection)
        hits = self._nearest(again, k, narrowed, ef_search, exact, True, connection)
        return self._observed(query, version, k, filter, hits)

    def _observed(
        self,
        query: str | QueryVector,
        version: str | None,
        k: int,
        filter: Filter | None,
        hits: list[Hit],
    ) -> list[Hit]:
        if self._observer is not None and version is None and isinstance(query, str):
            self._observer(query, k, filter, hits)
        return hits

    def _nearest(
        self,
        query: QueryVector,
        k: int,
        narrowed: tuple[str | None, str | None],
        ef_search: int | None,
        exact: bool,
        expect_active: bool,
        caller: Caller | None,
    ) -> list[Hit]:
        contains, conditions = narrowed
        parameters = {
            "collection": self.collection,
            "query": _packed(query.vector),
            "model_version": need_text(query.model_version, "the query vector's model_version"),
            "k": k,
            "filter": contains,
            "conditions": conditions,
            "ef_search": ef_search,
            "exact": exact,
            "expect_active": expect_active,
        }
        with reading(self.engine, caller) as raw:
            rows = raw.execute(sqlfiles.query("nearest"), parameters).fetchall()
        # In the order of Hit's fields; psycopg's class_row takes four times as long.
        return [Hit(*row) for row in rows]


def _active(known: Collection) -> str | None:
    active = known.active
    return active.model_version if active else None


def _need_query(text: object) -> None:
    """Raises: InvalidArgument for a query that is no text, or an empty one."""
    if not isinstance(text, str):
        raise InvalidArgument(
            f"the query is a {type(text).__name__}.", hint="Give a text, or a QueryVector."
        )
    if not text.strip():
        raise InvalidArgument("the query is empty.", hint="Write a few words.")


def _packed(vector: npt.NDArray[np.float32]) -> BinaryVector:
    """The query vector in wire format. Raises: InvalidVector."""
    quick = pack_one(vector) if isinstance(vector, np.ndarray) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if quick is not None:
        return quick
    try:
        given = np.asarray(vector)
        if given.ndim != 1 or not 1 <= given.size <= _MOST_DIMENSIONS:
            raise InvalidVector(
                "the query vector must be a row of numbers.", detail={"shape": list(given.shape)}
            )
        row = checked([given], count=1, dimensions=given.size, what="the query vector")
    except BadEmbedding as exc:
        raise InvalidVector(exc.message, detail=exc.detail) from None
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidVector(f"the query vector is not one: {exc}.") from None
    return pack(row)[0]
