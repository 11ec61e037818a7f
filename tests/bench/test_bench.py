from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Figure, Spread, judged
from bench.output import BEGIN, END
from bench.run import main, modules


@dataclass
class Ran:
    """A quick run of three rows, the second of which failed."""

    status: int
    results: dict[str, Any]
    docs: Path

    @property
    def page(self) -> str:
        return (self.docs / "benchmarks.md").read_text()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    import bench.rows.backfill

    def measure(lab: object) -> list[Figure]:
        raise RuntimeError("the disk is full")

    folder = tmp_path_factory.mktemp("bench")
    docs, written = folder / "docs", folder / "figures.json"
    docs.mkdir()
    (docs / "benchmarks.md").write_text(f"# By hand\n\n{BEGIN}\nold\n{END}\n\nAlso by hand.\n")
    options = ["--quick", "--only", "upgrade,backfill,add-followed", "--rows", "60"]
    places = ["--json", str(written), "--docs", str(docs), "--work", str(folder / "work")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.rows.backfill, "measure", measure)
        status = main([*options, *places])
    return Ran(status, json.loads(written.read_text()), docs)


def test_the_quick_harness_leaves_a_table_its_json_and_a_plot(ran: Ran) -> None:
    figures = ran.results["figures"]
    assert [figure["row"] for figure in figures] == ["add-followed", "upgrade"]
    assert all(figure["ratio"] > 0 for figure in figures)
    assert ran.results["facts"]["versions"]["PostgreSQL"].startswith("18")
    assert json.loads((ran.docs / "benchmarks.json").read_text()) == ran.results
    drawing = (ran.docs / "figures" / "benchmarks.svg").read_text()
    assert drawing.endswith("</svg>\n")
    assert drawing.splitlines() == [line.rstrip() for line in drawing.splitlines()]
    assert "| add-followed |" in ran.page
    assert "This was a quick run" in ran.page


def test_what_is_written_by_hand_stays(ran: Ran) -> None:
    assert ran.page.startswith(f"# By hand\n\n{BEGIN}\n")
    assert ran.page.endswith(f"{END}\n\nAlso by hand.\n")
    assert "\nold\n" not in ran.page


def test_a_row_that_fails_is_reported_and_stops_none_of_the_others(ran: Ran) -> None:
    assert ran.status == 1
    assert ran.results["failed"] == {"backfill": "RuntimeError: the disk is full"}
    assert "**backfill** failed: RuntimeError: the disk is full" in ran.page


def test_every_row_has_its_name_and_measures() -> None:
    for name in modules():
        module = import_module(f"bench.rows.{name}")
        assert name.replace("_", "-") == module.ROW
        assert callable(module.measure)


@pytest.mark.parametrize(
    ("number", "target", "met"),
    [
        (0.7, "≥ 0.7", True),
        (0.69, "≥ 0.7", False),
        (1.31, "≤ 1.3 ×", False),
        (9_999.0, "≥ 10,000", False),
        (None, "≥ 0.7", None),
        (1.0, "", None),
    ],
)
def test_a_target_is_met_or_not(number: float | None, target: str, met: bool | None) -> None:
    assert judged(number, target) is met


def test_a_ratio_reads_as_its_target_does() -> None:
    rate = Figure.compared("add", "ours", "theirs", 70.0, 100.0, "rows/s", "≥ 0.7")
    assert (rate.ratio, rate.met) == (0.7, True)
    time = Figure.compared("upgrade", "ours", "theirs", 2.0, 10.0, "s", "≥ 4", faster=True)
    assert (time.ratio, time.met) == (5.0, True)
    alone = Figure.compared("memory", "growth", "", 51.0, None, "MB", "≤ 50")
    assert (alone.ratio, alone.met) == (None, False)


def test_the_median_stands() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert Spread.of([1.0, 2.0, 4.0]).rates(8) == Spread(4.0, 2.0, 8.0, 3)
