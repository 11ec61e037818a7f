"""The command ``pgvec``. Exit codes are those of ``pgvec_versions.errors``.

::

    verbs.py               every verb: its group in pgvec --help, its file, a line about it
    options.py             the options that several verbs share
    workplace.py           the database, the configuration and the collection to work on
    progress.py            progress bar and Ctrl-C
    dry_run.py             what --dry-run prints
    next_step.py           what a version's state means, and the next command to copy
    printing.py            tables and lines for people, JSON for programs
    plain.py               the same without rich, and the one line of an error
    file_url.py            a database URL that comes from pgvec.toml

    init.py                init; starter_file.py
    demo.py                demo; demo_steps.py, demo_questions.py
    add.py, delete.py      add; delete
    search.py              search
    worker.py              worker
    check.py               check
    status.py, doctor.py   status; doctor
    psql.py                psql
    watching.py            status --watch
    upgrade.py             upgrade
    cut_over.py            cut-over, roll-back, abandon
    pause.py               pause, resume
    evaluate.py            evaluate, gate, report
    declare_equivalent.py  declare-equivalent
    retire.py              retire, schedule
    hold.py                hold, release, on-retire
    archive.py             export, restore

A verb is imported only when it runs, so ``pgvec --help`` is fast.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from pgvec_versions.cli.plain import complain, complain_of_defect, print_json, safe_logging
from pgvec_versions.cli.verbs import VERBS
from pgvec_versions.errors import PgvecError, error_for

if TYPE_CHECKING:
    #: The program with every verb; made when you ask for it.
    app: typer.Typer

__all__ = ["app", "main"]


def _empty() -> typer.Typer:
    made = typer.Typer(
        name="pgvec",
        help="Change the embedding model behind your Postgres vectors safely: build the new "
        "version beside the old one, compare them, cut over, roll back if you must, retire the "
        "old one.\n\nNew here? Run: pgvec demo",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        epilog="Exit codes: 0 done; 1 a bug in pgvec; 2 wrong input; 3 refused in the current "
        "state; 4 unknown name; 5 database; 6 guard; 7 embedder; 130 stopped.",
    )
    # With a callback, a single verb is still a verb and not the whole program.
    made.callback()(lambda: None)
    return made


def _with_verbs(names: Iterable[str]) -> typer.Typer:
    """The program with these verbs; the docstring of a verb's function is its help."""
    made = _empty()
    for name in names:
        verb = VERBS[name]
        module = import_module(f"pgvec_versions.cli.{verb.module}")
        function: Callable[..., None] = getattr(module, name.replace("-", "_"))
        made.command(name, rich_help_panel=verb.group)(function)
    return made


def _with_overview() -> typer.Typer:
    """The program with a line about every verb, and none imported."""
    made = _empty()
    for name, verb in VERBS.items():
        made.command(name, help=verb.line, rich_help_panel=verb.group)(lambda: None)
    return made


def _for(arguments: Sequence[str]) -> typer.Typer:
    verb = next((a for a in arguments if not a.startswith("-")), None)
    return _with_verbs([verb]) if verb in VERBS else _with_overview()


def __getattr__(name: str) -> typer.Typer:
    if name == "app":
        return _with_verbs(VERBS)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _complain(error: PgvecError) -> int:
    complain(str(error))
    if "--json" in sys.argv:
        data = {
            "error": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "sqlstate": error.sqlstate,
            "detail": error.detail,
        }
        print_json(json.dumps(data, default=str))
    return error.exit_code


def main() -> None:
    """Runs the command line. Every error ends in one line on stderr and a documented exit code."""
    safe_logging()
    try:
        _for(sys.argv[1:])()
    except KeyboardInterrupt:
        complain("stopped; nothing is lost. Run the same command again to continue.")
        sys.exit(130)
    except Exception as exc:
        if os.environ.get("PGVEC_DEBUG"):
            complain_of_defect()
            sys.exit(1)
        known = error_for(exc)
        if known is not None:
            sys.exit(_complain(known))
        first = (str(exc).splitlines() or [""])[0]
        complain(
            f"unexpected {type(exc).__name__}: {first} "
            "(PGVEC_DEBUG=1 shows where; please report it)"
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
