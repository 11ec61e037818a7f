"""The bounds of a gate, as people write them. Pure.

::

    recall@10>=0.95            the version's own figure
    search_ms_p95<=50
    ndcg@10>=active-0.01       against the active version's figure
    search_ms_p95<=active+5
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pgvec_versions.errors import InvalidArgument

_BOUND = re.compile(
    r"^\s*(?P<metric>[a-z][a-z0-9_]*(@\d+)?)\s*(?P<sign>>=|<=)\s*"
    r"((?P<active>active)\s*((?P<side>[+-])\s*(?P<by>\d+(\.\d+)?))?|(?P<value>-?\d+(\.\d+)?))\s*$"
)
_HINT = "Write recall@10>=0.95, search_ms_p95<=50, ndcg@10>=active-0.01 or search_ms_p95<=active+5."


def parse_bounds(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """The bounds as ``pgvec.set_gate`` takes them.

    Raises: InvalidArgument, also when two texts set the same bound of a metric: one would be lost.
    """
    bounds: dict[str, dict[str, float]] = {}
    for text in texts:
        found = _BOUND.match(text)
        if found is None:
            raise InvalidArgument(f"{text!r} is not a bound.", hint=_HINT)
        upper = found["sign"] == "<="
        if found["active"]:
            signed = float(f"{found['side'] or '+'}{found['by'] or 0}")
            key, value = ("max_rise", signed) if upper else ("max_drop", 0.0 - signed)
        else:
            key, value = ("max" if upper else "min"), float(found["value"])
        bound = bounds.setdefault(found["metric"], {})
        if key in bound:
            (earlier,) = written_bounds({found["metric"]: {key: bound[key]}})
            raise InvalidArgument(
                f"{earlier} and {text.strip()} set the same bound of {found['metric']}.",
                hint="Give one of them.",
            )
        bound[key] = value
    return bounds


def written_bounds(bounds: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The bounds as people write them. ``parse_bounds`` reads them back."""
    written: list[str] = []
    for metric, bound in sorted(bounds.items()):
        for key, value in sorted(bound.items()):
            if key in ("min", "max"):
                written.append(f"{metric}{'>=' if key == 'min' else '<='}{value:g}")
                continue
            signed = -value if key == "max_drop" else value
            by = f"{'+' if signed > 0 else '-'}{abs(signed):g}" if signed else ""
            written.append(f"{metric}{'>=' if key == 'max_drop' else '<='}active{by}")
    return written


def failure_text(failure: Mapping[str, Any]) -> str:
    """A failure that ``pgvec.check_gate`` reports, in words."""
    check, needed, found = failure["check"], failure.get("needed"), failure.get("found")
    if "bound" in failure:
        value = "not known" if found is None else f"{found:.4g}"
        (rule,) = written_bounds({str(check): {str(failure["bound"]): float(needed or 0)}})
        before = failure.get("baseline")
        return f"{check} is {value}, {rule} is required" + (
            f" (active: {before:.4g})" if before is not None else ""
        )
    return {
        "evaluation": f"an evaluation is required ({needed}); there is none",
        "age": f"the evaluation is {found} old; at most {needed} is allowed",
        "queries": f"the evaluation has {found} queries; {needed} are required",
        "index": "the index was rebuilt after the evaluation",
        "chunks": f"{failure.get('evaluated')} chunks were evaluated; there are "
        f"{failure.get('now')} now",
        "baseline": f"it was compared with {found or 'nothing'}; the active version is {needed}",
    }.get(str(check), f"{check}: {found}, needed {needed}")
