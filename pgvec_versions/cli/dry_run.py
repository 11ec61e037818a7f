"""What ``--dry-run`` prints. Exit code 3, or the verb's own, says that something is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from pgvec_versions.cli.printing import emit
from pgvec_versions.cli.workplace import Workplace
from pgvec_versions.errors import WrongState
from pgvec_versions.upgrade.preview import preview


def print_plan(
    does: list[str],
    in_the_way: list[str],
    as_json: bool,
    *,
    exit_code: int = WrongState.exit_code,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Prints what a verb would do, and what is in the way; then exits with that code.

    ``figures`` is more data for ``--json``.
    """
    lines = [f"would: {line}" for line in does] or ["would: do nothing"]
    lines += [f"in the way: {line}" for line in in_the_way]
    data = {"dry_run": True, "does": does, "in_the_way": in_the_way, **(figures or {})}
    emit(data, as_json, lines)
    if in_the_way:
        raise typer.Exit(exit_code)


def print_preview(
    here: Workplace, verb: str, as_json: bool, version: str | None = None, *, force: bool = False
) -> None:
    """Prints the plan of one verb of the SQL surface, as the database previews it."""
    found = preview(here.engine, verb, here.collection, version, {"force": force})
    print_plan(list(found.does), list(found.in_the_way), as_json)
