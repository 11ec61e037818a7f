"""The token-embedding table of a transformer as a model of its own: fast, and really different.

A text's vector is the mean of its tokens' rows; no transformer layer runs. It finds less than the
whole model, at a small part of the cost. Use it for a first pass, for demos, and as a second model
of the same dimension when you rehearse an upgrade.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import WEIGHTS, find_model
from pgvec_versions.errors import EmbedderFailed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: The name of this kind in an identity and in ``pgvec.toml``.
PROVIDER = "static-tokens"

# Some checkpoints have the name of the architecture in front: bert.embeddings.word_embeddings…
_TABLE = "embeddings.word_embeddings.weight"


class StaticTokenEmbedder(LocalEmbedder):
    """Embeds with the mean of the token embeddings of a transformer whose files are pinned.

    ``model``, ``revision``, ``name`` and ``files`` are those of ``SentenceTransformerEmbedder``.
    It reads only ``tokenizer.json`` and the table, and never cuts a text off. A text without a
    token has a zero vector and raises BadEmbedding.

    Effects: imports, reads and downloads nothing before the first vector or ``dimensions``.
    Raises: ConfigError for a model that does not exist or is not pinned.
    Source: https://sbert.net/docs/package_reference/sentence_transformer/modules.html
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        normalize: bool = True,
        query_prefix: str = "",
        document_prefix: str = "",
        truncate_dim: int | None = None,
        # A GPU saves less time in a look-up than it takes to send the tokens there.
        device: str | None = "cpu",
        batch_size: int = 1024,
        name: str | None = None,
        files: str | None = None,
    ) -> None:
        """Finds the model and checks its pin. Loads nothing."""
        super().__init__(
            PROVIDER,
            find_model(model, revision, name=name, files=files),
            normalize=normalize,
            query_prefix=query_prefix,
            document_prefix=document_prefix,
            truncate_dim=truncate_dim,
            batch_size=batch_size,
            device=device,
            more={},
        )

    def _load(self, folder: Path) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The file may limit texts to what the transformer reads (MiniLM's: 128 tokens). Here there
        # is no such limit, and the end of a long text would be lost without a word.
        tokenizer.no_truncation()
        table = _token_table(folder / WEIGHTS, what=str(self._identity))
        return SentenceTransformer(
            modules=[StaticEmbedding(tokenizer, embedding_weights=table)],
            device=self._device,
            local_files_only=True,
        )


def _token_table(weights: Path, *, what: str) -> Any:
    """Reads the only table of token embeddings in the file, as float32, and not the rest.

    Shape: (vocabulary, dimensions).
    """
    from safetensors import safe_open

    opened: Any = safe_open(str(weights), framework="pt")
    with opened as file:
        found = [key for key in file.keys() if f".{key}".endswith(f".{_TABLE}")]  # noqa: SIM118
        if len(found) != 1:
            raise EmbedderFailed(
                f"{what}: {WEIGHTS} holds {len(found)} tensors named {_TABLE}, not one.",
                hint="This kind needs a BERT-like model.",
            )
        return file.get_tensor(found[0]).float()
