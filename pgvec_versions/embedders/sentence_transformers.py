"""A sentence-transformers model from the hub, from a folder, or from a Python package."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import find_model
from pgvec_versions.embedders.options import missing_extra, positive
from pgvec_versions.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: The name of this kind in an identity and in ``pgvec.toml``.
PROVIDER = "sentence-transformers"

# The switches below are for the whole process, so only one load at a time may turn them.
_loading = threading.Lock()


class SentenceTransformerEmbedder(LocalEmbedder["SentenceTransformer"]):
    """Embeds with a sentence-transformers model whose files are pinned.

    For ``model``, ``revision`` and ``files`` see ``model_files``. ``name`` stands for a folder in
    the identity. With None, ``max_seq_length`` and ``truncate_dim`` are the model's own. The
    identity does not contain ``device`` (None: a GPU if there is one) and ``batch_size``.

    Units: ``max_seq_length`` in tokens; longer texts are cut off.
    Effects: imports, reads and downloads nothing before the first vector or ``dimensions``.
    Raises: ConfigError for a model that does not exist or is not pinned.
    Source: https://sbert.net/docs/package_reference/sentence_transformer/model.html
    """

    EXTRA = "sentence-transformers"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        normalize: bool = True,
        query_prefix: str = "",
        document_prefix: str = "",
        max_seq_length: int | None = None,
        truncate_dim: int | None = None,
        device: str | None = None,
        batch_size: int = 64,
        name: str | None = None,
        files: str | None = None,
    ) -> None:
        """Finds the model and checks its pin. Loads nothing."""
        positive("max_seq_length", max_seq_length)
        super().__init__(
            PROVIDER,
            find_model(model, revision, name=name, files=files),
            normalize=normalize,
            query_prefix=query_prefix,
            document_prefix=document_prefix,
            truncate_dim=truncate_dim,
            batch_size=batch_size,
            device=device,
            more={"max_seq_length": max_seq_length},
        )
        self._max_seq_length = max_seq_length

    def _while_loading(self) -> AbstractContextManager[None]:
        return _quiet_and_offline()

    def _load(self, folder: Path) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(
            str(folder),
            device=self._device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
        if self._max_seq_length is not None:
            _refuse_more_than_positions(model, self._max_seq_length, what=str(self._identity))
            model.max_seq_length = self._max_seq_length
        return model

    def _vectors(self, model: SentenceTransformer, texts: list[str]) -> object:
        return model.encode(  # pyright: ignore[reportUnknownMemberType]
            texts,
            # Not None, which would add the default prompt of the model's configuration.
            prompt="",
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=False,
        )


def _refuse_more_than_positions(
    model: SentenceTransformer, max_seq_length: int, *, what: str
) -> None:
    """Refuses a length with which the first long text would fail inside the model."""
    config: Any = getattr(model.transformers_model, "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and max_seq_length > positions:
        raise ConfigError(
            f"max_seq_length = {max_seq_length} is more than the {positions} positions of {what}."
        )


@contextmanager
def _quiet_and_offline() -> Generator[None]:
    """Loads from files only: no hub, no progress bar, whatever the environment says."""
    try:
        # Before the load, so that an ImportError means a missing extra.
        importlib.import_module("sentence_transformers")
        import huggingface_hub.constants as hub
        from transformers.utils import logging
    except ImportError as exc:
        raise missing_extra(SentenceTransformerEmbedder.EXTRA, exc) from exc
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
