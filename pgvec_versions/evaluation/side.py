"""One version in an evaluation, and what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pgvec_versions.catalog import Version
from pgvec_versions.embedders.canaries import Agreement
from pgvec_versions.evaluation.distances import Ranking
from pgvec_versions.evaluation.queries import Query
from pgvec_versions.values import QueryVector

#: A hit: chunk id, document id, distance.
Hit: TypeAlias = tuple[str, str | None, float]


@dataclass(slots=True)
class Side:
    """Lists hold an entry for each query, in the order of the queries.

    Units: milliseconds for times.
    """

    version: Version
    #: The row of ``evaluation_facts``, by column.
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    vectors: list[QueryVector] = field(default_factory=list[QueryVector])
    embed_ms: list[float] = field(default_factory=list[float])
    #: The nearest chunks by an exact search, and what the index found.
    exact: list[Ranking] = field(default_factory=list[Ranking])
    found: list[list[Hit]] = field(default_factory=list[list[Hit]])
    search_ms: list[float] = field(default_factory=list[float])
    recalls: list[float] = field(default_factory=list[float])
    #: An entry for each ef_search.
    sweep: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    #: Distances of random pairs of chunks.
    random: list[float] = field(default_factory=list[float])
    #: The share of sampled chunks whose stored vector the embedder reproduces.
    reproduced: float | None = None
    canaries: Agreement | None = None
    #: By the name of the metric; of labelled and known-item queries.
    quality: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    @property
    def label(self) -> str:
        """The version's label."""
        return self.version.model_version


def answers(query: Query, found: Sequence[Hit]) -> list[str]:
    """The ids that were found, of the kind that labels the query; a document counts once."""
    if query.chunks:
        return [chunk_id for chunk_id, _, _ in found]
    return list(dict.fromkeys(document for _, document, _ in found if document is not None))
