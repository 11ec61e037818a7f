"""The findings as one self-contained HTML file that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

from pgvec_versions.doctor.finding import LEVELS, Finding, verdict
from pgvec_versions.errors import RequirementMissing
from pgvec_versions.safe_text import visible


def _text(value: object) -> object:
    """The value; in a text, invisible characters are made visible."""
    return visible(value) if isinstance(value, str) else value


def as_html(
    findings: Sequence[Finding],
    title: str,
    *,
    database: str = "",
    table: str | None = None,
    collections: Sequence[str] | None = None,
) -> str:
    """The page: the verdict, what was examined and where, then the findings, problems first.

    ``database`` is shown as it is, so give it without a password. ``table`` or ``collections``:
    what was examined.
    Raises: RequirementMissing without the extra ``doctor``.
    """
    try:
        from jinja2 import Environment
    except ImportError as exc:
        raise RequirementMissing(
            f"--html needs a library that cannot be imported: {exc}.",
            hint="Run: pip install 'pgvec-versions[doctor]'",
        ) from exc
    source = files("pgvec_versions.doctor").joinpath("page.html.j2").read_text("utf-8")
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_text,
    )
    names = collections or ()
    kind = "table" if table else "collection" if len(names) == 1 else "collections"
    subject = table if table or collections is None else ", ".join(names) or "none"
    return environment.from_string(source).render(
        title=title,
        verdict=verdict(findings),
        found={level: [f for f in findings if f.level == level] for level in LEVELS},
        database=database,
        kind=kind,
        subject=subject,
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
