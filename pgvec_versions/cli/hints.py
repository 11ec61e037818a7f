"""Commands in hints, as they must be typed here: with ``-c`` where there are several collections.

The library that raises an error does not know how many collections there are, and a Python caller
has no command line. So the verbs add the option when they print.
"""

from __future__ import annotations

import re

#: The verbs that take ``--collection``. A test compares them with the command line.
TAKE_COLLECTION = (
    "add", "adopt", "delete", "search", "worker", "status", "check", "doctor", "upgrade",
    "cut-over", "roll-back", "abandon", "pause", "resume", "evaluate", "gate", "report",
    "declare-equivalent", "hold", "release", "on-retire", "export", "restore",
)  # fmt: skip
#: A command that does not name a collection already. The command ends with its sentence.
_COMMAND = re.compile(
    rf"\bpgvec ({'|'.join(TAKE_COLLECTION)})(?![\w-])(?![^.;:()\n]*\s(?:-c|--collection)[ =])"
)


def naming_collection(text: str, collection: str) -> str:
    """The text with ``-c`` in each of its commands that takes a collection and names none."""
    return _COMMAND.sub(rf"pgvec \1 -c {collection}", text)
