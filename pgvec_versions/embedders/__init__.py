"""Embedders: which model makes the vectors, pinned so that nobody mixes two by accident.

::

    protocol.py               what an embedder is; the checks that every vector passes
    identity.py               which model, as it is stored and compared
    factory.py                an embedder from a table of pgvec.toml
    sentence_transformers.py  a sentence-transformers model in this process
    static.py                 only its token-embedding table: fast, and really different
    http.py                   an OpenAI-compatible endpoint
    transport.py              one exchange with it, bounded in time and in bytes
    keys.py                   which host may have which variable's secret
    local.py                  what the two that run in this process share
    model_files.py            where a model's files lie, and their pin
    model_code.py             what would run code when it is loaded
    options.py                checks on what an operator wrote

Importing this package imports no model library; each is imported on first use.
"""

from __future__ import annotations

from pgvec_versions.embedders.factory import PROVIDERS, build_embedder
from pgvec_versions.embedders.http import HttpEmbedder
from pgvec_versions.embedders.identity import EmbedderIdentity, differences, require_same
from pgvec_versions.embedders.protocol import Embedder, Vectors, checked
from pgvec_versions.embedders.sentence_transformers import SentenceTransformerEmbedder
from pgvec_versions.embedders.static import StaticTokenEmbedder

__all__ = [
    "PROVIDERS",
    "Embedder",
    "EmbedderIdentity",
    "HttpEmbedder",
    "SentenceTransformerEmbedder",
    "StaticTokenEmbedder",
    "Vectors",
    "build_embedder",
    "checked",
    "differences",
    "require_same",
]
