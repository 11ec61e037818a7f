"""The command ``pgvec``. Exit codes are those of ``pgvec_versions.errors``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from pgvec_versions.cli.plain import complain, complain_of_defect, print_json, safe_logging
from pgvec_versions.cli.verbs import VERBS
from pgvec_versions.errors import PgvecError, error_for

if TYPE_CHECKING:
    #: Every verb, ready to run; made when it is asked for.
    app: typer.Typer

__all__ = ["app", "main"]


def _empty() -> typer.Typer:
    made = typer.Typer(
        name="pgvec",
        help="Embedding-model upgrades in Postgres as a routine: "
        "tag every chunk, build beside, cut over, retire.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        epilog="Exit codes: 0 done; 1 a defect of pgvec; 2 wrong input; "
        "3 refused by the present state; 4 unknown name; 5 the database; 6 the guard; "
        "7 the embedder; 130 stopped.",
    )
    # With a callback, a single verb is still a verb and not the whole program.
    made.callback()(lambda: None)
    return made


def _with_verbs_of(modules: Sequence[str]) -> typer.Typer:
    made = _empty()
    for module in modules:
        register: Callable[[typer.Typer], None]
        register = import_module(f"pgvec_versions.cli.{module}").register
        register(made)
    return made


def _for(arguments: Sequence[str]) -> typer.Typer:
    """The verb that is called, with no other's imports; the overview, if there is none."""
    verb = next((a for a in arguments if not a.startswith("-")), None)
    if verb in VERBS:
        return _with_verbs_of([VERBS[verb][0]])
    made = _empty()
    for name, (_, line) in VERBS.items():
        made.command(name, help=line)(lambda: None)
    return made


def __getattr__(name: str) -> typer.Typer:
    if name == "app":
        return _with_verbs_of(list(dict.fromkeys(module for module, _ in VERBS.values())))
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
    """Runs the command line.

    Whatever goes wrong ends in one line on stderr and a documented exit code.
    """
    safe_logging()
    try:
        _for(sys.argv[1:])()
    except KeyboardInterrupt:
        complain("stopped; nothing is lost, run the same command again to go on.")
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
