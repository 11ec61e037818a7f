"""The token-embedding table of a transformer as a model of its own: fast, and really different.

A text's vector is the mean of its tokens' rows; no transformer layer runs. It finds less than the
whole model, at a small part of the cost. Use it for a first pass, for demos, and as a second model
of the same dimension when you rehearse an upgrade.

It needs numpy, safetensors and tokenizers only: importing torch takes longer than most programs
that use this kind.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pgvec_versions.embedders.local import LocalEmbedder
from pgvec_versions.embedders.model_files import WEIGHTS, find_model
from pgvec_versions.embedders.options import missing_extra
from pgvec_versions.embedders.protocol import Vectors
from pgvec_versions.embedders.token_table import mean_of_rows, read_token_table

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: The name of this kind in an identity and in ``pgvec.toml``.
PROVIDER = "static-tokens"


class _TokenModel:
    """A tokenizer and the vector of each of its tokens."""

    def __init__(self, tokenizer: Tokenizer, table: Vectors) -> None:
        self._tokenizer = tokenizer
        self._table = table
        self.truncate_dim: int | None = None

    def get_embedding_dimension(self) -> int:
        own: int = self._table.shape[1]
        return own if self.truncate_dim is None else min(own, self.truncate_dim)

    def encode(self, texts: list[str], batch_size: int) -> Vectors:
        """The mean row of each text; zeros for a text without a token."""
        rows = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for first in range(0, len(texts), batch_size):
            batch = texts[first : first + batch_size]
            read = self._tokenizer.encode_batch(batch, add_special_tokens=False)
            for place, tokens in enumerate(read, first):
                if tokens.ids:
                    rows[place] = mean_of_rows(self._table, tokens.ids)
        return rows[:, : self.truncate_dim]


class StaticTokenEmbedder(LocalEmbedder[_TokenModel]):
    """Embeds with the mean of the token embeddings of a transformer whose files are pinned.

    ``model``, ``revision``, ``name`` and ``files`` are those of ``SentenceTransformerEmbedder``.
    It reads only ``tokenizer.json`` and the table, and never cuts a text off. A text without a
    token has a zero vector and raises BadEmbedding. It computes on the CPU, whatever ``device``
    says: a GPU saves less time in a look-up than it takes to send the tokens there.

    Units: ``batch_size`` texts are in memory as tokens at a time.
    Effects: imports, reads and downloads nothing before the first vector or ``dimensions``.
    Raises: ConfigError for a model that does not exist or is not pinned.
    Source: https://sbert.net/docs/package_reference/sentence_transformer/modules.html
    (StaticEmbedding), whose vectors it gives to the last bit.
    """

    EXTRA = "static"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        normalize: bool = True,
        query_prefix: str = "",
        document_prefix: str = "",
        truncate_dim: int | None = None,
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

    def _load(self, folder: Path) -> _TokenModel:
        try:
            # Before the load, so that an ImportError means a missing extra.
            importlib.import_module("safetensors")
            from tokenizers import Tokenizer
        except ImportError as exc:
            raise missing_extra(self.EXTRA, exc) from exc
        tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The file may limit texts to what the transformer reads (MiniLM's: 128 tokens). Here there
        # is no such limit, and the end of a long text would be lost without a word.
        tokenizer.no_truncation()
        # Padding would be averaged like words.
        tokenizer.no_padding()
        table = read_token_table(folder / WEIGHTS, what=str(self._identity))
        return _TokenModel(tokenizer, table)

    def _vectors(self, model: _TokenModel, texts: list[str]) -> object:
        return model.encode(texts, self._batch_size)
