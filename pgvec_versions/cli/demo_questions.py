"""Questions about the Python language reference, each with the topics that answer it, and a score.

The questions avoid the words of the text. The topics are those of ``pydoc_data.topics``;
``compound`` and ``specialnames`` repeat the text of several smaller topics, so they count too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

QUESTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "How do I make sure a file gets closed even if an error happens?",
        frozenset({"with", "context-managers", "compound", "try"}),
    ),
    (
        "How can I react differently to several kinds of errors?",
        frozenset({"try", "exceptions", "compound"}),
    ),
    ("How do I go through all elements one after the other?", frozenset({"for", "compound"})),
    (
        "How do I step through my program line by line and look at variables?",
        frozenset({"debugger"}),
    ),
    (
        "How do I print a number with two digits after the decimal point?",
        frozenset({"formatstrings", "strings", "string-methods"}),
    ),
    (
        "How can an inner function change a variable of the function around it?",
        frozenset({"nonlocal", "naming", "execmodel"}),
    ),
    ("How do I write a tiny function without giving it a name?", frozenset({"lambda"})),
    ("How do I take a key out of a mapping?", frozenset({"typesmapping", "dict", "del"})),
    (
        "Which operation is carried out first when there are no parentheses?",
        frozenset({"operator-summary", "power", "binary", "comparisons"}),
    ),
    (
        "How can my own class be used with square brackets?",
        frozenset({"sequence-types", "specialnames", "subscriptions", "slicings"}),
    ),
    ("What counts as false in a condition?", frozenset({"truth", "booleans"})),
    (
        "How do I stop a loop before it is finished?",
        frozenset({"break", "while", "for", "compound"}),
    ),
)


class Score(NamedTuple):
    """How good the answers to all questions are. Units: 0 to 1."""

    hit_rate: float
    mrr: float

    def __str__(self) -> str:
        return f"hit rate {self.hit_rate:.0%}, MRR {self.mrr:.2f}"


def score(answers: Sequence[Sequence[str | None]]) -> Score:
    """Hit rate and mean reciprocal rank. Shape: for each question, the topics found, best first."""
    ranks = [
        next((rank for rank, topic in enumerate(found, 1) if topic in right), None)
        for found, (_, right) in zip(answers, QUESTIONS, strict=True)
    ]
    return Score(
        sum(rank is not None for rank in ranks) / len(ranks),
        sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
    )
