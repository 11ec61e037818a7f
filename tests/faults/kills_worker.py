"""The worker process of test_kills: works until it is killed, or until a line comes in on stdin."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pgvec_versions import Worker
from tests.tools import TinyEmbedder


class SlowEmbedder(TinyEmbedder):
    """Takes a moment, so that a kill often meets a claim that is being embedded."""

    def embed_documents(self, texts: Sequence[str]) -> Any:
        time.sleep(0.01)
        return super().embed_documents(texts)


def main(url: str, *labels: str) -> None:
    logging.disable()
    stop = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.readline()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    worker = Worker(
        url,
        "docs",
        {label: SlowEmbedder(label) for label in labels},
        lease=timedelta(seconds=1),
        # Kills are nobody's text's fault: an item may be claimed by many that die.
        max_attempts=10_000,
        retry_in=timedelta(0),
    )
    print("working", flush=True)
    worker.run(stop, poll=timedelta(milliseconds=20))


if __name__ == "__main__":
    main(*sys.argv[1:])
