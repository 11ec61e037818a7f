"""Each error code has a page, and the page prints what the database really says."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from pgvec_versions.postgres.embedded import EmbeddedServer
from tests.clusters import binaries
from tests.docs.pages import Reader, blocks, error_pages

HEADINGS = ["Message", "Cause", "Cure"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", [18], indirect=True, ids=["pg18"])
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in error_pages()])
def test_a_code_is_raised_and_cured_as_its_page_says(
    page: Path, server: EmbeddedServer, database: str, tmp_path: Path
) -> None:
    reader = Reader(database, binaries(server) / "psql", tmp_path)
    try:
        for block in blocks(page):
            reader.read(block)
    finally:
        reader.close()


def test_every_code_has_its_page_and_no_page_is_for_another(made: ModuleType) -> None:
    codes = {str(cls.code) for cls in made.error_classes() if cls.code}
    assert {page.stem for page in error_pages()} == codes
    assert set(made.codes_in_sql()) <= codes, "a code without a class is raised in sql/"
    listed = made.errors_page()
    for code in codes:
        assert f"(errors/{code}.md)" in listed


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in error_pages()])
def test_a_page_says_cause_and_cure(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.startswith(f"# {page.stem}: ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == HEADINGS
    assert any(block.printed for block in blocks(page)), "no example of the message"
