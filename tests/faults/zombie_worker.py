"""A worker process whose model takes until a line comes in: one claim, or a whole drain."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pgvec_versions import Worker
from tests.tools import TinyEmbedder, are_canaries


class WaitingEmbedder(TinyEmbedder):
    """Says that it began, and ends when it is told."""

    def embed_documents(self, texts: Sequence[str]) -> Any:
        if not are_canaries(texts):
            print("embedding", flush=True)
            sys.stdin.readline()
        return super().embed_documents(texts)


def main(url: str, label: str, loop: str = "run_once", lease: str = "1") -> None:
    logging.disable()
    lasting = timedelta(seconds=int(lease))
    worker = Worker(url, "docs", {label: WaitingEmbedder(label)}, lease=lasting)
    report = asdict(getattr(worker, loop)())
    report.pop("last_error")
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
