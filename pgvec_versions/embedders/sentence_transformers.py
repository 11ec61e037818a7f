"""A sentence-transformers model from the hub, from a folder, or from a Python package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import find_model
from pgvec_versions.embedders.options import positive
from pgvec_versions.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: The name of this kind in an identity and in ``pgvec.toml``.
PROVIDER = "sentence-transformers"


class SentenceTransformerEmbedder(LocalEmbedder):
    """Embeds with a sentence-transformers model whose files are pinned.

    For ``model``, ``revision`` and ``files`` see ``model_files``. ``name`` stands for a folder in
    the identity. With None, ``max_seq_length`` and ``truncate_dim`` are the model's own. The
    identity does not contain ``device`` (None: a GPU if there is one) and ``batch_size``.

    Units: ``max_seq_length`` in tokens; longer texts are cut off.
    Effects: imports, reads and downloads nothing before the first vector or ``dimensions``.
    Raises: ConfigError for a model that does not exist or is not pinned.
    Source: https://sbert.net/docs/package_reference/sentence_transformer/model.html
    """

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
