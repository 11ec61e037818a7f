"""The embedder of each version of a collection. All texts are embedded through this module.

Promise: before an embedder is used for a version, its identity is compared with the registered one,
and its canaries with those that the version keeps. Every vector it returns is checked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pgvec_versions.catalog import Collection, Version
from pgvec_versions.embedders import (
    Embedder,
    EmbedderIdentity,
    Vectors,
    checked,
    differences,
    require_same,
)
from pgvec_versions.embedders.canaries import Agreement
from pgvec_versions.embedders.fingerprints import RECHECK, Fingerprints
from pgvec_versions.embedders.gates import Gate, gate_of
from pgvec_versions.errors import EmbedderFailed, EmbedderMismatch, EmbedderMissing, PgvecError
from pgvec_versions.postgres.database import PgConnection
from pgvec_versions.states import State
from pgvec_versions.values import QueryVector

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: As much of an embedder's own error as ours repeats. Units: characters.
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of an embedder: its canaries where they are due, then the texts.

    Calling it waits for a place at ``gate``. Under asyncio, take that place with ``gate.enter``,
    and then ``run_in_place`` in a thread.
    """

    gate: Gate
    fingerprints: Fingerprints
    label: str
    embedder: Embedder
    texts: Sequence[str]
    queries: bool

    def __call__(self) -> Vectors:
        """Embeds, in a place of its own. Blocks."""
        with self.gate.place():
            return self.run_in_place()

    def run_in_place(self) -> Vectors:
        """Embeds, for a caller who has a place at the gate. Blocks."""
        self.check_in_place()
        embedder = self.embedder
        embed = embedder.embed_queries if self.queries else embedder.embed_documents
        return embed(self.texts)

    @property
    def check_due(self) -> bool:
        """Whether canaries come before the texts."""
        return self.fingerprints.due(self.label, self.embedder) is not None

    def check_in_place(self) -> None:
        """Compares the canaries if that is due; of calls at once, one does it for all."""
        fingerprint = self.fingerprints.due(self.label, self.embedder)
        if fingerprint is not None:
            self.gate.once(fingerprint, lambda: self.fingerprints.check(self.label, self.embedder))

    @property
    def native(self) -> Callable[[Sequence[str]], Awaitable[Vectors]] | None:
        """The embedder's own method for asyncio, if it has one."""
        return getattr(
            self.embedder, "aembed_queries" if self.queries else "aembed_documents", None
        )


class BoundEmbedders:
    """Embedders by version label, checked against the catalog.

    Takes a mapping of labels to embedders, and keeps those of unknown labels for later; or a single
    embedder, which it binds to the versions that were registered with its identity, also later.
    ``run_model`` calls the model: under asyncio, in another thread. Threads may share an instance;
    an embedder gets as many calls at once as its ``concurrency`` allows.
    """

    def __init__(
        self,
        collection: Collection,
        embedders: Embedder | Mapping[str, Embedder] | None,
        engine: Engine,
        connection: PgConnection,
        run_model: Callable[[ModelCall], Vectors] | None = None,
        recheck: timedelta = RECHECK,
    ) -> None:
        self._run_model = run_model or _here
        self._name = collection.collection
        self._fingerprints = Fingerprints(engine, collection.collection, recheck)
        self._verified: dict[str, Version] = {}
        self._gates: dict[int, Gate] = {}
        self._single: Embedder | None = None
        if embedders is None:
            self._embedders: dict[str, Embedder] = {}
        elif isinstance(embedders, Mapping):
            self._embedders = dict(embedders)
        else:
            self._single = embedders
            self._embedders = {_label_of(collection, embedders): embedders}
        for embedder in self._embedders.values():
            self._gate(embedder)
        self.verify(collection, connection)

    def _gate(self, embedder: Embedder) -> Gate:
        """The embedder's gate, kept here too: not every object can be remembered elsewhere."""
        return self._gates.setdefault(id(embedder), gate_of(embedder))

    def verify(self, collection: Collection, connection: PgConnection) -> None:
        """Compares the identity of every embedder whose version is registered.

        Reads the canaries too, but compares them before the first vector only: no model is loaded
        before it is needed. Raises: EmbedderMismatch.
        """
        bound: list[str] = []
        if self._single is not None:
            identity = self._single.identity
            for version in collection.live:
                if _made_by(version, identity):
                    self._embedders.setdefault(version.model_version, self._single)
        for version in collection.versions:
            embedder = self._embedders.get(version.model_version)
            if embedder is not None and version.model_version not in self._verified:
                require_same(
                    version.embedder,
                    embedder.identity,
                    collection=self._name,
                    model_version=version.model_version,
                    equivalents=version.equivalents,
                )
                bound.append(version.model_version)
        self._fingerprints.load(connection, bound)
        for label in bound:
            self._verified[label] = collection.version(label)

    @property
    def labels(self) -> list[str]:
        """The versions that have a checked embedder."""
        return list(self._verified)

    def has(self, label: str) -> bool:
        """Whether that version has a checked embedder."""
        return label in self._verified

    def _of(self, label: str) -> tuple[Embedder, Version]:
        if label not in self._verified:
            have = ", ".join(self._verified) or "none"
            raise EmbedderMissing(
                f"version {label} of {self._name} needs its embedder, which was not given "
                f"(given: {have}).",
                hint=f"Give the embedder of {label!r}, in code or in pgvec.toml; "
                "or name another live version.",
                detail={"collection": self._name, "model_version": label, "embedders": self.labels},
            )
        return self._embedders[label], self._verified[label]

    def documents(self, label: str, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to store.

        Shape: (n, dimensions). Raises: EmbedderError, FingerprintMismatch.
        """
        return self._run(label, texts, queries=False)

    def query(self, label: str, text: str) -> QueryVector:
        """The vector of a text to search for, with its version.

        Raises: EmbedderError, FingerprintMismatch.
        """
        return QueryVector(self._run(label, [text], queries=True)[0], label)

    def agreement(self, label: str) -> Agreement | None:
        """How well the embedder reproduces its canaries now; None for a version without.

        Raises: EmbedderError, EmbedderMissing.
        """
        embedder, _ = self._of(label)
        with self._gate(embedder).place():
            return self._fingerprints.agreement(label, embedder)

    def check(self) -> dict[str, PgvecError]:
        """Checks the canaries of every live version that has an embedder, if that is due.

        For a long-running program that should notice before the first text. Returns the refusals
        by label, and records them. Loads the models.
        """
        refused: dict[str, PgvecError] = {}
        for label in [label for label, version in self._verified.items() if version.live]:
            call = self._call(label, [], queries=False)
            try:
                with call.gate.place():
                    call.check_in_place()
            except PgvecError as exc:
                refused[label] = exc
        self._fingerprints.record()
        return refused

    def _call(self, label: str, texts: Sequence[str], *, queries: bool) -> ModelCall:
        embedder, _ = self._of(label)
        return ModelCall(self._gate(embedder), self._fingerprints, label, embedder, texts, queries)

    def _run(self, label: str, texts: Sequence[str], *, queries: bool) -> Vectors:
        _, version = self._of(label)
        try:
            made = self._run_model(self._call(label, texts, queries=queries))
        except PgvecError:
            raise
        except Exception as exc:
            raise EmbedderFailed(
                f"the embedder of {label} failed: {type(exc).__name__}: {_first_line(exc)}",
                detail={"collection": self._name, "model_version": label},
            ) from exc
        finally:
            # Not inside the call, which may run in a thread without a database.
            self._fingerprints.record()
        return checked(
            made, count=len(texts), dimensions=version.dimensions, what=f"the embedder of {label}"
        )


def _here(call: ModelCall) -> Vectors:
    return call()


def _made_by(version: Version, identity: EmbedderIdentity) -> bool:
    """Whether the version was registered with that identity, or it was declared equivalent."""
    known = (version.embedder, *version.equivalents)
    return bool(version.embedder) and not all(differences(one, identity) for one in known)


def _label_of(collection: Collection, embedder: Embedder) -> str:
    identity = embedder.identity
    matching = [v for v in collection.versions if _made_by(v, identity)]
    live = [v for v in matching if v.live]
    if live or matching:
        return (live or matching)[0].model_version
    nearest = collection.active or next(iter(collection.live), None)
    if nearest is None:
        raise EmbedderMismatch(
            f"no version of {collection.collection} was registered with {identity}.",
            hint="Register one: pgvec upgrade, or Transition(…).begin().",
            detail={"collection": collection.collection, "given": identity.to_json()},
        )
    require_same(
        nearest.embedder,
        identity,
        collection=collection.collection,
        model_version=nearest.model_version,
        equivalents=nearest.equivalents,
    )
    return nearest.model_version


def write_version(collection: Collection, embedders: BoundEmbedders) -> Version:
    """The version to write with: the active one, else another live one that has an embedder.

    The order is active, draining, ready, building.
    Raises: EmbedderMissing, also if no version is registered yet.
    """
    order = [State.ACTIVE, State.DRAINING, State.READY, State.BUILDING]
    candidates = sorted(
        (v for v in collection.live if v.follows), key=lambda v: order.index(v.state)
    )
    for version in candidates:
        if embedders.has(version.model_version):
            return version
    live = ", ".join(v.model_version for v in candidates) or "none"
    raise EmbedderMissing(
        f"{collection.collection} has no live version with an embedder given (live: {live}).",
        hint="Register a version first (pgvec upgrade), or give the embedder of a live one.",
        detail={"collection": collection.collection, "live": [v.model_version for v in candidates]},
    )


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [""])[0][:_SHOWN]
