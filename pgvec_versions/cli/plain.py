"""What is written as it is: JSON, documents, complaints, the log. Without rich: it loads slowly."""

from __future__ import annotations

import logging
import sys
import traceback

from pgvec_versions.safe_text import json_visible, line, visible

__all__ = ["complain", "complain_of_defect", "print_json", "print_text", "safe_logging"]


def print_text(text: str) -> None:
    """Prints a document of many lines as it is, but for control characters."""
    print(visible(text))


def print_json(data: str) -> None:
    """Prints JSON; a sign that would drive a terminal comes as JSON's escape."""
    print(json_visible(data))


def complain(text: str) -> None:
    """One line on stderr that begins with the program's name."""
    print(f"pgvec: {line(' '.join(text.split()))}", file=sys.stderr)


def complain_of_defect() -> None:
    """The stack trace of what is being handled, for whoever looks for a defect."""
    print(visible(traceback.format_exc()), file=sys.stderr)


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def safe_logging() -> None:
    """What is logged and finds no handler is printed by Python: without control characters."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainFormatter())
