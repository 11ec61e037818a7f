"""The site builds strictly, needs nothing from elsewhere, and leaves nothing public out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

import pgvec_versions
from pgvec_versions import errors, migrate_ops
from tests.browser import chromium
from tests.tab import PAPER, PHONE, Tab, tab

__all__ = ["chromium", "tab"]

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?(https?:[^\s\">]+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Strict: a broken link, or an anchor that is not there, ends it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.timeout(300)
def test_a_page_of_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    read = sorted(site.rglob("*.html"))
    assert len(read) >= 15
    for page in read:
        fetched = FETCHED.findall(page.read_text("utf-8"))
        # The canonical address of the generator, if a page names one, is a link and not fetched.
        assert fetched == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?https?:", sheet.read_text("utf-8")), sheet


@pytest.mark.parametrize("start", ["index.html", "errors/PV011.html"])
def test_the_search_box_works_from_a_folder(site: Path, tab: Tab, start: str) -> None:
    tab.open(site / start, (1200, 900))
    tab.ask("document.querySelector('.md-search__input').focus()")
    tab.type("roll back to the version before")
    tab.wait_for("document.querySelectorAll('.md-search-result__item').length > 2")
    linked = tab.ask("document.querySelector('.md-search-result__link').href")
    assert linked.startswith(site.as_uri()), "a hit leads into the folder"
    assert Path(unquote(urlsplit(linked).path)).is_file()


@pytest.mark.parametrize(
    "name", ["upgrade-runbook", "doctor", "evaluation", "benchmarks", "concepts"]
)
def test_nothing_is_cut_off_on_a_phone_and_on_paper(site: Path, tab: Tab, name: str) -> None:
    tab.open(site / f"{name}.html", PHONE)
    assert tab.cut_off(".md-content") == []
    tab.show(PAPER)
    assert tab.cut_off(".md-content") == []


def test_a_row_on_a_phone_says_its_columns(site: Path, tab: Tab) -> None:
    tab.open(site / "doctor.html", PHONE)
    cell = "document.querySelector('td[data-column=level]')"
    assert "level" in tab.ask(f"getComputedStyle({cell}, '::before').content")
    assert tab.ask(f"{cell}.getBoundingClientRect().width > 250"), "it has the whole width"
    tab.show((1200, 900))
    assert tab.ask(f"getComputedStyle({cell}, '::before').content") == "none"


def test_a_drawing_on_a_phone_has_legible_text(site: Path, tab: Tab) -> None:
    tab.open(site / "concepts.html", PHONE)
    for drawing in ("upgrade", "states"):
        image = f"document.querySelector('img[src$=\"{drawing}.svg\"]')"
        text = re.search(r'font-size="(\d+)"', (ROOT / f"docs/assets/{drawing}.svg").read_text())
        assert text is not None
        scale = tab.ask(f"{image}.getBoundingClientRect().width / {image}.naturalWidth")
        assert int(text[1]) * scale >= 10, drawing


def test_a_command_keeps_its_text_where_its_line_goes_on_below(site: Path, tab: Tab) -> None:
    tab.open(site / "doctor.html", PHONE)
    written = (ROOT / "docs/doctor.md").read_text("utf-8")
    assert tab.ask("document.querySelector('pre code').textContent").strip() in written


@pytest.mark.timeout(300)
def test_every_public_name_is_in_the_reference(site: Path) -> None:
    anchors = set(re.findall(r'id="?([\w.]+)', (site / "api.html").read_text("utf-8")))
    known = {anchor.rsplit(".", 1)[-1] for anchor in anchors}
    assert set(pgvec_versions.__all__) <= known
    operations = {
        name: declared._made_by.__name__
        for name, declared in vars(migrate_ops.PgvecOperations).items()
        if not name.startswith("_")
    }
    assert len(operations) >= 15
    assert set(operations.values()) <= known
    alembic = (ROOT / "docs/alembic.md").read_text("utf-8")
    for name in operations:
        assert f"`{name}`" in alembic
    everything = (site / "errors.html").read_text("utf-8")
    for name in set(errors.__all__) - {"error_for", "translated"}:
        assert f"<code>{name}</code>" in everything, name


def test_every_code_that_sql_raises_has_its_class_and_the_other_way_round(
    made: ModuleType,
) -> None:
    raised = {code for code in made.codes_in_sql() if code.startswith("PV")}
    known = {str(cls.code) for cls in made.error_classes() if str(cls.code).startswith("PV")}
    assert raised <= known
    python = "\n".join(p.read_text("utf-8") for p in (ROOT / "pgvec_versions").rglob("*.py"))
    for cls in made.error_classes():
        if str(cls.code) in known - raised:
            assert re.search(rf"\b{cls.__name__}\(\n? *f?\"", python), f"{cls.code}: who raises it?"


def test_every_code_is_on_the_page_of_codes(made: ModuleType) -> None:
    page = made.errors_page()
    for cls in made.error_classes():
        assert f"`{cls.__name__}`" in page
        assert cls.code is None or f"### {cls.code}\n" in page


def test_every_sql_object_says_what_it_promises(made: ModuleType) -> None:
    objects = {each.name: each for each in made.sql_objects()}
    written = "".join(path.read_text("utf-8") for path in ROOT.glob("sql/[fv]*/**/*.sql"))
    names = re.findall(r"^CREATE OR REPLACE \w+ pgvec\.(\w+)", written, flags=re.MULTILINE)
    assert set(names) == set(objects)
    page = made.sql_reference_page()
    for name, each in objects.items():
        assert each.promise, f"{name} has no header"
        assert f"### {name}\n" in page


def test_every_verb_is_on_a_page_and_on_the_page_of_verbs(made: ModuleType) -> None:
    page, written = made.cli_page(), made.hand_written()
    assert len(made.commands()) >= 20
    for verb, command in made.commands().items():
        assert f"## pgvec {verb}\n" in page
        assert re.search(rf"(pgvec|make) {verb}\b", written), f"no page speaks of pgvec {verb}"
        for parameter in command.params:
            for name in parameter.opts:
                if name.startswith("--"):
                    assert f"`{name}`" in page, f"{verb} {name}"


SURFACE = """
    create_collection drop_collection register_version plan_backfill missing_chunks build_index
    make_ready cut_over roll_back abandon retire_due schedule_retirement active_version nearest
    version_status version_event grant_read grant_write grant_worker refresh_collection
    preview assert_query_version drop_archive
"""


@pytest.mark.parametrize("name", SURFACE.split())
def test_a_page_speaks_of_what_a_session_needs(made: ModuleType, name: str) -> None:
    assert re.search(rf"\bpgvec\.{name}\b", made.hand_written())
