"""A figure: one ratio, measured in one run on the same data, and its target. Pure."""

from __future__ import annotations

import operator
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_RULES = {"≥": operator.ge, "≤": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeated measurements: the median stands, the ends are shown beside it."""

    median: float
    least: float
    most: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values), len(values))

    def rates(self, count: int) -> Spread:
        """Of seconds for so many, how many a second."""
        return Spread(count / self.median, count / self.most, count / self.least, self.repeats)

    def times(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(self.median * factor, self.least * factor, self.most * factor, self.repeats)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    ``row`` is the issue's row ("add"), ``what`` was measured, ``against`` what it is held.
    ``ours`` and ``theirs`` are in ``unit``; ``ratio`` reads as ``target`` does ("≥ 0.7"). Without a
    ratio the target is about ``ours``. ``met`` is None when there is no target, or no number.
    """

    row: str
    what: str
    against: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    target: str
    met: bool | None
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def compared(
        cls,
        row: str,
        what: str,
        against: str,
        ours: float,
        theirs: float | None,
        unit: str,
        target: str = "",
        *,
        faster: bool = False,
        **details: Any,
    ) -> Figure:
        """A figure with its ratio: ours over theirs, or with ``faster`` theirs over ours.

        ``faster`` is for times of which a target says "so many times as fast".
        """
        ratio = None
        if theirs is not None and theirs > 0 and ours > 0:
            ratio = theirs / ours if faster else ours / theirs
        met = judged(ours if theirs is None else ratio, target)
        return cls(row, what, against, ours, theirs, unit, ratio, target, met, details)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judged(number: float | None, target: str) -> bool | None:
    """Whether a number meets a target that begins like "≥ 0.7" or "≤ 50 MB"."""
    found = re.match(r"\s*([≥≤<>])\s*([\d,.]+)", target)
    if found is None or number is None:
        return None
    return bool(_RULES[found[1]](number, float(found[2].replace(",", ""))))
