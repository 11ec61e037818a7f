"""What a row of the status means, and which command comes next. Pure.

The rows are those of ``pgvec.version_status``; see ``sql/views/version_status.sql``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: The colour of a state, in rich's words; others are dim.
COLOURS = {"active": "bold green", "ready": "cyan", "building": "yellow", "draining": "magenta"}
#: As much of an error as a line has room for. Units: characters.
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Step:
    """What a version's state means; ``command`` is the verb and its words, or empty.

    ``leads`` says where the command leads to: "next", or "to go back".
    """

    meaning: str
    command: tuple[str, ...] = ()
    leads: str = "next"


def next_step(row: Mapping[str, Any], configured: str | None = None) -> Step:
    """What the row means, for someone who does not know the states yet.

    ``configured`` is the label that pgvec.toml names as the version to build: only that one can be
    built by ``pgvec upgrade``.
    """
    label, state = str(row["model_version"]), row["state"]
    if row["fingerprint"] == "differs":
        return Step("an embedder of its name makes other vectors: nothing is written with it")
    if row["paused_at"]:
        return Step(f"paused since {when(row['paused_at'])}", ("resume", label))
    if row["items_set_aside"]:
        failed = f"{row['items_set_aside']} work items failed: {row['last_error'] or ''}"[:_SHOWN]
        return Step(failed, ("worker", "--drain", "--retry-failed"), "when the cause is gone")
    if state == "active":
        open_items = row["items_open"]
        follows = f", {open_items} chunks to follow" if open_items else ""
        return Step(f"answers queries{follows}")
    if state == "building":
        return _building(row, configured)
    if state == "ready":
        return Step("complete", ("cut-over", label))
    if state == "draining":
        follows = "" if row["follows"] else "; no longer follows writes"
        return Step(
            f"retires {when(row['retire_at'])}{follows}", ("roll-back", label), "to go back"
        )
    if state == "retired":
        return Step(f"gone since {when(row['retired_at'])}")
    leaf = (
        "; the next run of the retirement job drops its leaf" if row["chunks"] is not None else ""
    )
    return Step(f"given up{leaf}")


def _building(row: Mapping[str, Any], configured: str | None) -> Step:
    upgrade = ("upgrade",) if configured == row["model_version"] else ()
    if row["missing"]:
        return Step(f"being filled: {row['missing']:,} chunks missing", upgrade)
    if row["items_open"]:
        return Step(f"being filled: {row['items_open']:,} work items open", upgrade)
    verb = "make_ready" if row["index_valid"] else "build_index"
    meaning = "filled, not checked yet" if row["index_valid"] else "filled, without an index yet"
    if upgrade:
        return Step(meaning, upgrade)
    # Names and labels have no characters that SQL would read otherwise.
    call = f"SELECT pgvec.{verb}('{row['collection']}', '{row['model_version']}');"
    return Step(f"{meaning}; next: {call}")


def when(moment: datetime | None) -> str:
    """A moment in local time, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "–"
