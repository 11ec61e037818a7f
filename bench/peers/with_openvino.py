"""One model by three backends, in turn: torch, OpenVINO fp32, OpenVINO int8.

The export and the quantised model are kept; calibration texts are none of those that are measured.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
import nncf  # noqa: E402
import openvino  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

BATCH = 64

given = json.load(sys.stdin)
exported, quantised = Path(given["kept"]) / "fp32", Path(given["kept"]) / "int8"


def quantise(model: SentenceTransformer) -> None:
    """Static int8 by NNCF, written beside a copy of the export."""
    network = model[0].auto_model.model
    names = [each.get_any_name() for each in network.inputs]

    def inputs(text: str) -> dict[str, np.ndarray]:
        features = model.tokenize([text])
        return {name: np.asarray(features[name]) for name in names}

    made = nncf.quantize(
        network,
        nncf.Dataset([inputs(text) for text in given["calibration"]]),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(given["calibration"]),
    )
    part = quantised.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(exported, part)
    openvino.save_model(made, part / "openvino" / "openvino_model.xml")
    part.rename(quantised)


def opened(folder: Path | str, backend: str) -> SentenceTransformer:
    return SentenceTransformer(str(folder), backend=backend, device="cpu", local_files_only=True)


if not exported.exists():
    part = exported.with_suffix(".part")
    opened(given["model"], "openvino").save_pretrained(str(part))
    part.rename(exported)
if not quantised.exists():
    quantise(opened(exported, "openvino"))
models = {
    "torch": opened(given["model"], "torch"),
    "openvino": opened(exported, "openvino"),
    "int8": opened(quantised, "openvino"),
}
taken: dict[str, list[float]] = {name: [] for name in models}
vectors: dict[str, np.ndarray] = {"names": np.array(list(models))}
for name, model in models.items():
    vectors[f"{name}_questions"] = model.encode(given["questions"], normalize_embeddings=True)
for _ in range(given["repeats"]):
    for name, model in models.items():
        began = time.perf_counter()
        vectors[name] = model.encode(given["texts"], batch_size=BATCH, normalize_embeddings=True)
        taken[name].append(len(given["texts"]) / (time.perf_counter() - began))
np.savez(given["vectors"], **vectors)
packages = ("sentence-transformers", "torch", "openvino", "nncf", "optimum-intel")
versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
rates = {name: statistics.median(values) for name, values in taken.items()}
print(json.dumps({**rates, "versions": versions}))
