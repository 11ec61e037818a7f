"""Questions about the Python language reference, each with the topics that answer it.

The wording is ours and avoids the words of the text; the topics are those of ``pydoc_data.topics``.
``compound`` and ``specialnames`` hold the text of several smaller topics whole, so they count too.
"""

from __future__ import annotations

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
