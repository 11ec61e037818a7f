"""Embedders: which model makes the vectors, pinned so that nobody mixes two by accident.

::

    protocol.py               what an embedder is; the checks that every vector passes
    identity.py               which model: the record that is stored and compared
    factory.py                an embedder from a table of pgvec.toml
    by_version.py             the embedder of each version; every text is embedded through it
    gates.py                  how many calls an embedder gets at once
    fingerprints.py           the canaries that a version keeps, and comparing them
    canaries.py               their texts, and when two vectors agree; pure

    sentence_transformers.py  a sentence-transformers model in this process
    static.py                 only its token-embedding table: fast, and really different; no torch
    token_table.py            that table, and the mean of its rows
    local.py                  what these two kinds share
    model_files.py            where a model's files are, and their pin
    model_code.py             refuses models that would run code when they load

    http.py                   an OpenAI-compatible endpoint
    http_answers.py           what it answers; pure
    pauses.py                 the pause that it asked for, kept by all threads
    transport.py              one exchange with it, limited in time and in bytes
    address.py                its address, checked and written in one way; pure
    keys.py                   which host may get the secret of which environment variable

    options.py                checks of the options of all kinds

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
