"""evaluate: measure a version, and the active one beside it, without touching traffic.

It reads from the leaves, in short read-only transactions; holds no lock while a model runs, and
routes nothing. The result is a row of ``pgvec.evaluation``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.catalog import Collection, read_collection
from pgvec_versions.embedders import Embedder
from pgvec_versions.embedders.by_version import BoundEmbedders
from pgvec_versions.embedders.canaries import LEAST_COSINE
from pgvec_versions.errors import InvalidArgument, VersionNotQueryable
from pgvec_versions.evaluation import metrics
from pgvec_versions.evaluation.distances import pair_distances
from pgvec_versions.evaluation.figures import Figures
from pgvec_versions.evaluation.queries import Query, QuerySet, known_item_queries
from pgvec_versions.evaluation.records import Evaluation, evaluations, record
from pgvec_versions.evaluation.side import Hit, Side, answers
from pgvec_versions.postgres import sqlfiles, vectors
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.postgres.rows import read_rows
from pgvec_versions.states import SHOWN
from pgvec_versions.upgrade.transition import Progress

#: Chunks of each query that are ranked exactly, for overlap, correlation and thresholds.
_DEPTH = 50
#: Queries in one transaction: it stays short, so that nothing waits behind it.
_AT_ONCE = 20
#: Queries for each ef_search of the sweep, at most.
_SWEPT = 100
#: Sampled chunks whose distances to each other are measured, and those that are embedded again.
_PAIRS, _REPRODUCED = 400, 32
#: ef_search, around pgvector's default of 40.
_SWEEP = (10, 20, 40, 80, 160, 320)
#: pgvector accepts no larger ef_search.
_MOST_EF_SEARCH = 1000
#: As much of a chunk as a report shows. Units: characters.
_TEXT = 240
#: Unknown ids that an error names.
_NAMED = 20


def evaluate(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    embedders: Embedder | Mapping[str, Embedder],
    *,
    queries: QuerySet | None = None,
    count: int = 200,
    k: int = 10,
    sweep: Sequence[int] = _SWEEP,
    thresholds: Sequence[float] = (),
    seed: str = "1",
    on_progress: Callable[[Progress], None] | None = None,
) -> Evaluation:
    """Measures a version against the active one and records the figures.

    ``queries`` come from a file (``load_queries``); without them it makes ``count`` known-item
    queries from the chunks. ``embedders`` must have those of the version and of the active one.
    ``thresholds``: distances of the active version to translate.

    Effects: adds a row to ``pgvec.evaluation``, nothing else. Units: milliseconds, bytes.
    Raises: VersionNotQueryable (not ready), EmbedderMissing, EmbedderMismatch, InvalidArgument.
    """
    if k < 1 or count < 1:
        raise InvalidArgument("k and count must be 1 or more.", detail={"k": k, "count": count})
    run = _Measurement(
        engine_for(target), collection, model_version, embedders, k, seed, on_progress
    )
    asked = queries or run.known_items(count)
    unknown = run.measure(asked, [ef for ef in sorted(set(sweep)) if k <= ef <= _MOST_EF_SEARCH])
    figures = Figures(asked, k, run.candidate, run.baseline)
    detail = {
        "depth": _DEPTH,
        "seed": seed,
        "unknown_ids": unknown,
        "distance": run.known.distance,
        **figures.detail(thresholds),
    }
    changes = figures.changes()
    if changes is not None:
        detail |= changes.detail(run.texts(changes.first_hits()))
    made = record(
        run.engine,
        collection,
        model_version,
        kind=asked.kind,
        queries=len(asked.queries),
        metrics=figures.metrics(run.candidate),
        baseline_version=run.baseline.label if run.baseline else None,
        baseline=figures.metrics(run.baseline) if run.baseline else {},
        detail=detail,
        index_mark=run.candidate.facts["index_mark"],
    )
    kinds = ("labelled", "known_item", "recorded")
    rows = evaluations(run.engine, collection, model_version, kinds)
    return next(row for row in rows if row.evaluation_id == made)


class _Ranked(NamedTuple):
    """The answer to one query. Units: milliseconds."""

    hits: list[Hit]
    ms: float


class _Measurement:
    """The part of an evaluation that asks the database and the embedders."""

    def __init__(
        self,
        engine: Engine,
        collection: str,
        model_version: str,
        embedders: Embedder | Mapping[str, Embedder],
        k: int,
        seed: str,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.engine = engine
        self.k = k
        self.seed = seed
        self._show = on_progress
        with autocommitted(engine) as raw:
            require_catalog(raw)
            self.known: Collection = read_collection(raw, collection)
            self.bound = BoundEmbedders(self.known, embedders, engine, raw)
        version = self.known.version(model_version)
        if version.state not in SHOWN:
            raise VersionNotQueryable(
                f"version {model_version} of {collection} is {version.state}: "
                "there is nothing to measure.",
                hint="Make it ready first: pgvec upgrade."
                if version.live
                else "It is gone; evaluate a live version.",
                detail={"collection": collection, "model_version": model_version},
            )
        active = self.known.active
        self.candidate = Side(version)
        self.baseline = Side(active) if active and active != version else None

    @contextmanager
    def _reading(self) -> Generator[PgConnection]:
        with transaction(self.engine) as raw:
            raw.execute(sqlfiles.query("read_only"))
            yield raw

    def _leaf(self, side: Side) -> sql.Identifier:
        return sql.Identifier("pgvec_leaves", side.version.leaf)

    def _named(self, side: Side) -> dict[str, Any]:
        return {"collection": self.known.collection, "model_version": side.label}

    def _progress(self, side: Side, step: str, done: int, total: int, began: float) -> None:
        if self._show is not None:
            name = f"{side.label}: {step}"
            self._show(Progress(name, done, total, time.monotonic() - began))

    # --- Chunks ---

    def known_items(self, count: int) -> QuerySet:
        """Queries made from the chunks. Every chunk with the same text answers them."""
        with self._reading() as raw:
            texts, _ = self._sample(raw, self.candidate, count)
            made = known_item_queries(list(texts.items()), self.seed)
            rows = read_rows(
                raw,
                sqlfiles.query("chunks_alike").format(leaf=self._leaf(self.candidate)),
                {"contents": list({texts[chunk_id] for chunk_id, _ in made})},
            )
        if not made:
            raise InvalidArgument(
                f"{self.known.collection} has no chunks to make queries from.",
                hint="Add chunks first, or give queries.",
            )
        alike: dict[str, list[str]] = {row.content: row.chunk_ids for row in rows}
        queries = (Query(text, dict.fromkeys(alike[texts[chunk_id]], 1)) for chunk_id, text in made)
        return QuerySet("known_item", tuple(queries), f"sentences of {len(made)} chunks")

    def _sample(
        self, raw: PgConnection, side: Side, count: int
    ) -> tuple[dict[str, str], npt.NDArray[np.float32]]:
        """Texts by chunk id, and their stored vectors: the same chunks in every version."""
        statement = sqlfiles.query("sample_chunks").format(leaf=self._leaf(side))
        with raw.cursor(binary=True, row_factory=namedtuple_row) as cursor:
            rows: list[Any] = cursor.execute(
                statement, {"seed": self.seed, "count": count}
            ).fetchall()
        if not rows:
            return {}, np.empty((0, side.version.dimensions), dtype=np.float32)
        stored = vectors.unpack([bytes(row.embedding) for row in rows], self.known.storage)
        return {row.chunk_id: row.content for row in rows}, stored

    def _count_unknown(self, asked: QuerySet) -> int:
        """How many of the ids that label the queries do not exist. Raises: InvalidArgument."""
        if asked.kind != "labelled":
            return 0
        ids = sorted({name for query in asked.queries for name in query.relevant})
        statement = sqlfiles.query("known_ids").format(leaf=self._leaf(self.candidate))
        with self._reading() as raw:
            there = {row.id for row in read_rows(raw, statement, {"ids": ids})}
        if not there:
            raise InvalidArgument(
                f"none of the ids of {asked.source} is in {self.known.collection}.",
                hint="chunks takes chunk ids, documents takes document ids.",
                detail={"unknown": ids[:_NAMED]},
            )
        return len(set(ids) - there)

    def texts(self, chunk_ids: set[str]) -> dict[str, dict[str, Any]]:
        """Document and beginning of the text of each chunk."""
        statement = sqlfiles.query("chunk_texts").format(leaf=self._leaf(self.candidate))
        with self._reading() as raw:
            rows = read_rows(raw, statement, {"ids": list(chunk_ids), "length": _TEXT})
        return {row.chunk_id: {"document_id": row.document_id, "text": row.content} for row in rows}

    # --- Measuring ---

    def measure(self, asked: QuerySet, sweep: Sequence[int]) -> int:
        """Fills both sides, one after the other. Returns how many labelling ids do not exist."""
        unknown = self._count_unknown(asked)
        for side in (self.candidate, self.baseline):
            if side is not None:
                self._measure(side, asked, sweep)
        return unknown

    def _measure(self, side: Side, asked: QuerySet, sweep: Sequence[int]) -> None:
        with self._reading() as raw, raw.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(sqlfiles.query("evaluation_facts"), self._named(side)).fetchone()
            side.facts = dict(row or {})
        self._embed(side, asked)
        exact = self._rank(side, "exact", len(asked.queries), exact=True, k=_DEPTH)
        side.exact = [
            [(chunk_id, distance) for chunk_id, _, distance in ranked.hits] for ranked in exact
        ]
        searched = self._rank(side, "search", len(asked.queries))
        side.found = [ranked.hits for ranked in searched]
        side.search_ms = [ranked.ms for ranked in searched]
        side.recalls = self._recalls(side, searched)
        side.sweep = [self._sweep(side, ef_search) for ef_search in sweep]
        self._compare_with_stored(side)
        if asked.judged:
            relevant = [query.relevant for query in asked.queries]
            rankings = [
                answers(query, found)
                for query, found in zip(asked.queries, side.found, strict=True)
            ]
            side.quality = metrics.retrieval(relevant, rankings, self.k)

    def _embed(self, side: Side, asked: QuerySet) -> None:
        began = time.monotonic()
        # The first call may load the model, which is not part of a query's time.
        self.bound.query(side.label, asked.queries[0].text)
        side.canaries = self.bound.agreement(side.label)
        for number, query in enumerate(asked.queries, 1):
            start = time.perf_counter()
            side.vectors.append(self.bound.query(side.label, query.text))
            side.embed_ms.append(1000 * (time.perf_counter() - start))
            self._progress(side, "embed", number, len(asked.queries), began)

    def _rank(
        self,
        side: Side,
        step: str,
        most: int,
        *,
        exact: bool = False,
        k: int | None = None,
        ef_search: int | None = None,
    ) -> list[_Ranked]:
        """Searches with the first ``most`` query vectors."""
        began = time.monotonic()
        packed = vectors.pack(np.stack([v.vector for v in side.vectors[:most]]))
        statement = sqlfiles.query("ranking")
        made: list[_Ranked] = []
        for start in range(0, len(packed), _AT_ONCE):
            with self._reading() as raw:
                if not exact:
                    raw.execute(sqlfiles.query("through_the_index"))
                for vector in packed[start : start + _AT_ONCE]:
                    parameters = {
                        **self._named(side),
                        "query": vector,
                        "k": k or self.k,
                        "ef_search": ef_search,
                        "exact": exact,
                    }
                    if not made:
                        # Once untimed: the first search reads from disk what the others find in
                        # memory.
                        raw.execute(statement, parameters).fetchall()
                    asked = time.perf_counter()
                    hits = raw.execute(statement, parameters).fetchall()
                    made.append(_Ranked(hits, 1000 * (time.perf_counter() - asked)))
            self._progress(side, step, len(made), len(packed), began)
        return made

    def _recalls(self, side: Side, searched: Sequence[_Ranked]) -> list[float]:
        return [
            metrics.recall(
                [distance for _, _, distance in ranked.hits],
                [distance for _, distance in exact],
                self.k,
            )
            for ranked, exact in zip(searched, side.exact, strict=False)
        ]

    def _sweep(self, side: Side, ef_search: int) -> dict[str, float]:
        """Recall and latency for one ef_search."""
        swept = self._rank(side, f"ef_search {ef_search}", _SWEPT, ef_search=ef_search)
        times = [ranked.ms for ranked in swept]
        return {
            "ef_search": ef_search,
            "recall": float(np.mean(self._recalls(side, swept))),
            "p50_ms": metrics.percentile(times, 50),
            "p95_ms": metrics.percentile(times, 95),
        }

    def _compare_with_stored(self, side: Side) -> None:
        """Distances of random pairs, and whether the embedder reproduces stored vectors."""
        with self._reading() as raw:
            sampled, stored = self._sample(raw, side, _PAIRS)
        side.random = pair_distances(stored, self.known.distance) if len(sampled) > 1 else []
        texts = list(sampled.values())[:_REPRODUCED]
        if texts:
            again = self.bound.documents(side.label, texts).astype(np.float64)
            there = stored[: len(texts)].astype(np.float64)
            lengths = np.linalg.norm(again, axis=1) * np.linalg.norm(there, axis=1)
            products: npt.NDArray[np.float64] = np.sum(again * there, axis=1)
            cosines: npt.NDArray[np.float64] = products / np.maximum(lengths, 1e-30)
            side.reproduced = float((cosines >= LEAST_COSINE).mean())
