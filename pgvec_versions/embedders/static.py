"""The token-embedding table of a transformer as a model of its own: fast, and really different.

A text's vector is the mean of its tokens' rows; no transformer layer runs. It finds less than the
whole model does, at a small part of the cost: for first passes, for demos, and as a second model
of the same dimension wherever an upgrade is rehearsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import WEIGHTS, find_model
from pgvec_versions.errors import EmbedderFailed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["PROVIDER", "StaticTokenEmbedder"]

#: What the identity and ``pgvec.toml`` call this kind.
PROVIDER = "static-tokens"

# Some checkpoints put the name of the architecture in front: bert.embeddings.word_embeddings…
_TABLE = "embeddings.word_embeddings.weight"


class StaticTokenEmbedder(LocalEmbedder):
    """Embeds with the mean of the token embeddings of a transformer whose files are pinned.

    Takes the same ``model``, ``revision``, ``name`` and ``files`` as
    ``SentenceTransformerEmbedder``, and reads only ``tokenizer.json`` and the table. A text is
    never cut off. A text without a token has a zero vector, which is refused as BadEmbedding.

    Effects: nothing is imported, read or downloaded before the first vector, or ``dimensions``.
    Raises: ConfigError for a model that is not there or not pinned.
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
        # A look-up gains nothing from a GPU that is not lost on the way there.
        device: str | None = "cpu",
        batch_size: int = 1024,
        name: str | None = None,
        files: str | None = None,
    ) -> None:
        """Find the model and check its pin; load nothing."""
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
        # The file may say where the transformer's input ends (MiniLM's says 128 tokens). Here
        # there is no such limit, and the end of a long text would be lost unseen.
        tokenizer.no_truncation()
        table = _token_table(folder / WEIGHTS, what=str(self._identity))
        return SentenceTransformer(
            modules=[StaticEmbedding(tokenizer, embedding_weights=table)],
            device=self._device,
            local_files_only=True,
        )


def _token_table(weights: Path, *, what: str) -> Any:
    """The one table of token embeddings in the file, float32, without reading the rest.

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
