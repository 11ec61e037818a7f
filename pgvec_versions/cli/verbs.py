"""The verbs of ``pgvec``, as ``pgvec --help`` shows them: their groups, and a line about each.

A verb's module and function have its name (``cut-over``: function ``cut_over``), unless ``module``
says otherwise. Nothing here imports a verb, so ``pgvec --help`` stays fast.
"""

from __future__ import annotations

from dataclasses import dataclass

_START = "Get started"
_CHUNKS = "Chunks"
_UPGRADE = "Upgrade the model"
_EVALUATE = "Evaluate before you cut over"
_RETIRE = "Retire old versions"
_CHECK = "See where you are"


@dataclass(frozen=True, slots=True)
class Verb:
    """``line`` is the first paragraph of the verb's help, ``module`` a file of this folder."""

    module: str
    group: str
    line: str


#: By name, in the order of ``pgvec --help``.
VERBS: dict[str, Verb] = {
    "init": Verb(
        "init", _START, "Install or upgrade the catalog; with a name, create a collection."
    ),
    "adopt": Verb("adopt", _START, "Make an existing table the first version of a collection."),
    "demo": Verb("demo", _START, "Walk through a model upgrade on real text, in two minutes."),
    "add": Verb("add", _CHUNKS, "Split files into chunks, embed and store them."),
    "delete": Verb("delete", _CHUNKS, "Delete documents from every live version."),
    "search": Verb("search", _CHUNKS, "Find the chunks nearest to a text, in the active version."),
    "worker": Verb("worker", _CHUNKS, "Embed new, changed and missing chunks for live versions."),
    "check": Verb(
        "check", _CHECK, "Check in a few lines what a verb needs, also before anything is there."
    ),
    "status": Verb("status", _CHECK, "Show every version: its state, progress and retirement."),
    "doctor": Verb("doctor", _CHECK, "Check for problems, present and coming; change nothing."),
    "psql": Verb("psql", _CHECK, "Open psql on the database, the embedded server's too."),
    "upgrade": Verb(
        "upgrade", _UPGRADE, "Build the version named in pgvec.toml until it is ready."
    ),
    "cut-over": Verb("cut_over", _UPGRADE, "Route queries to a ready version, in one transaction."),
    "roll-back": Verb(
        "cut_over",
        _UPGRADE,
        "Route queries back to the version that was active last, or to VERSION.",
    ),
    "abandon": Verb("cut_over", _UPGRADE, "Give up a version that was never active."),
    "pause": Verb("pause", _UPGRADE, "Pause a transition: workers claim no more work for it."),
    "resume": Verb("pause", _UPGRADE, "Resume a paused transition."),
    "evaluate": Verb(
        "evaluate", _EVALUATE, "Measure a version against the active one; queries are not affected."
    ),
    "gate": Verb(
        "evaluate", _EVALUATE, "Show or set the bounds that a version must meet before a cut-over."
    ),
    "report": Verb("evaluate", _EVALUATE, "Write a report on a version's newest evaluation."),
    "declare-equivalent": Verb(
        "declare_equivalent", _EVALUATE, "Declare that another embedder serves a version's model."
    ),
    "retire": Verb("retire", _RETIRE, "Drop every version whose grace period is over."),
    "schedule": Verb(
        "retire", _RETIRE, "Schedule retirement by pg_cron, or print another scheduler's lines."
    ),
    "hold": Verb("hold", _RETIRE, "Keep a version from retiring until you release it."),
    "release": Verb("hold", _RETIRE, "End a hold, so that the version retires when it is due."),
    "on-retire": Verb("hold", _RETIRE, "Show or set what happens to a version that retires."),
    "export": Verb("archive", _RETIRE, "Write a version's chunks and vectors to a file."),
    "restore": Verb(
        "archive", _RETIRE, "Bring back a retired version that was archived or exported."
    ),
}
