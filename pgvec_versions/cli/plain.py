"""Printing without rich, which loads slowly: JSON, documents, errors, the log."""

from __future__ import annotations

import logging
import sys
import traceback

from pgvec_versions.safe_text import json_visible, line, visible


def print_text(text: str) -> None:
    """Prints a document of many lines. Control characters are made visible."""
    print(visible(text))


def print_json(data: str) -> None:
    """Prints JSON. A character that would control the terminal is written as a JSON escape."""
    print(json_visible(data))


def complain(text: str) -> None:
    """Prints one line on stderr, after the program's name."""
    print(f"pgvec: {line(' '.join(text.split()))}", file=sys.stderr)


def complain_of_defect() -> None:
    """Prints the stack trace of the exception that is being handled, to find a bug with."""
    print(visible(traceback.format_exc()), file=sys.stderr)


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _OnStderr(logging.Handler):
    """Prints on what stderr is now: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(visible(self.format(record)), file=sys.stderr)


def safe_logging() -> None:
    """Makes control characters visible in the log that Python prints if no handler is set.

    It also prints the log of models that take long to load (see ``embedders.local``).
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainFormatter())
    loading = logging.getLogger("pgvec_versions.loading")
    loading.setLevel(logging.INFO)
    if not loading.handlers:
        loading.addHandler(_OnStderr())
