"""Samples of stored vectors: are they sound, and does an embedder reproduce them? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pgvec_versions.doctor.finding import Finding
from pgvec_versions.embedders import Embedder, Vectors, checked
from pgvec_versions.embedders.canaries import LEAST_COSINE

#: Rows that are read of a leaf or a table.
SAMPLED_ROWS = 1000
#: Rows on the pages that are read, for each row that is kept: rows side by side often belong to one
#: document.
_ROWS_READ = 20
#: Below the first share, and above the second, the rows count as made by one model. A few texts
#: that were stored in another form than they were embedded should not raise an alarm.
_NEARLY_NONE, _NEARLY_ALL = 0.02, 0.98
#: How far from 1 a length still counts as one, and how far its surroundings reach.
_UNIT, _NEAR_UNIT = 0.01, 0.03


def sampled_percent(rows: float) -> float:
    """The share of a table's pages to sample, so that the rows are spread. Units: percent."""
    return min(100.0, 100.0 * _ROWS_READ * SAMPLED_ROWS / max(rows, 1.0))


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How many of the sampled rows an embedder reproduces; ``strangers`` are the others."""

    rows: int
    reproduced: int
    strangers: tuple[int, ...]
    median_cosine: float

    @property
    def share(self) -> float:
        """The share of rows that it reproduces."""
        return self.reproduced / self.rows if self.rows else 0.0


def check_lengths(name: str, lengths: npt.NDArray[np.float64]) -> list[Finding]:
    """Finds zero vectors, and lengths that show two ways of making vectors. Shape: (n,)."""
    found: list[Finding] = []
    zero = int((lengths == 0).sum())
    if zero:
        seen = f"{zero} of {len(lengths)} sampled vectors are all zeros"
        found.append(Finding("problem", name, seen, "They have no direction: embed them again."))
    off = np.abs(lengths - 1)
    unit = off < _UNIT
    share = float(unit.mean()) if len(lengths) else 1.0
    # If lengths vary freely, some are one by chance, and twice as many are close to it.
    stands_out = unit.sum() > ((off >= _UNIT) & (off < _NEAR_UNIT)).sum()
    if 0 < share < 1 and stands_out:
        seen = f"{share:.0%} of {len(lengths)} sampled vectors have length one, the others do not"
        to_do = "Two ways of making vectors are in use: look for the second."
        found.append(Finding("problem", name, seen, to_do))
    return found


def reproduce(embedder: Embedder, texts: Sequence[str], stored: Sequence[Vectors]) -> Reproduction:
    """Embeds the texts as documents and compares them with the stored vectors.

    Raises: EmbedderError.
    """
    made = embedder.embed_documents(list(texts))
    dimensions = embedder.dimensions
    now = checked(made, count=len(texts), dimensions=dimensions, what=str(embedder.identity))
    cosines: list[float] = []
    for old, new in zip(stored, now, strict=True):
        size = float(np.linalg.norm(old)) * float(np.linalg.norm(new))
        same = len(old) == len(new) and size > 0
        cosines.append(float(old @ new) / size if same else 0.0)
    strangers = tuple(i for i, cosine in enumerate(cosines) if cosine < LEAST_COSINE)
    return Reproduction(
        len(cosines), len(cosines) - len(strangers), strangers, float(np.median(cosines))
    )


def share_finding(name: str, what: str, found: Reproduction) -> Finding:
    """The finding for a table of which the embedder ``what`` reproduces this share."""
    seen = (
        f"{what} makes {found.reproduced} of {found.rows} sampled vectors again "
        f"({found.share:.0%}; median cosine {found.median_cosine:.3f})"
    )
    if found.share >= _NEARLY_ALL:
        return Finding("ok", name, seen)
    if found.share <= _NEARLY_NONE:
        to_do = "Another model made them, or the stored text is not the one that was embedded."
        return Finding("warning", name, seen, to_do)
    to_do = "Two models, or stale vectors, share this index: embed the others again."
    return Finding("problem", name, seen, to_do)
