"""What embedders share that run a sentence-transformers model in this process.

This module adds the prefixes, not the library: the library's default prompt would change vectors
without a trace in the identity. For the same reason truncation and normalization are done here, in
one order for every kind: truncate, check, normalize.
"""

from __future__ import annotations

import importlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgvec_versions.embedders.identity import EmbedderIdentity, Scalar
from pgvec_versions.embedders.model_files import ModelSource
from pgvec_versions.embedders.options import missing_extra, positive
from pgvec_versions.embedders.protocol import Vectors, checked, prefixed, unit_rows
from pgvec_versions.errors import ConfigError, EmbedderFailed, PgvecError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: The extra that installs what these embedders import.
EXTRA = "sentence-transformers"

# The switches below are for the whole process, so only one load at a time may turn them.
_loading = threading.Lock()


class LocalEmbedder(ABC):
    """Loads its model on first use. Threads may share an instance; they take turns."""

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
        self._model: SentenceTransformer | None = None
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
    def _load(self, folder: Path) -> SentenceTransformer:
        """Loads the model from a verified folder."""

    def _embed(self, texts: list[str]) -> Vectors:
        with self._lock:
            model = self._ready()
            raw: object = []
            if texts:
                raw = self._encode(model, texts)
        rows = checked(raw, count=len(texts), dimensions=self._dimensions, what=str(self._identity))
        return unit_rows(rows) if self._normalize else rows

    def _encode(self, model: SentenceTransformer, texts: list[str]) -> object:
        try:
            return model.encode(  # pyright: ignore[reportUnknownMemberType]
                texts,
                # Not None, which would add the default prompt of the model's configuration.
                prompt="",
                batch_size=self._batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=False,
            )
        except Exception as exc:
            raise _failed(f"{self._identity} could not embed {len(texts)} texts", exc) from exc

    def _ready(self) -> SentenceTransformer:
        if self._model is not None:
            return self._model
        folder = self._source.verified_folder()
        try:
            with _quiet_and_offline():
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
def _quiet_and_offline() -> Generator[None]:
    """Loads from files only: no hub, no progress bar, whatever the environment says."""
    try:
        # Before the load, so that an ImportError means a missing extra.
        importlib.import_module("sentence_transformers")
        import huggingface_hub.constants as hub
        from transformers.utils import logging
    except ImportError as exc:
        raise missing_extra(EXTRA, exc) from exc
    with _loading:
        switches: Any = hub
        offline, bars = switches.HF_HUB_OFFLINE, logging.is_progress_bar_enabled()
        # The libraries read the environment variable at import, and later only this constant.
        switches.HF_HUB_OFFLINE = True
        logging.disable_progress_bar()
        try:
            yield
        finally:
            switches.HF_HUB_OFFLINE = offline
            if bars:
                logging.enable_progress_bar()
