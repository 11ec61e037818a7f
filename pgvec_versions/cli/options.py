"""The options and arguments that several verbs share, each made once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pgvec_versions.errors import InvalidArgument
from pgvec_versions.upgrade.throttle import Throttle

#: These stand in a panel of their own in a verb's help, below its own options.
_COMMON = "Common options"

DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        # Without envvar=: an empty variable would count as none.
        help="Database URL; by default PGVEC_DATABASE_URL, then database_url in pgvec.toml, then "
        "libpq's variables and services.",
        rich_help_panel=_COMMON,
    ),
]
EmbeddedOption = Annotated[
    bool,
    typer.Option(
        "--embedded",
        help="Use a private embedded server of your own, not a database that you name.",
        rich_help_panel=_COMMON,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file; by default pgvec.toml in this folder.",
        rich_help_panel=_COMMON,
    ),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        "-c",
        help="Collection to use; optional if there is only one.",
        rich_help_panel=_COMMON,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=_COMMON)]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what would happen and what blocks it; change nothing."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask before documents go.")]
TakeOverOption = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Embed here what living workers have claimed, instead of waiting for them.",
    ),
]
_REASON = typer.Option("--reason", help="Reason to record with the event.")
ReasonOption = Annotated[str | None, _REASON]
RequiredReasonOption = Annotated[str, _REASON]

# --- Work on a version: upgrade, worker ---

#: A provider that fails now and then gets two more tries; a text that cannot be embedded is set
#: aside soon.
MAX_ATTEMPTS = 3
MaxAttemptsOption = Annotated[
    int, typer.Option("--max-attempts", help="Failures after which a work item is set aside.")
]
RateOption = Annotated[
    float | None,
    typer.Option("--rows-per-second", help="Chunks that a worker embeds per second, at most."),
]
LagOption = Annotated[
    int | None,
    typer.Option("--max-lag-mb", help="Lag of a standby, in MB of WAL, above which work waits."),
]
SessionsOption = Annotated[
    int | None,
    typer.Option("--max-active-sessions", help="Active sessions above which work waits."),
]

# --- Which version ---

VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="Label of the version.")]
TransitionArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="VERSION", help="Label of the version; optional if one transition is under way."
    ),
]
BackArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="VERSION",
        help="Label of the version to go back to; by default the one that was active last.",
    ),
]
CandidateArgument = Annotated[
    str | None,
    typer.Argument(metavar="VERSION", help="Label of the version; optional if only one is ready."),
]


def need_positive(value: int, name: str) -> int:
    """Returns the value of an option if it is 1 or more. Raises: InvalidArgument."""
    if value < 1:
        raise InvalidArgument(f"{name} must be 1 or more, not {value}.")
    return value


def throttle_of(rate: float | None, lag_mb: int | None, sessions: int | None) -> Throttle:
    """The throttle that the three options describe. Raises: InvalidArgument."""
    return Throttle(rate, None if lag_mb is None else lag_mb * 1024**2, sessions)
