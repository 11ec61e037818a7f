"""The worker process of test_zombies: one claim, and its model takes until a line comes in."""

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


def main(url: str, label: str) -> None:
    logging.disable()
    worker = Worker(url, "docs", {label: WaitingEmbedder(label)}, lease=timedelta(seconds=1))
    report = asdict(worker.run_once())
    report.pop("last_error")
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
