"""Commands in hints name the collection where there are several."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from pgvec_versions.cli import app
from pgvec_versions.cli.hints import TAKE_COLLECTION, naming_collection


@pytest.mark.parametrize(
    ("hint", "named"),
    [
        ("Evaluate it: pgvec evaluate v2.", "Evaluate it: pgvec evaluate -c docs v2."),
        (
            "See pgvec status; then pgvec worker --drain.",
            "pgvec status -c docs; then pgvec worker -c",
        ),
        (
            "Continue: pgvec upgrade. Or: pgvec abandon.",
            "pgvec upgrade -c docs. Or: pgvec abandon -c",
        ),
        ("pgvec cut-over v2 --force -c docs.", "pgvec cut-over v2 --force -c docs."),
        ("pgvec report v2 --collection docs", "pgvec report v2 --collection docs"),
        ("Run: pip install 'pgvec-versions[doctor]'", "pip install 'pgvec-versions[doctor]'"),
        ("pgvec retire does it; SELECT pgvec.abandon('docs', 'v2');", "pgvec retire does it"),
        ("pgvec on-retire warn", "pgvec on-retire -c docs warn"),
        ("", ""),
    ],
)
def test_a_command_names_its_collection_once(hint: str, named: str) -> None:
    made = naming_collection(hint, "docs")
    assert named in made
    assert naming_collection(made, "docs") == made
    assert made.replace(" -c docs", "") == hint.replace(" -c docs", "")


def test_the_verbs_that_take_a_collection_are_known() -> None:
    group: Any = typer.main.get_command(app)
    takes = [
        verb
        for verb, command in group.commands.items()
        if any("--collection" in parameter.opts for parameter in command.params)
    ]
    assert sorted(takes) == sorted(TAKE_COLLECTION)
