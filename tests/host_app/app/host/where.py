"""Says where the package is; with ``open``, opens the store."""

from __future__ import annotations

import sys

import pgvec_versions
from host.settings import database_url
from pgvec_versions import ChunkStore
from pgvec_versions.postgres import sqlfiles

if len(sys.argv) > 1:
    ChunkStore(database_url(), "docs")
sys.stdout.write(f"{pgvec_versions.__file__} {sqlfiles.sql_folder()}\n")
