"""The canary checks of a collection: when they ran and what they found. Pure.

They come from three places: the events of fingerprints (stored, differs, agrees again, an
equivalent declared), every evaluation, and the verdict that the version has now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pgvec_versions.evaluation.detail import is_number
from pgvec_versions.evaluation.records import Evaluation

_EVENTS = ("store_fingerprint", "fingerprint_differs", "fingerprint_agrees", "declare_equivalent")
_WORDS = {
    "store_fingerprint": "stored at registration",
    "fingerprint_differs": "an embedder of its name makes other vectors",
    "fingerprint_agrees": "its embedder makes its vectors again",
    "declare_equivalent": "another embedder was declared to be the same model",
}


@dataclass(frozen=True, slots=True)
class CanaryLine:
    """One check of a version's canaries. ``worst`` names the canary with the least cosine."""

    at: datetime
    model_version: str
    what: str
    tone: Literal["good", "bad", ""]
    least_cosine: float | None = None
    worst: str = ""
    more: str = ""


def canary_history(
    events: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Evaluation],
    fingerprints: Sequence[Mapping[str, Any]],
) -> list[CanaryLine]:
    """The checks, oldest first; then the verdict that each version has now."""
    lines = [_of_event(event) for event in events if event["verb"] in _EVENTS]
    for evaluation in evaluations:
        labels = {
            "candidate": evaluation.model_version,
            "baseline": evaluation.baseline_version or "",
        }
        for side, seen in evaluation.detail.get("canaries", {}).items():
            lines.append(
                CanaryLine(
                    evaluation.at,
                    labels[side],
                    f"evaluated: {seen['canaries']} canaries embedded again",
                    "good",
                    seen["least_cosine"],
                    seen["worst"],
                )
            )
    lines.sort(key=lambda line: line.at)
    return lines + [_standing(row) for row in fingerprints]


def _of_event(event: Mapping[str, Any]) -> CanaryLine:
    verb, detail = event["verb"], event["detail"]
    more = ""
    if verb == "store_fingerprint":
        more = f"{detail.get('canaries', 0)} canaries"
    elif isinstance(detail.get("embedder"), dict):
        named: dict[str, Any] = detail["embedder"]
        more = f"{named.get('provider', '')} {named.get('model', '')}".strip()
        if detail.get("reason"):
            more += f": {detail['reason']}"
    return CanaryLine(
        event["at"],
        event["model_version"],
        _WORDS[verb],
        {"fingerprint_differs": "bad", "fingerprint_agrees": "good"}.get(verb, ""),  # pyright: ignore
        least if is_number(least := detail.get("least_cosine")) else None,
        str(detail.get("worst", "")),
        more,
    )


def _standing(row: Mapping[str, Any]) -> CanaryLine:
    agrees = row["agrees"]
    what = "agrees" if agrees else "differs; nothing is written or searched with such an embedder"
    return CanaryLine(
        row["recorded_at"],
        row["model_version"],
        f"stands since then: {what}",
        "good" if agrees else "bad",
        row["least_cosine"],
    )
