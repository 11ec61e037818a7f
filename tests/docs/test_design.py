"""Design records, the walk and CONTRIBUTING name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGES = [pytest.param(page, id=page.stem) for page in sorted((ROOT / "docs/design").glob("*.md"))]
PATH = re.compile(r"`((?:sql|pgvec_versions|tests|bench|tools|docs|migrations)(?:/[\w.*-]+)+)`")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    gone = [name for name in PATH.findall(page.read_text("utf-8")) if not (ROOT / name).exists()]
    assert gone == []


def test_the_walk_names_the_files_it_goes_through() -> None:
    named = set(PATH.findall((ROOT / "docs/design/walk.md").read_text("utf-8")))
    assert len(named) >= 30


def test_the_index_of_design_records_lists_each_of_them() -> None:
    listed = (ROOT / "docs/design/index.md").read_text("utf-8")
    for page in (ROOT / "docs/design").glob("*.md"):
        assert page.stem == "index" or f"({page.name})" in listed, page.name
