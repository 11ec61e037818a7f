"""Two workers against one, where the embedder is the limit and the processor is not."""

from __future__ import annotations

import threading

from bench.figures import Figure
from bench.lab import Lab, timed
from bench.writing import filled, load
from pgvec_versions import Transition

ROW = "workers"
#: What a call of the embedder takes for each text, as an HTTP one does: waiting. Units: seconds.
PAUSE = 0.001


def measure(lab: Lab) -> list[Figure]:
    """Workers of one process, each with connections of its own."""
    rows = load(lab, max(lab.rows // 10, 2_000))

    def backfill(workers: int) -> float:
        url = filled(lab, rows)
        upgrades = [
            Transition(url, "docs", "v2", rows.embedder("new", PAUSE)) for _ in range(workers)
        ]
        upgrades[0].begin()
        failed: list[BaseException] = []

        def work(upgrade: Transition) -> None:
            try:
                upgrade.backfill()
            except BaseException as exc:
                failed.append(exc)

        threads = [threading.Thread(target=work, args=(upgrade,)) for upgrade in upgrades]

        def together() -> None:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        seconds = timed(together)
        if failed:
            raise failed[0]
        assert upgrades[0].missing() == 0
        return seconds

    two, one = lab.alternate(lambda: backfill(2), lambda: backfill(1))
    limit = 1 / PAUSE
    return [
        Figure.compared(
            ROW,
            "two workers",
            "one worker",
            two.rates(len(rows)).median,
            one.rates(len(rows)).median,
            "rows/s",
            "≥ 1.6",
            rows=len(rows),
            embedder_alone=limit,
            spread=two.rates(len(rows)).to_json(),
        )
    ]
