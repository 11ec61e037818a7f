"""``pgvec retire`` and ``pgvec schedule``."""

from __future__ import annotations

from typing import Annotated

import typer

from pgvec_versions.cli.common import ConfigOption, JsonOption, UrlOption, emit, workplace
from pgvec_versions.cli.control import DryRunOption, dry_run, plan
from pgvec_versions.schedule import (
    DEFAULT_SCHEDULE,
    retire_due,
    retirement_job,
    schedule_retirement,
    unschedule_retirement,
)

__all__ = ["register"]

_REASONS = {
    "active": "it is active",
    "last": "it is the last live version",
    "feeding": "chunks written through it still wait to be carried; run pgvec worker",
    "in use": "something of yours depends on its pinned view; see pgvec.version_event",
    "locked": "a long transaction holds a lock; the next run tries again",
    "not due": "it is not due any more",
}


def retire(
    dry: DryRunOption = False,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop every version whose grace period has passed. The same as CALL pgvec.retire_due()."""
    with workplace(database_url, config) as here:
        if dry:
            dry_run(here, "retire_due", as_json, all_of=True)
            return
        done = retire_due(here.engine)
    lines = [
        f"{r.model_version} of {r.collection}: retired, {r.bytes / 1024**2:.1f} MB freed."
        if r.outcome == "retired"
        else f"{r.model_version} of {r.collection}: stays, {_REASONS.get(r.outcome, r.outcome)}."
        for r in done
    ]
    emit(done, as_json, "\n".join(lines) or "nothing is due.")


def schedule(
    when: Annotated[
        str, typer.Argument(metavar="SCHEDULE", help="Five fields as in cron, or N seconds.")
    ] = DEFAULT_SCHEDULE,
    off: Annotated[bool, typer.Option("--off", help="Take the job away.")] = False,
    dry: DryRunOption = False,
    database_url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the retirement job on a schedule."""
    with workplace(database_url, config) as here:
        if dry:
            job = retirement_job(here.engine)
            there = f"; now it is at {job.schedule}" if job else "; there is none now"
            does = "takes the job away" if off else f"puts CALL pgvec.retire_due() at {when}"
            plan([does + there], [], as_json)
            return
        if off:
            text = "the job is gone." if unschedule_retirement(here.engine) else "there was no job."
        else:
            text = schedule_retirement(here.engine, when)
    emit({"schedule": None if off else when, "result": text}, as_json, text)


def register(app: typer.Typer) -> None:
    """Adds the verbs of this file."""
    app.command()(retire)
    app.command(
        help="Put the retirement job on a schedule with pg_cron, "
        "or print the line for another scheduler."
    )(schedule)
