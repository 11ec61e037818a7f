"""The findings as one self-contained HTML file that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

from pgvec_versions.doctor.finding import Finding
from pgvec_versions.errors import RequirementMissing
from pgvec_versions.safe_text import visible


def _text(value: object) -> object:
    """The value; in a text, invisible characters are made visible."""
    return visible(value) if isinstance(value, str) else value


def as_html(findings: Sequence[Finding], title: str) -> str:
    """The page, problems first. Raises: RequirementMissing without the extra ``doctor``."""
    try:
        from jinja2 import Environment
    except ImportError as exc:
        raise RequirementMissing(
            f"--html needs a library that cannot be imported: {exc}.",
            hint="Run: pip install 'pgvec-versions[doctor]'",
        ) from exc
    source = files("pgvec_versions.doctor").joinpath("page.html.j2").read_text("utf-8")
    order = ("problem", "warning", "ok")
    counts = {level: sum(f.level == level for f in findings) for level in order}
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_text,
    )
    return environment.from_string(source).render(
        title=title,
        findings=sorted(findings, key=lambda f: order.index(f.level)),
        counts=counts,
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
