"""The same model with a faster backend: OpenVINO int8 against torch fp32, and what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np

import bench.peers
from bench.figures import Figure
from bench.lab import Lab
from bench.models import MODEL, REVISION, passages
from bench.peers import checked, environment
from pgvec_versions.cli.demo_questions import QUESTIONS
from pgvec_versions.embedders.model_files import find_model

ROW = "onnx"
#: torchvision comes along with them, as a build for another torch: it breaks the import.
PACKAGES = ("sentence-transformers[openvino]", "torch==2.13.0")
K = 5
_SECONDS = 900


def measure(lab: Lab) -> list[Figure]:
    """Exported and quantised here, calibrated on passages that are not measured."""
    texts = passages(96 if lab.quick else 480)
    others = [text for text in passages(10_000) if text not in set(texts)][:64]
    python = environment(lab, "openvino", PACKAGES, without=("torchvision",))
    given = {
        "model": str(find_model(MODEL, REVISION).verified_folder()),
        "kept": str(lab.work / "openvino-int8"),
        "texts": texts,
        "calibration": others or texts[:16],
        "questions": [question for question, _ in QUESTIONS],
        "vectors": str(lab.work / "openvino-vectors.npz"),
        "repeats": min(lab.repeats, 2),
    }
    script = Path(bench.peers.__file__).parent / "with_openvino.py"
    said = checked([str(python), str(script)], _SECONDS, json.dumps(given))
    answer: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    made = np.load(given["vectors"])
    details = {
        "rows": len(texts),
        "versions": answer["versions"],
        "processor_has": _instructions(),
        "openvino_fp32_texts_per_s": answer["openvino"],
    }
    hits = {name: _hits(made[name], made[f"{name}_questions"], texts) for name in made["names"]}
    same = _overlap(made, "int8", "torch")
    return [
        Figure.compared(
            ROW,
            "all-MiniLM-L6-v2, OpenVINO int8",
            "torch fp32",
            answer["int8"],
            answer["torch"],
            "texts/s",
            "≥ 2.5",
            **details,
        ),
        Figure.compared(
            ROW,
            f"hit rate of the demo's questions, k = {K}, int8",
            "torch fp32",
            hits["int8"],
            hits["torch"],
            "share",
            "≥ 0.99",
            rows=len(texts),
            same_neighbours=same,
        ),
    ]


def _nearest(made: Any, questions: Any) -> Any:
    return np.argsort(-(questions @ made.T), axis=1)[:, :K]


def _hits(made: Any, questions: Any, texts: list[str]) -> float:
    """The share of questions that find a passage of a topic that answers them."""
    found = 0
    for (_, right), places in zip(QUESTIONS, _nearest(made, questions), strict=True):
        found += any(texts[place] in topics[topic] for place in places for topic in right)
    return found / len(QUESTIONS)


def _overlap(made: Any, one: str, other: str) -> float:
    """The share of the nearest passages that both backends name."""
    sides = [_nearest(made[name], made[f"{name}_questions"]) for name in (one, other)]
    pairs = zip(*sides, strict=True)
    return float(np.mean([len(set(a) & set(b)) / K for a, b in pairs]))


def _instructions() -> str:
    """What int8 lives on; without VNNI or AMX it gains little."""
    wanted = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8")
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "unknown"
    return " ".join(name for name in wanted if name in words) or "none of them"
