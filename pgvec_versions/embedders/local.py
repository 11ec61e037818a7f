"""What embedders share that run a model in this process.

This module adds the prefixes, not the library: the library's default prompt would change vectors
without a trace in the identity. For the same reason truncation and normalization are done here, in
one order for every kind: truncate, check, normalize.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pgvec_versions.embedders.identity import EmbedderIdentity, Scalar
from pgvec_versions.embedders.model_files import ModelSource
from pgvec_versions.embedders.options import positive
from pgvec_versions.embedders.protocol import Vectors, checked, prefixed, unit_rows
from pgvec_versions.errors import ConfigError, EmbedderFailed, PgvecError

#: Its lines are of level INFO. The command line prints them on stderr.
log = logging.getLogger("pgvec_versions.loading")

#: A load that takes longer than this is logged. Units: seconds.
LONG_LOAD = 1.0


class LoadedModel(Protocol):
    """A model in memory, as far as this module uses it."""

    truncate_dim: int | None

    def get_embedding_dimension(self) -> int | None:
        """The length of every vector."""
        ...


M = TypeVar("M", bound=LoadedModel)


class LocalEmbedder(ABC, Generic[M]):
    """Loads its model on first use. Threads may share an instance; they take turns.

    ``EXTRA`` is the extra that installs what the kind imports.
    """

    EXTRA = ""
    #: A model on one machine is not quicker for two calls at once.
    concurrency = 1

    def __init__(
        self,
        provider: str,
        source: ModelSource,
        *,
        normalize: bool,
        query_prefix: str,
        document_prefix: str,
        truncate_dim: int | None,
        batch_size: int,
        device: str | None,
        more: Mapping[str, Scalar],
    ) -> None:
        """``more``: options that only this kind has.

        Raises: ConfigError.
        """
        positive("truncate_dim", truncate_dim)
        positive("batch_size", batch_size)
        self._source = source
        self._normalize = normalize
        self._query_prefix = query_prefix
        self._document_prefix = document_prefix
        self._truncate_dim = truncate_dim
        self._batch_size = batch_size
        self._device = device
        self._lock = threading.Lock()
        self._model: M | None = None
        self._dimensions = 0
        self._identity = EmbedderIdentity(
            provider=provider,
            model=source.name,
            revision=source.revision,
            options={
                "normalize": normalize,
                "query_prefix": query_prefix,
                "document_prefix": document_prefix,
                "truncate_dim": truncate_dim,
                "files": source.files,
                **more,
            },
        )

    @property
    def identity(self) -> EmbedderIdentity:
        """Which model, pinned. Loads nothing."""
        return self._identity

    @property
    def dimensions(self) -> int:
        """The length of every vector. Loads the model."""
        with self._lock:
            self._ready()
            return self._dimensions

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to store.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError on the first load.
        """
        return self._embed(prefixed(texts, self._document_prefix))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts to search for.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError on the first load.
        """
        return self._embed(prefixed(texts, self._query_prefix))

    @abstractmethod
    def _load(self, folder: Path) -> M:
        """Loads the model from a verified folder, inside ``_while_loading``."""

    def _while_loading(self) -> AbstractContextManager[None]:
        """What surrounds a load."""
        return nullcontext()

    @abstractmethod
    def _vectors(self, model: M, texts: list[str]) -> object:
        """The vectors of texts that have their prefix, truncated and not normalized.

        Shape: (len(texts), dimensions).
        """

    def _embed(self, texts: list[str]) -> Vectors:
        with self._lock:
            model = self._ready()
            raw: object = []
            if texts:
                raw = self._encode(model, texts)
        rows = checked(raw, count=len(texts), dimensions=self._dimensions, what=str(self._identity))
        return unit_rows(rows) if self._normalize else rows

    def _encode(self, model: M, texts: list[str]) -> object:
        try:
            return self._vectors(model, texts)
        except Exception as exc:
            raise _failed(f"{self._identity} could not embed {len(texts)} texts", exc) from exc

    def _ready(self) -> M:
        if self._model is not None:
            return self._model
        with _logged_if_long(f"loading the model {self._identity} …"):
            folder = self._source.verified_folder(self.EXTRA)
            try:
                with self._while_loading():
                    model = self._load(folder)
            except PgvecError:
                raise
            except Exception as exc:
                raise _failed(f"{self._identity} could not be loaded", exc) from exc
        if self._truncate_dim is not None:
            model.truncate_dim = self._truncate_dim
        dimensions = model.get_embedding_dimension()
        if dimensions is None:
            raise EmbedderFailed(f"{self._identity} does not say its number of dimensions.")
        if dimensions < (self._truncate_dim or 0):
            raise ConfigError(
                f"truncate_dim = {self._truncate_dim} is more than the {dimensions} dimensions of"
                f" {self._identity}."
            )
        self._dimensions = dimensions
        self._model = model
        return model


def _failed(what: str, exc: Exception) -> EmbedderFailed:
    first = (str(exc).splitlines() or [""])[0][:200]
    return EmbedderFailed(f"{what}: {type(exc).__name__}: {first}")


@contextmanager
def _logged_if_long(text: str) -> Generator[None]:
    """Logs the text if the block takes long: nobody should look at a silent screen."""
    timer = threading.Timer(LONG_LOAD, log.info, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
