"""evaluate: measure a version, and the active one beside it, without touching traffic.

Everything is read from the leaves in short read-only transactions; no lock is held while a model
runs, nothing is routed. What comes out is a row of ``pgvec.evaluation``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from pgvec_versions.catalog import Collection, Version, read_collection
from pgvec_versions.embedders import Embedder
from pgvec_versions.embedders.canaries import LEAST_COSINE, Agreement
from pgvec_versions.embedders.of_versions import BoundEmbedders
from pgvec_versions.errors import InvalidArgument, VersionNotQueryable
from pgvec_versions.evaluation import metrics
from pgvec_versions.evaluation.distances import (
    Ranking,
    histogram,
    map_threshold,
    pair_distances,
    threshold_table,
)
from pgvec_versions.evaluation.queries import Query, QuerySet, known_item_queries
from pgvec_versions.evaluation.records import Evaluation, evaluations, record
from pgvec_versions.postgres import sqlfiles, vectors
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for, transaction
from pgvec_versions.postgres.install import require_catalog
from pgvec_versions.states import SHOWN
from pgvec_versions.upgrade.transition import Progress
from pgvec_versions.values import QueryVector

__all__ = ["evaluate"]

#: Nearest chunks that are ranked exactly, for overlap, correlation and thresholds.
_DEPTH = 50
#: Queries in one transaction: it stays short, so that nothing waits behind it.
_AT_ONCE = 20
#: Queries that the sweep and the random pairs rest on, at most.
_SWEPT, _PAIRS, _REPRODUCED = 100, 400, 32
_SWEEP = (10, 20, 40, 80, 160, 320)
_TOLD = 12
_TEXT = 240


@dataclass(slots=True)
class _Side:
    """One version and what was measured of it. Times in milliseconds, a figure a query."""

    version: Version
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    vectors: list[QueryVector] = field(default_factory=list[QueryVector])
    embed_ms: list[float] = field(default_factory=list[float])
    exact: list[Ranking] = field(default_factory=list[Ranking])
    found: list[list[tuple[str, str | None, float]]] = field(
        default_factory=list[list[tuple[str, str | None, float]]]
    )
    search_ms: list[float] = field(default_factory=list[float])
    recalls: list[float] = field(default_factory=list[float])
    sweep: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    random: list[float] = field(default_factory=list[float])
    reproduced: float | None = None
    canaries: Agreement | None = None
    quality: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    @property
    def label(self) -> str:
        return self.version.model_version


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
    """Measures a version against the active one and writes the figures down.

    ``queries`` come from a file (``load_queries``); without them ``count`` known-item queries are
    made from the chunks. ``embedders`` must hold those of the version and of the active one.

    Effects: a row of ``pgvec.evaluation``; nothing else. Units: milliseconds, bytes. ``thresholds``
    are distances of the active version that are to be mapped.
    Raises: VersionNotQueryable (not ready), EmbedderMissing, EmbedderMismatch, InvalidArgument.
    """
    if k < 1 or count < 1:
        raise InvalidArgument("k and count must be 1 or more.", detail={"k": k, "count": count})
    run = _Run(engine_for(target), collection, model_version, embedders, k, seed, on_progress)
    asked = queries or run.known_items(count)
    run.measure(asked, [ef for ef in sorted(set(sweep)) if k <= ef <= 1000])
    made = record(
        run.engine,
        collection,
        model_version,
        kind=asked.kind,
        queries=len(asked.queries),
        metrics=run.figures(run.candidate),
        baseline_version=run.baseline.label if run.baseline else None,
        baseline=run.figures(run.baseline) if run.baseline else {},
        detail=run.detail(asked, thresholds),
        index_mark=run.candidate.facts["index_mark"],
    )
    kinds = ("labelled", "known_item", "recorded")
    rows = evaluations(run.engine, collection, model_version, kinds)
    return next(row for row in rows if row.evaluation_id == made)


class _Run:
    """One evaluation under way."""

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
        self.candidate = _Side(version)
        self.baseline = _Side(active) if active and active != version else None

    @property
    def sides(self) -> list[_Side]:
        return [self.candidate, *([self.baseline] if self.baseline else [])]

    def leaf(self, side: _Side) -> sql.Identifier:
        return sql.Identifier("pgvec_leaves", side.version.leaf)

    # ------------------------------------------------------------ queries

    def known_items(self, count: int) -> QuerySet:
        """Queries made from the chunks; all chunks that hold the same text answer them."""
        with self._reading() as raw:
            sampled, _ = self._sample(raw, self.candidate, count)
            made = known_item_queries([(i, text) for i, text in sampled], self.seed)
            texts = dict(sampled)
            statement = sqlfiles.query("chunks_alike").format(leaf=self.leaf(self.candidate))
            wanted = {"contents": list({texts[i] for i, _ in made})}
            alike: dict[str, list[str]] = dict(raw.execute(statement, wanted).fetchall())
        if not made:
            raise InvalidArgument(
                f"{self.known.collection} has no chunks to make queries from.",
                hint="Add chunks first, or give queries.",
            )
        queries = (Query(q, dict.fromkeys(alike[texts[i]], 1)) for i, q in made)
        return QuerySet("known_item", tuple(queries), f"sentences of {len(made)} chunks")

    def _sample(
        self, raw: PgConnection, side: _Side, count: int
    ) -> tuple[list[tuple[str, str]], npt.NDArray[np.float32]]:
        """Chunks with their texts and stored vectors, the same for every version."""
        statement = sqlfiles.query("sample_chunks").format(leaf=self.leaf(side))
        with raw.cursor(binary=True) as cursor:
            rows = cursor.execute(statement, {"seed": self.seed, "count": count}).fetchall()
        if not rows:
            return [], np.empty((0, side.version.dimensions), dtype=np.float32)
        stored = vectors.unpack([bytes(row[3]) for row in rows], self.known.storage)
        return [(row[0], row[2]) for row in rows], stored

    def _refuse_unknown(self, asked: QuerySet) -> int:
        """How many of the ids that should be found are not there at all."""
        if asked.kind != "labelled":
            return 0
        ids = sorted({name for query in asked.queries for name in query.relevant})
        statement = sqlfiles.query("known_ids").format(leaf=self.leaf(self.candidate))
        with self._reading() as raw:
            there = {row[0] for row in raw.execute(statement, {"ids": ids})}
        if not there:
            raise InvalidArgument(
                f"none of the ids of {asked.source} is in {self.known.collection}.",
                hint="chunks takes chunk ids, documents takes document ids.",
                detail={"unknown": ids[:20]},
            )
        return len(set(ids) - there)

    # ------------------------------------------------------------ measure

    @contextmanager
    def _reading(self) -> Generator[PgConnection]:
        with transaction(self.engine) as raw:
            raw.execute(sqlfiles.query("read_only"))
            yield raw

    def measure(self, asked: QuerySet, sweep: Sequence[int]) -> None:
        """Fills both sides, one after the other."""
        self.unknown = self._refuse_unknown(asked)
        for side in self.sides:
            with self._reading() as raw, raw.cursor(row_factory=dict_row) as cursor:
                row = cursor.execute(
                    sqlfiles.query("evaluation_facts"), self._named(side)
                ).fetchone()
                side.facts = dict(row or {})
            self._embed(side, asked)
            exact = self._rank(side, "exact", len(asked.queries), exact=True, k=_DEPTH)
            side.exact = [[(i, d) for i, _, d in ranking] for ranking, _ in exact]
            ranked = self._rank(side, "search", len(asked.queries))
            side.found = [ranking for ranking, _ in ranked]
            side.search_ms = [ms for _, ms in ranked]
            side.recalls = self._recalls(side, side.found)
            for ef in sweep:
                swept = self._rank(side, f"ef_search {ef}", _SWEPT, ef_search=ef)
                found = self._recalls(side, [ranking for ranking, _ in swept])
                times = [ms for _, ms in swept]
                side.sweep.append(
                    {
                        "ef_search": ef,
                        "recall": float(np.mean(found)),
                        "p50_ms": metrics.percentile(times, 50),
                        "p95_ms": metrics.percentile(times, 95),
                    }
                )
            self._look_at_stored(side)
            if asked.judged:
                relevant = [query.relevant for query in asked.queries]
                rankings = [
                    _answers(query, found)
                    for query, found in zip(asked.queries, side.found, strict=True)
                ]
                side.quality = metrics.retrieval(relevant, rankings, self.k)

    def _named(self, side: _Side) -> dict[str, Any]:
        return {"collection": self.known.collection, "model_version": side.label}

    def _progress(self, side: _Side, step: str, done: int, total: int, began: float) -> None:
        if self._show is not None:
            name = f"{side.label}: {step}"
            self._show(Progress(name, done, total, time.monotonic() - began))

    def _embed(self, side: _Side, asked: QuerySet) -> None:
        began = time.monotonic()
        # The first call may load the model: that is no query's time.
        self.bound.query(side.label, asked.queries[0].text)
        side.canaries = self.bound.agreement(side.label)
        for number, query in enumerate(asked.queries, 1):
            start = time.perf_counter()
            side.vectors.append(self.bound.query(side.label, query.text))
            side.embed_ms.append(1000 * (time.perf_counter() - start))
            self._progress(side, "embed", number, len(asked.queries), began)

    def _rank(
        self,
        side: _Side,
        step: str,
        most: int,
        *,
        exact: bool = False,
        k: int | None = None,
        ef_search: int | None = None,
    ) -> list[tuple[list[tuple[str, str | None, float]], float]]:
        """For each query vector its ranking, and how long it took. Units: milliseconds."""
        began = time.monotonic()
        packed = vectors.pack(np.stack([v.vector for v in side.vectors[:most]]))
        made: list[tuple[list[tuple[str, str | None, float]], float]] = []
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
                    if start == 0 and not made:
                        # The first one reads what the others find in memory.
                        raw.execute(sqlfiles.query("ranking"), parameters).fetchall()
                    asked = time.perf_counter()
                    rows = raw.execute(sqlfiles.query("ranking"), parameters).fetchall()
                    made.append((rows, 1000 * (time.perf_counter() - asked)))
            self._progress(side, step, len(made), len(packed), began)
        return made

    def _recalls(
        self, side: _Side, found: Sequence[Sequence[tuple[str, str | None, float]]]
    ) -> list[float]:
        return [
            metrics.recall([d for _, _, d in ranking], [d for _, d in exact], self.k)
            for ranking, exact in zip(found, side.exact, strict=False)
        ]

    def _look_at_stored(self, side: _Side) -> None:
        """Distances of random pairs, and whether the embedder still makes what is stored."""
        with self._reading() as raw:
            sampled, stored = self._sample(raw, side, _PAIRS)
        side.random = pair_distances(stored, self.known.distance) if len(sampled) > 1 else []
        texts = [text for _, text in sampled[:_REPRODUCED]]
        if texts:
            again = self.bound.documents(side.label, texts).astype(np.float64)
            there = stored[: len(texts)].astype(np.float64)
            lengths = np.linalg.norm(again, axis=1) * np.linalg.norm(there, axis=1)
            products: npt.NDArray[np.float64] = np.sum(again * there, axis=1)
            same = [bool(c >= LEAST_COSINE) for c in products / np.maximum(lengths, 1e-30)]
            side.reproduced = sum(same) / len(same)

    # ------------------------------------------------------------ figures

    def figures(self, side: _Side) -> dict[str, float]:
        """The metrics of one side, by the names that a gate's bounds use."""
        k = self.k
        made: dict[str, float] = {
            f"recall@{k}": float(np.mean(side.recalls)),
            "search_ms_p50": metrics.percentile(side.search_ms, 50),
            "search_ms_p95": metrics.percentile(side.search_ms, 95),
            "embed_ms_p50": metrics.percentile(side.embed_ms, 50),
            "embed_ms_p95": metrics.percentile(side.embed_ms, 95),
            "index_bytes": float(side.facts.get("index_bytes") or 0),
            "table_bytes": float(side.facts.get("table_bytes") or 0),
            **{name: float(np.mean(values)) for name, values in side.quality.items()},
        }
        if side.reproduced is not None:
            made["reproduced"] = side.reproduced
        if side is self.candidate and self.baseline is not None:
            made[f"overlap@{k}"] = float(np.mean(self._overlaps()))
            correlations = [
                tau
                for one, other in self._id_pairs()
                if (tau := metrics.rank_correlation(one, other)) is not None
            ]
            if correlations:
                made["rank_correlation"] = float(np.mean(correlations))
        return {name: round(value, 6) for name, value in made.items()}

    def _id_pairs(self) -> list[tuple[list[str], list[str]]]:
        assert self.baseline is not None
        return [
            ([i for i, _ in new], [i for i, _ in old])
            for new, old in zip(self.candidate.exact, self.baseline.exact, strict=True)
        ]

    def _overlaps(self) -> list[float]:
        return [metrics.overlap(new, old, self.k) for new, old in self._id_pairs()]

    def detail(self, asked: QuerySet, thresholds: Sequence[float]) -> dict[str, Any]:
        """Everything that the report draws."""
        sides = {"candidate": self.candidate}
        if self.baseline is not None:
            sides["baseline"] = self.baseline
        made: dict[str, Any] = {
            "k": self.k,
            "depth": _DEPTH,
            "seed": self.seed,
            "source": asked.source,
            "unknown_ids": self.unknown,
            "distance": self.known.distance,
            "intervals": {name: self._intervals(side) for name, side in sides.items()},
            "sweep": {name: side.sweep for name, side in sides.items()},
            "facts": {name: side.facts for name, side in sides.items()},
            "canaries": {
                name: {
                    "canaries": len(side.canaries.cosines),
                    "least_cosine": round(side.canaries.least_cosine, 6),
                    "worst": side.canaries.worst,
                }
                for name, side in sides.items()
                if side.canaries is not None
            },
            "distances": {
                name: histogram(
                    {
                        "nearest": [d for _, d in (r[0] for r in side.exact if r)],
                        "top": [d for ranking in side.exact for _, d in ranking[: self.k]],
                        "random": side.random,
                    }
                )
                for name, side in sides.items()
            },
        }
        if self.baseline is not None:
            old, new = self.baseline, self.candidate
            made["thresholds"] = [m.to_json() for m in threshold_table(old.exact, new.exact)]
            made["asked_thresholds"] = [
                map_threshold(old.exact, new.exact, t).to_json() for t in thresholds
            ]
            made["significance"] = {
                name: {
                    "delta": float(np.mean(new.quality[name]) - np.mean(values)),
                    "p": metrics.significance(values, new.quality[name]),
                }
                for name, values in old.quality.items()
            }
            made["overlaps"] = [round(value, 4) for value in self._overlaps()]
            made.update(self._wins_and_losses(asked))
        return made

    def _intervals(self, side: _Side) -> dict[str, list[float]]:
        figures = {f"recall@{self.k}": side.recalls, **side.quality}
        return {name: list(metrics.interval(values)) for name, values in figures.items()}

    def _wins_and_losses(self, asked: QuerySet) -> dict[str, Any]:
        """The queries that changed most, with the texts; nDCG decides."""
        old, new = self.baseline, self.candidate
        name = f"ndcg@{self.k}"
        if old is None or not asked.judged:
            return {}
        changes = [b - a for a, b in zip(old.quality[name], new.quality[name], strict=True)]
        order = sorted(range(len(changes)), key=lambda i: (changes[i], i))
        losses = [i for i in order if changes[i] < 0][:_TOLD]
        wins = [i for i in reversed(order) if changes[i] > 0][:_TOLD]
        shown = {
            ranking[0][0]
            for side in (old, new)
            for i in (*wins, *losses)
            if (ranking := side.found[i])
        }
        statement = sqlfiles.query("chunk_texts").format(leaf=self.leaf(new))
        with self._reading() as raw:
            rows = raw.execute(statement, {"ids": list(shown), "length": _TEXT}).fetchall()
        texts = {row[0]: {"document_id": row[1], "text": row[2]} for row in rows}

        def told(i: int) -> dict[str, Any]:
            query = asked.queries[i]
            return {
                "query": query.text,
                "relevant": list(query.relevant)[:5],
                **{
                    word: {
                        "score": round(side.quality[name][i], 4),
                        "place": _place(query, side.found[i]),
                        "first": texts.get(side.found[i][0][0]) if side.found[i] else None,
                    }
                    for word, side in (("old", old), ("new", new))
                },
            }

        return {
            "changes": [round(changes[i], 4) for i in order],
            "won": sum(1 for change in changes if change > 0),
            "lost": sum(1 for change in changes if change < 0),
            "wins": [told(i) for i in wins],
            "losses": [told(i) for i in losses],
        }


def _answers(query: Query, found: Sequence[tuple[str, str | None, float]]) -> list[str]:
    """The ranking in the ids that the query is labelled with; a document counts once."""
    if query.chunks:
        return [chunk_id for chunk_id, _, _ in found]
    return list(dict.fromkeys(document for _, document, _ in found if document is not None))


def _place(query: Query, found: Sequence[tuple[str, str | None, float]]) -> int | None:
    """Where the first right answer stands, from 1; None when it was not found."""
    for place, name in enumerate(_answers(query, found), 1):
        if name in query.relevant:
            return place
    return None
