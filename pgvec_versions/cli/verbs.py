"""The verbs of ``pgvec``: where each is written, and its line in the overview.

So that ``pgvec --help``, and a verb, import no more than they need.
"""

from __future__ import annotations

__all__ = ["VERBS"]

#: Verb: the module of ``pgvec_versions.cli`` that has it, and the first paragraph of its help.
VERBS: dict[str, tuple[str, str]] = {
    "init": (
        "setup",
        "Install or upgrade the catalog; with a name, create the collection too.",
    ),
    "add": (
        "write",
        "Split text and Markdown files into chunks and store them with the active "
        "version's vectors.",
    ),
    "worker": (
        "write",
        "Embed what is open for every live version in pgvec.toml: new, changed and missing chunks.",
    ),
    "search": (
        "read",
        "Find the chunks nearest to a text, in the active version.",
    ),
    "status": (
        "read",
        "Show what is active, what is being built and how far, and what retires when.",
    ),
    "upgrade": (
        "transition",
        "Bring the collection to the version that pgvec.toml names: to ready, and with "
        "--cut-over through it.",
    ),
    "cut-over": (
        "transition",
        "Route queries to a ready version, in one transaction. The version before it drains.",
    ),
    "roll-back": (
        "transition",
        "Route queries back to the version that was active last. No row is rewritten.",
    ),
    "abandon": (
        "transition",
        "Give up a version that was never active. Its label is not used again.",
    ),
    "pause": (
        "control",
        "Hold a transition: no worker, in any process, claims work for it until pgvec resume.",
    ),
    "resume": (
        "control",
        "Let a paused transition go on.",
    ),
    "retire": (
        "retire",
        "Drop every version whose grace period has passed. The same as CALL pgvec.retire_due().",
    ),
    "schedule": (
        "retire",
        "Put the retirement job on a schedule with pg_cron, or print the lines for "
        "another scheduler.",
    ),
    "hold": (
        "hold",
        "Keep a version from retirement until pgvec release.",
    ),
    "release": (
        "hold",
        "End a hold: the version retires when it is due.",
    ),
    "on-retire": (
        "hold",
        "Say, or show, what becomes of a version that retires.",
    ),
    "export": (
        "archive",
        "Write a version's chunks and vectors to a file, and record its checksum.",
    ),
    "restore": (
        "archive",
        "Bring a retired version back as draining, from what was kept of it.",
    ),
    "declare-equivalent": (
        "equivalent",
        "Declare that an embedder is a version's model served elsewhere; its canaries must agree.",
    ),
    "evaluate": (
        "evaluate",
        "Measure a version against the active one, without touching traffic.",
    ),
    "gate": (
        "evaluate",
        "Show or set what an evaluation must show before a cut-over.",
    ),
    "report": (
        "evaluate",
        "Write the report of a version's newest evaluation.",
    ),
    "doctor": (
        "doctor",
        "Look for what is wrong or will be. Changes nothing. Exit code 3 when there is a problem.",
    ),
    "demo": (
        "demo",
        "Go through a whole model upgrade on real text: about two minutes, nothing to prepare.",
    ),
}
