"""An embedder that runs a sentence-transformers model in this process: what its kinds share.

The prefixes are put in front here, not by the library, whose own default prompt would otherwise
change vectors without a trace in the identity. Truncation and unit length are ours for the same
reason: one order (truncate, check, normalize) for every kind.
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

__all__ = ["EXTRA", "LocalEmbedder"]

#: The extra that installs what every local embedder imports.
EXTRA = "sentence-transformers"

# The switches below are process-wide, so that only one load may have them turned.
_loading = threading.Lock()


class LocalEmbedder(ABC):
    """Loads its model on first use, under a lock, and encodes under the same lock.

    So one instance may be shared by threads; they take turns.
    """

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
        """``more`` is what this kind adds to the options that all have.

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
        """The vectors of texts that are to be stored.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError on the first load.
        """
        return self._embed(prefixed(texts, self._document_prefix))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts that are to be searched for.

        Shape: (len(texts), dimensions).
        Raises: BadEmbedding, EmbedderFailed, EmbedderUnavailable, ConfigError on the first load.
        """
        return self._embed(prefixed(texts, self._query_prefix))

    @abstractmethod
    def _load(self, folder: Path) -> SentenceTransformer:
        """The model, from a folder that was verified."""

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
                # Not None, which would bring in the default prompt of the model's config.
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
    """Load from files only: no hub, no progress bar, whatever the environment says."""
    try:
        # Outside the lock and before the load, so that an ImportError means a missing extra.
        importlib.import_module("sentence_transformers")
        import huggingface_hub.constants as hub
        from transformers.utils import logging
    except ImportError as exc:
        raise missing_extra(EXTRA, exc) from exc
    with _loading:
        switches: Any = hub
        offline, bars = switches.HF_HUB_OFFLINE, logging.is_progress_bar_enabled()
        # The libraries read the environment variable once, at import; this is what they look at.
        switches.HF_HUB_OFFLINE = True
        logging.disable_progress_bar()
        try:
            yield
        finally:
            switches.HF_HUB_OFFLINE = offline
            if bars:
                logging.enable_progress_bar()
