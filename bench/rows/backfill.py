"""A backfill whose embedder takes no time: all that is ours of re-embedding, by one worker."""

from __future__ import annotations

from bench.figures import Figure
from bench.lab import Lab, timed
from bench.peers import measured_peers
from bench.writing import PARENT, PLAIN, collection, filled, load, raw_copy
from pgvec_versions import Transition

ROW = "backfill"
WHAT = "Transition.backfill, instant embedder, one worker"
#: vecshift needs minutes for more.
PEER_ROWS = 20_000


def measure(lab: Lab) -> list[Figure]:
    """Read, embed, write, against the COPY of the same rows from memory."""
    rows = load(lab, lab.rows)
    new = rows.embedder("new")

    def ours() -> float:
        upgrade = Transition(filled(lab, rows), "docs", "v2", new)
        upgrade.begin()
        lab.checkpoint()
        seconds = timed(upgrade.backfill)
        assert upgrade.missing() == 0
        return seconds

    def copied(table: str) -> float:
        url = collection(lab, ("v1", rows.embedder("old")))
        lab.checkpoint()
        return raw_copy(url, table, rows)

    taken, parent, plain = (
        spread.rates(len(rows))
        for spread in lab.alternate(ours, lambda: copied(PARENT), lambda: copied(PLAIN))
    )
    lab.clean()
    details = {"rows": len(rows), "spread": taken.to_json()}
    figures = [
        Figure.compared(
            ROW,
            WHAT,
            "raw COPY binary into the chunk table",
            taken.median,
            parent.median,
            "rows/s",
            "≥ 0.35",
            **details,
        ),
        Figure.compared(
            ROW,
            WHAT,
            "raw COPY binary into a bare table of the same columns",
            taken.median,
            plain.median,
            "rows/s",
            **details,
        ),
        Figure.compared(ROW, WHAT, "", taken.median, None, "rows/s", "≥ 10,000", **details),
    ]
    for peer in measured_peers(lab, "backfill", min(PEER_ROWS, lab.rows)):
        figures.append(
            Figure.compared(
                ROW,
                WHAT,
                f"{peer.name} {peer.version}",
                taken.median,
                peer.rate,
                "rows/s",
                "≥ 40",
                rows=peer.rows,
                how=peer.how,
            )
            if peer.rate
            else peer.failure(ROW)
        )
    return figures
