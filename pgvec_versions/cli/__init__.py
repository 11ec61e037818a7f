"""The command ``pgvec``. Exit codes are those of ``pgvec_versions.errors``."""

from __future__ import annotations

import json
import os
import sys

import typer

from pgvec_versions.cli import (
    archive,
    control,
    demo,
    doctor,
    equivalent,
    evaluate,
    hold,
    read,
    retire,
    setup,
    transition,
    write,
)
from pgvec_versions.errors import PgvecError, error_for

__all__ = ["app", "main"]

app = typer.Typer(
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

for _verbs in (
    setup,
    write,
    read,
    transition,
    control,
    retire,
    hold,
    archive,
    evaluate,
    doctor,
    equivalent,
    demo,
):
    _verbs.register(app)


def _complain(error: PgvecError) -> int:
    text = " ".join(str(error).split())
    print(f"pgvec: {text}", file=sys.stderr)
    if "--json" in sys.argv:
        data = {
            "error": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "sqlstate": error.sqlstate,
            "detail": error.detail,
        }
        print(json.dumps(data, default=str))
    return error.exit_code


def main() -> None:
    """Runs the command line.

    Whatever goes wrong ends in one line on stderr and a documented exit code.
    """
    try:
        app()
    except KeyboardInterrupt:
        print(
            "pgvec: stopped; nothing is lost, run the same command again to go on.", file=sys.stderr
        )
        sys.exit(130)
    except Exception as exc:
        if os.environ.get("PGVEC_DEBUG"):
            raise
        known = error_for(exc)
        if known is not None:
            sys.exit(_complain(known))
        first = (str(exc).splitlines() or [""])[0]
        print(
            f"pgvec: unexpected {type(exc).__name__}: {first} "
            "(PGVEC_DEBUG=1 shows where; please report it)",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
