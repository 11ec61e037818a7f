"""Adding chunks whose vectors are ready-made, against a raw COPY and against the best peer."""

from __future__ import annotations

from bench.figures import Figure
from bench.lab import Lab
from bench.peers import measured_peers
from bench.writing import PARENT, PLAIN, add, collection, load, raw_copy, send, stream

ROW = "add"
#: Peers are slow enough to be measured on fewer rows; their rate falls with more of them.
PEER_ROWS = 10_000


def measure(lab: Lab) -> list[Figure]:
    """Each load goes into a new database; no HNSW index is there yet, on either side."""
    rows = load(lab, lab.rows)
    count = len(rows)
    label = ("v1", rows.embedder("old"))

    def fresh() -> str:
        url = collection(lab, label)
        lab.checkpoint()
        return url

    source = fresh()
    raw_copy(source, PLAIN, rows)
    data = stream(source, PLAIN)
    ours, parent, plain, server = (
        spread.rates(count)
        for spread in lab.alternate(
            lambda: add(fresh(), rows),
            lambda: raw_copy(fresh(), PARENT, rows),
            lambda: raw_copy(fresh(), PLAIN, rows),
            lambda: send(fresh(), PARENT, data),
        )
    )
    details = {"rows": count, "spread": ours.to_json()}
    figures = [
        Figure.compared(
            ROW,
            "ChunkStore.add, vectors ready-made",
            "raw COPY binary into the same chunk table, triggers and all",
            ours.median,
            parent.median,
            "rows/s",
            "≥ 0.7",
            **details,
        ),
        Figure.compared(
            ROW,
            "ChunkStore.add, vectors ready-made",
            "raw COPY binary into a bare table of the same columns",
            ours.median,
            plain.median,
            "rows/s",
            **details,
        ),
        Figure.compared(
            ROW,
            "ChunkStore.add, vectors ready-made",
            "COPY of a ready-made stream into the chunk table: the server alone",
            ours.median,
            server.median,
            "rows/s",
            **details,
        ),
    ]
    lab.clean()
    return figures + peers(lab, ours.median)


def peers(lab: Lab, ours: float) -> list[Figure]:
    """Every peer's documented bulk load; the best one is the target's measure."""
    found = measured_peers(lab, "add", min(PEER_ROWS, lab.rows))
    best = max((each.rate for each in found if each.rate), default=None)
    return [
        Figure.compared(
            ROW,
            "ChunkStore.add, vectors ready-made",
            f"{each.name} {each.version}",
            ours,
            each.rate,
            "rows/s",
            "≥ 15" if each.rate == best else "",
            rows=each.rows,
            how=each.how,
        )
        if each.rate
        else each.failure(ROW)
        for each in found
    ]
