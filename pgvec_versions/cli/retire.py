"""``pgvec retire`` and ``pgvec schedule``."""

from __future__ import annotations

from typing import Annotated

import typer

from pgvec_versions.cli.dry_run import print_plan
from pgvec_versions.cli.options import (
    ConfigOption,
    DatabaseUrlOption,
    DryRunOption,
    EmbeddedOption,
    JsonOption,
)
from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.progress import say_waiting
from pgvec_versions.cli.workplace import Workplace, workplace
from pgvec_versions.retirement.job import Retirement, retire_due, retirement_plan
from pgvec_versions.retirement.schedule import (
    DEFAULT_SCHEDULE,
    schedule_plan,
    schedule_retirement,
    unschedule_retirement,
)

#: Why a version stays, by the outcome that ``pgvec.retire_due`` reports.
_REASONS = {
    "active": "it is active",
    "broken": "its chunk table was dropped or renamed by hand",
    "failed": "an error; see pgvec.version_event",
    "feeding": "chunks written through it still wait to be carried",
    "held": "it is held",
    "in grace": "its grace period has not passed",
    "in use": "something of yours depends on its pinned view; see pgvec.version_event",
    "last": "it is the last live version",
    "locked": "a long transaction holds a lock; the next run tries again",
    "not due": "it is not due any more",
    "not exported": "the collection wants a file first",
    "not permitted": "this role may not drop it; run the job as its owner",
    "rolled back": "it was rolled back to meanwhile and is active",
    "still read": "an app instance still reads it; --ignore-readers retires it anyway",
}
#: What helps, as the words of a command; LABEL stands for the version.
_HELP = {
    "feeding": ("worker", "--drain"),
    "held": ("release", "LABEL"),
    "not exported": ("export", "LABEL", "LABEL.copy"),
}
_KEPT = {"archive": "kept in schema pgvec_archive", "export": "exported before"}


def _line(here: Workplace, version: Retirement) -> str:
    name = f"{version.model_version} of {version.collection}"
    size = f"{version.bytes / 1024**2:.1f} MB"
    kept = f", {_KEPT[version.on_retire]}" if version.on_retire in _KEPT else ""
    if version.outcome == "retired":
        return f"{name}: retired, {size}{kept or ' freed'}."
    if version.outcome == "would retire":
        return f"{name}: would retire, {size}{kept}."
    reason = _REASONS.get(version.outcome, version.outcome)
    line = f"{name}: stays, {reason}." + (f" ({version.detail})" if version.detail else "")
    if version.outcome not in _HELP:
        return line
    words = [word.replace("LABEL", version.model_version) for word in _HELP[version.outcome]]
    return f"{line} What helps: {here.command(*words, collection=version.collection)}"


def retire(
    ignore_readers: Annotated[
        bool,
        typer.Option(
            "--ignore-readers", help="Also drop versions that are still read: readers then fail."
        ),
    ] = False,
    dry: DryRunOption = False,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop every version whose grace period is over.

    Does the same as CALL pgvec.retire_due().
    """
    with workplace(database_url, config, embedded=embedded, server_only="retire") as here:
        if dry:
            done = retirement_plan(here.engine, ignore_readers=ignore_readers)
        else:
            done = retire_due(here.engine, ignore_readers=ignore_readers, on_wait=say_waiting)
        lines = [] if as_json else [_line(here, version) for version in done]
    emit(done, as_json, lines or "nothing is due.")


def schedule(
    when: Annotated[
        str,
        typer.Argument(metavar="SCHEDULE", help='Five fields as in cron, or "N seconds".'),
    ] = DEFAULT_SCHEDULE,
    off: Annotated[bool, typer.Option("--off", help="Remove the job.")] = False,
    cron_database: Annotated[
        str | None,
        typer.Option(
            help="Database of this server that has pg_cron, if your role cannot find it out."
        ),
    ] = None,
    dry: DryRunOption = False,
    database_url: DatabaseUrlOption = None,
    embedded: EmbeddedOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Schedule retirement by pg_cron, or print another scheduler's lines.

    Those are ready to paste into a crontab, a systemd timer or a Kubernetes CronJob.
    """
    with workplace(database_url, config, embedded=embedded, server_only="schedule") as here:
        if dry:
            found = schedule_plan(here.engine, when, cron_database, off=off)
            print_plan([found], [], as_json)
            return
        if off:
            gone = unschedule_retirement(here.engine, cron_database)
            text = "the job is gone." if gone else "there was no job."
        else:
            text = schedule_retirement(here.engine, when, cron_database)
    emit({"schedule": None if off else when, "result": text}, as_json, text.split("\n"))
