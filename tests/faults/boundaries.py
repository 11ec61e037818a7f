"""Stops a session between any two statements of our functions: each is followed by a call."""

from __future__ import annotations

import re
from pathlib import Path

from pgvec_versions.postgres import sqlfiles
from tests.faults.looks import Connection

CALL = " PERFORM pgvec.boundary();"
#: Counts down, and ends its own session at zero.
BOUNDARY = """
CREATE FUNCTION pgvec.boundary() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    passes integer := nullif(current_setting('pgvec.boundaries_to_pass', true), '')::integer;
BEGIN
    IF passes IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('pgvec.boundaries_to_pass', (passes - 1)::text, false);
    IF passes = 0 THEN
        PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(60);
    END IF;
END
$$
"""
#: What may stand before the end of a statement: strings, quoted names, comments, brackets, words.
TOKEN = re.compile(
    r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|[A-Za-z_]\w*|[();]|.", re.DOTALL
)
#: Looks at what the statement before has left behind: no boundary in between.
LOOKS_BACK = re.compile(r"\s*(--[^\n]*\n\s*)*(IF (NOT )?FOUND|GET DIAGNOSTICS)")
BODY = re.compile(r"(AS \$\$\n)(.*?)(\n\$\$;)", re.DOTALL)


def with_boundaries(source: str) -> str:
    """The file of a function with a call behind every statement of its plpgsql bodies."""

    def instrumented(found: re.Match[str]) -> str:
        parts, begun, depth = [found[1]], False, 0
        for token in TOKEN.finditer(found[2]):
            text = token[0]
            parts.append(text)
            begun = begun or text == "BEGIN"
            depth += (text == "(") - (text == ")")
            if text == ";" and begun and depth == 0 and not LOOKS_BACK.match(found[2], token.end()):
                parts.append(CALL)
        return "".join([*parts, found[3]])

    return BODY.sub(instrumented, source) if "LANGUAGE plpgsql" in source else source


def put_boundaries(connection: Connection) -> int:
    """Replaces every function by one with boundaries. Returns how many there are."""
    paths = sorted((Path(sqlfiles.sql_folder()) / "functions").glob("*/*.sql"))
    sources = [with_boundaries(path.read_text("utf-8")) for path in paths]
    script = "\n".join([BOUNDARY + ";", *sources])
    with connection.transaction():
        for name in ("begin", "end"):
            connection.execute(sqlfiles.step(name).encode())
            if name == "begin":
                connection.execute(script.encode())
    return script.count(CALL)
