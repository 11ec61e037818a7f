"""The rehearsal of an upgrade: it checks what the upgrade checks, and changes nothing.

The rules are those of the upgrade itself: the same functions of ``transition`` and
``fingerprints``, and the refusal functions that the SQL verbs ask too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from pgvec_versions.catalog import Collection, Version, read_collection
from pgvec_versions.embedders import checked
from pgvec_versions.embedders.canaries import CANARIES
from pgvec_versions.embedders.fingerprints import Fingerprints, make_canaries
from pgvec_versions.errors import EmbedderFailed, NotReady, Paused, PgvecError
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, autocommitted
from pgvec_versions.postgres.rows import read_rows
from pgvec_versions.states import State
from pgvec_versions.upgrade.estimates import embedding_seconds, estimate, index_seconds
from pgvec_versions.upgrade.preview import preview
from pgvec_versions.upgrade.transition import Transition

#: Texts that are embedded to measure the rate, at most.
_SAMPLED = 32
#: How long the measuring may take after its first text. Units: seconds.
_LONGEST_MEASURE = 5.0
#: Rows on the pages that are read, for each text that is kept: neighbours belong to one document.
_ROWS_READ = 20

Embed = Callable[[Sequence[str]], None]


@dataclass(slots=True)
class Rehearsal:
    """What an upgrade would do, what stops it, and how long it takes.

    ``refusal`` is what the upgrade would raise first. ``texts`` is how many texts the rate was
    measured with. A figure that is not known is None.

    Units: chunks; chunks a second; seconds.
    """

    does: list[str] = field(default_factory=list[str])
    in_the_way: list[str] = field(default_factory=list[str])
    refusal: PgvecError | None = None
    size: dict[str, int] = field(default_factory=dict[str, int])
    chunks: int = 0
    texts: int = 0
    rate: float | None = None
    embedding_seconds: float | None = None
    index_seconds: float | None = None


def rehearse(made: Transition, rows_per_second: float | None = None) -> Rehearsal:
    """Checks everything that ``made.prepare`` would check, and embeds a few texts with the model.

    ``rows_per_second`` is the throttle that the upgrade would run with.
    Effects: loads the model. Holds no transaction while it runs.
    Raises: what ``begin`` raises before it asks the database: EmbedderMismatch, WrongState,
    FingerprintMismatch, EmbedderError, ConfigError. What the database would refuse is in the
    result.
    """
    with autocommitted(made.engine) as raw:
        known = read_collection(raw, made.collection)
        version = made.may_begin(raw)
        fingerprints = Fingerprints(made.engine, made.collection)
        fingerprints.load(raw, [made.model_version] if version else [])
        texts = _sample(raw, known)
    if version is None:
        dimensions = made.embedder.dimensions
        found = _of_new(made, known, dimensions)
        found.chunks = found.size["chunks"]
    else:
        dimensions = version.dimensions
        # Without ``record``: a verdict in the catalog would be a change.
        fingerprints.check(made.model_version, made.embedder)
        found = _of_known(made, version)
        found.size = made.estimate()
        found.chunks = made.missing()

    def embed(texts: Sequence[str]) -> None:
        what = str(made.embedder.identity)
        try:
            vectors = made.embedder.embed_documents(texts)
        except PgvecError:
            raise
        except Exception as exc:
            raise EmbedderFailed(f"{what} failed: {type(exc).__name__}: {exc}.") from exc
        checked(vectors, count=len(texts), dimensions=dimensions, what=what)

    # At least one text, so that a model that cannot work is found.
    found.rate, found.texts = _measure(embed, texts or [CANARIES["sentence"]])
    found.embedding_seconds = embedding_seconds(found.chunks, found.rate, rows_per_second)
    with autocommitted(made.engine) as raw:
        found.index_seconds = index_seconds(raw, made.collection, found.size["index_bytes"])
    return found


def _of_new(made: Transition, known: Collection, dimensions: int) -> Rehearsal:
    """What stands in the way of a version that is not registered yet."""
    make_canaries(made.embedder, dimensions)
    arguments = made.registration(dimensions)
    seen = preview(made.engine, "register_version", made.collection, made.model_version, arguments)
    does = list(seen.does)
    if known.active:
        does.append(f"embeds every chunk of {known.active.model_version}")
    does += ["builds the index", "checks every row and makes it ready"]
    refusal = _refusal(made, "register_version", arguments)
    return Rehearsal(does, list(seen.in_the_way), refusal, size=made.estimate())


def _of_known(made: Transition, version: Version) -> Rehearsal:
    """What stands in the way of a version that is building or ready, and no step removes."""
    found = Rehearsal()
    if version.state == State.ACTIVE:
        return found
    for verb in ("plan_backfill", "build_index", "make_ready"):
        seen = preview(made.engine, verb, made.collection, made.model_version)
        found.does += seen.does
        blocks = zip(seen.in_the_way, seen.details[len(seen.does) :], strict=True)
        for line, detail in blocks:
            if line in found.in_the_way or not detail.keys() & {"paused_at", "set_aside"}:
                continue
            found.in_the_way.append(line)
            kind = Paused if "paused_at" in detail else NotReady
            found.refusal = found.refusal or kind(line, detail=detail)
    return found


def _refusal(made: Transition, verb: str, arguments: dict[str, Any]) -> PgvecError | None:
    """What the verb would raise now, or None."""
    parameters = {
        "verb": verb,
        "collection": made.collection,
        "model_version": made.model_version,
        "arguments": Jsonb(arguments),
    }
    try:
        with autocommitted(made.engine) as raw:
            raw.execute(sqlfiles.query("raise_refusal"), parameters)
    except PgvecError as refused:
        return refused
    return None


def _sample(raw: PgConnection, known: Collection) -> list[str]:
    """Texts of the active version, from all over its leaf. Empty without one."""
    if known.active is None:
        return []
    leaf = sql.Identifier("pgvec_leaves", known.active.leaf)
    statement = sqlfiles.query("sample_texts").format(leaf=leaf)
    # The number of chunks does not depend on dimensions and m.
    chunks = max(estimate(raw, known.collection, 1, 2)["chunks"], 1)
    percent = min(100.0, 100.0 * _SAMPLED * _ROWS_READ / chunks)
    parameters = {"count": _SAMPLED, "percent": percent}
    return [row.content for row in read_rows(raw, statement, parameters)]


def _measure(embed: Embed, texts: list[str]) -> tuple[float, int]:
    """How many texts it embeds in a second, and with how many that was measured.

    The first one warms the model up.
    """
    began = time.monotonic()
    embed(texts[:1])
    first = max(time.monotonic() - began, 1e-6)
    rest = texts[1 : 1 + max(int(_LONGEST_MEASURE / first), 1)]
    if not rest:
        return 1 / first, 1
    began = time.monotonic()
    embed(rest)
    return len(rest) / max(time.monotonic() - began, 1e-6), len(rest)
