"""Fingerprints: the vectors that a version's embedder made of the canaries, kept and compared.

A name can lie: a provider changes the model behind it, somebody loads another pooling. So an
embedder is used for a version only after it has made a few canaries again and they agreed.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from psycopg.types.json import Jsonb

from pgvec_versions.catalog import Version, read_collection
from pgvec_versions.embedders import Embedder, EmbedderIdentity, Vectors, checked
from pgvec_versions.embedders.canaries import (
    CANARIES,
    CHECKED,
    LEAST_COSINE,
    MOST_LENGTH_CHANGE,
    Agreement,
    Canary,
    Kind,
    compare,
)
from pgvec_versions.errors import (
    EmbedderError,
    EmbedderFailed,
    EmbedderUnavailable,
    FingerprintMismatch,
    FingerprintMissing,
    FingerprintTooLate,
)
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import PgConnection, autocommitted, engine_for, transaction
from pgvec_versions.postgres.rows import read_value
from pgvec_versions.states import State

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

log = logging.getLogger("pgvec_versions.fingerprints")

#: How long a check that passed holds in one process: a model that changes is found within an hour.
RECHECK = timedelta(hours=1)
_KINDS: tuple[Kind, ...] = ("document", "query")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The canaries that a version keeps. ``agrees``: the last recorded verdict."""

    fingerprint_id: UUID
    model_version: str
    agrees: bool
    canaries: tuple[Canary, ...]


def _embed(embedder: Embedder, kind: Kind, texts: Sequence[str], dimensions: int) -> Vectors:
    made = embedder.embed_queries(texts) if kind == "query" else embedder.embed_documents(texts)
    return checked(
        made, count=len(texts), dimensions=dimensions, what=f"{embedder.identity}, on canaries"
    )


def make_canaries(embedder: Embedder, dimensions: int) -> list[Canary]:
    """Embeds every canary as a document and as a query. Loads the model.

    Leaves out texts that the embedder refuses, such as one that is too long for its endpoint.
    Raises: EmbedderUnavailable; EmbedderFailed if it refuses all of them.
    """
    found: list[Canary] = []
    for kind in _KINDS:
        found += _made(embedder, kind, list(CANARIES.items()), dimensions)
    if not found:
        raise EmbedderFailed(
            f"{embedder.identity} refused every canary: it embeds nothing.",
            hint="Try it by hand: embedder.embed_documents(['a text']).",
        )
    if not any(canary.checked for canary in found):
        return [replace(canary, checked=True) for canary in found]
    return found


def _made(
    embedder: Embedder, kind: Kind, texts: list[tuple[str, str]], dimensions: int
) -> list[Canary]:
    try:
        rows = _embed(embedder, kind, [content for _, content in texts], dimensions)
    except EmbedderUnavailable:
        raise
    except Exception as exc:
        if len(texts) == 1:
            log.info("canary %s (%s) left out: %s", texts[0][0], kind, exc)
            return []
        return [c for one in texts for c in _made(embedder, kind, [one], dimensions)]
    return [
        Canary(name, kind, content, row, name in CHECKED[kind])
        for (name, content), row in zip(texts, rows, strict=True)
    ]


def store_fingerprint(
    connection: PgConnection, collection: str, model_version: str, canaries: Iterable[Canary]
) -> None:
    """Stores the canaries with a version that has no chunks yet.

    Raises: FingerprintTooLate, UnknownVersion, InvalidVector.
    """
    rows = [
        {
            "canary": c.name,
            "kind": c.kind,
            "content": c.content,
            "checked": c.checked,
            "embedding": [float(x) for x in c.embedding],
        }
        for c in canaries
    ]
    connection.execute(
        sqlfiles.query("store_fingerprint"),
        {"collection": collection, "model_version": model_version, "canaries": Jsonb(rows)},
    )


def add_fingerprint(engine: Engine, collection: str, version: Version, embedder: Embedder) -> bool:
    """Gives a version its fingerprint, if it has none and no chunks yet. Returns whether it did.

    For versions that SQL or Alembic registered, which have no embedder to ask.
    """
    if version.state != State.BUILDING:
        return False
    parameters = {"collection": collection, "model_version": version.model_version}
    with autocommitted(engine) as raw:
        if not read_value(raw, sqlfiles.query("takes_fingerprint"), parameters):
            return False
    canaries = make_canaries(embedder, version.dimensions)
    try:
        with transaction(engine) as raw:
            store_fingerprint(raw, collection, version.model_version, canaries)
    except FingerprintTooLate:
        # Another process was faster.
        return False
    return True


def read_fingerprints(
    connection: PgConnection, collection: str, labels: Sequence[str], *, every: bool = False
) -> dict[str, Fingerprint]:
    """The fingerprints of these versions, by label; a version without one is left out.

    ``every``: with all canaries, not only those that are compared at each binding.
    """
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            sqlfiles.query("fingerprints"),
            {"collection": collection, "labels": list(labels), "every": every},
        ).fetchall()
    found: dict[str, Fingerprint] = {}
    for label, fingerprint_id, agrees, name, kind, content, is_checked, embedding in rows:
        canary = Canary(name, kind, content, np.array(embedding, dtype=np.float32), is_checked)
        before = found.get(label)
        canaries = (*before.canaries, canary) if before else (canary,)
        found[label] = Fingerprint(fingerprint_id, label, agrees, canaries)
    return found


def agreement(fingerprint: Fingerprint, embedder: Embedder) -> Agreement:
    """Embeds the canaries of a fingerprint again and compares. Raises: EmbedderError."""
    ordered: list[Canary] = []
    made: list[Vectors] = []
    for kind in _KINDS:
        canaries = [c for c in fingerprint.canaries if c.kind == kind]
        if not canaries:
            continue
        dimensions = len(canaries[0].embedding)
        try:
            made.append(_embed(embedder, kind, [c.content for c in canaries], dimensions))
        except EmbedderError:
            raise
        except Exception as exc:
            raise EmbedderFailed(
                f"{embedder.identity} failed on the canaries: {type(exc).__name__}: {exc}."
            ) from exc
        ordered += canaries
    return compare(ordered, np.concatenate(made))


class _Passed:
    """Which embedder objects passed for which fingerprints, and when. One for the process.

    By object and not by identity, because the check doubts the identity.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_object: dict[int, tuple[weakref.ref[Any], dict[UUID, float]]] = {}

    def of(self, embedder: Embedder) -> dict[UUID, float] | None:
        """The times by fingerprint; None if the object cannot be remembered.

        Units: seconds of the monotonic clock.
        """
        key = id(embedder)
        with self._lock:
            if key not in self._by_object:
                forget = self._by_object.pop
                try:
                    reference = weakref.ref(embedder, lambda _: forget(key, None))
                except TypeError:
                    return None
                self._by_object[key] = (reference, {})
            return self._by_object[key][1]


_passed = _Passed()


class Fingerprints:
    """The fingerprints of a collection's versions, for those embedders that a program has."""

    def __init__(self, engine: Engine, collection: str, recheck: timedelta = RECHECK) -> None:
        self._engine = engine
        self._collection = collection
        self._recheck = recheck.total_seconds()
        self._stored: dict[str, Fingerprint] = {}
        self._own: dict[UUID, float] = {}
        self._unrecorded: deque[tuple[str, EmbedderIdentity, Agreement]] = deque()

    def load(self, connection: PgConnection, labels: Sequence[str]) -> None:
        """Reads the fingerprints of these versions. Loads no model."""
        if labels:
            for label, found in read_fingerprints(connection, self._collection, labels).items():
                # Another thread may have read it too, and compared it already.
                self._stored.setdefault(label, found)

    def due(self, label: str, embedder: Embedder) -> UUID | None:
        """The version's fingerprint, if ``check`` would embed canaries now."""
        stored = self._stored.get(label)
        if stored is None:
            return None
        passed_at = self._times(embedder).get(stored.fingerprint_id)
        passed = passed_at is not None and time.monotonic() - passed_at < self._recheck
        return None if passed else stored.fingerprint_id

    def _times(self, embedder: Embedder) -> dict[UUID, float]:
        times = _passed.of(embedder)
        return self._own if times is None else times

    def check(self, label: str, embedder: Embedder) -> None:
        """Checks that the embedder makes that version's vectors. Cheap once it has passed.

        A version without a fingerprint passes: there is nothing to compare with.
        Effects: embeds a few canaries, the first time and then every ``recheck``; keeps a verdict
        that changed for ``record``. Uses no database.
        Raises: FingerprintMismatch, EmbedderError.
        """
        stored = self._stored.get(label)
        if stored is None or self.due(label, embedder) is None:
            return
        times = self._times(embedder)
        found = agreement(stored, embedder)
        if found.agrees != stored.agrees:
            self._unrecorded.append((label, embedder.identity, found))
            self._stored[label] = replace(stored, agrees=found.agrees)
        if not found.agrees:
            times.pop(stored.fingerprint_id, None)
            raise _mismatch(self._collection, label, embedder.identity, found)
        times[stored.fingerprint_id] = time.monotonic()

    def agreement(self, label: str, embedder: Embedder) -> Agreement | None:
        """How well the embedder reproduces the canaries now; None without a fingerprint.

        Raises: EmbedderError.
        """
        stored = self._stored.get(label)
        return None if stored is None else agreement(stored, embedder)

    def record(self) -> None:
        """Records the verdicts that changed, in the status and as an event. Never raises.

        A method of its own, because ``check`` runs where the model does: under asyncio, in another
        thread.
        """
        while self._unrecorded:
            with suppress(IndexError):
                self._record(*self._unrecorded.popleft())

    def _record(self, label: str, identity: EmbedderIdentity, found: Agreement) -> None:
        try:
            with transaction(self._engine) as raw:
                raw.execute(
                    sqlfiles.query("record_fingerprint"),
                    {
                        "collection": self._collection,
                        "model_version": label,
                        "embedder": Jsonb(identity.to_json()),
                        "agrees": found.agrees,
                        "least_cosine": found.least_cosine,
                        "detail": Jsonb(_figures(found)),
                    },
                )
        except Exception as exc:
            # The role may only read, or this is a standby. The refusal must not depend on it.
            log.warning("the verdict on %s of %s is not recorded: %s", label, self._collection, exc)


def _figures(found: Agreement) -> dict[str, Any]:
    return {
        "worst": found.worst,
        "least_cosine": round(found.least_cosine, 6),
        "length_change": round(found.length_change, 6),
        "cosines": {name: round(cosine, 6) for name, cosine in found.cosines.items()},
        "needed": {"least_cosine": LEAST_COSINE, "most_length_change": MOST_LENGTH_CHANGE},
    }


def _mismatch(
    collection: str, label: str, identity: EmbedderIdentity, found: Agreement
) -> FingerprintMismatch:
    if found.least_cosine < LEAST_COSINE:
        seen = f"canary {found.worst!r} has cosine {found.least_cosine:.4f}, below {LEAST_COSINE}"
    else:
        seen = f"a canary's length changed by {found.length_change:.0%}"
    return FingerprintMismatch(
        f"{identity} does not make the vectors of version {label} of {collection}: {seen}.",
        hint="Nothing was written or searched. Has the model changed behind its name? Check"
        " revision, pooling, prefix, normalisation and truncation, or register a new version.",
        detail={"collection": collection, "model_version": label, **_figures(found)},
    )


def declare_equivalent(
    target: str | URL | Engine,
    collection: str,
    model_version: str,
    embedder: Embedder,
    reason: str = "",
) -> Agreement:
    """Declares that ``embedder`` is the version's model, served elsewhere. It may be used then.

    Effects: embeds every canary of the version now, and a few at each binding, like the version's
    own embedder. Records an event.
    Raises: FingerprintMismatch (they do not agree), FingerprintMissing (the version has no
    canaries), UnknownVersion.
    """
    engine = engine_for(target)
    with autocommitted(engine) as raw:
        read_collection(raw, collection).version(model_version)
        stored = read_fingerprints(raw, collection, [model_version], every=True)
    if model_version not in stored:
        raise FingerprintMissing(
            f"version {model_version} of {collection} has no canaries to compare with.",
            hint="Only a version that was registered with its embedder can have equivalents.",
            detail={"collection": collection, "model_version": model_version},
        )
    found = agreement(stored[model_version], embedder)
    if not found.agrees:
        raise _mismatch(collection, model_version, embedder.identity, found)
    with transaction(engine) as raw:
        raw.execute(
            sqlfiles.query("declare_equivalent"),
            {
                "collection": collection,
                "model_version": model_version,
                "embedder": Jsonb(embedder.identity.to_json()),
                "reason": reason,
            },
        )
    return found
