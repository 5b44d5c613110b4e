"""docs/performance.md is what the files of results say, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch):
    """The program that writes the page."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import page

    yield page
    for name in ("page", "targets"):
        sys.modules.pop(name, None)


def test_the_page_is_the_one_that_the_results_make(page) -> None:
    files = page.newest_files(RESULTS)
    results = {suite: json.loads(path.read_text()) for suite, path in files.items()}
    expected = page.render(results, files, ROOT / "docs")
    assert (ROOT / "docs" / "performance.md").read_text() == expected, (
        "write it again: python benchmarks/page.py"
    )


def row(ratio: float) -> dict[str, object]:
    work = {"group": "rebuild", "data": "normal", "dtype": "float32", "size": 1 << 24}
    return work | {"threshold": 0.9, "delta": 0.001, "threads": 1, "ratio": ratio}


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.1, 1.2, 1.25], "reached"),
        ([1.1, 1.2, 1.8], "met"),
        ([1.1, 1.2, 1.81], "met by the median, missed by the worst"),
        ([1.1, 1.9, 1.2, 1.9, 1.9], "missed"),
    ],
)
def test_a_target_is_judged_by_its_worst_row(page, ratios: list[float], verdict: str) -> None:
    results = {"kernels": {"rows": [row(ratio) for ratio in ratios]}}
    line = next(one for one in page.target_table(results).splitlines() if "rebuild, float32" in one)
    assert line.split(" | ")[-1] == f"{verdict} |"
    assert ("rebuild, float32" in page.losses(results)) == verdict.endswith(("worst", "missed"))


def test_a_peer_that_is_faster_is_named_and_we_are_no_peer_of_ours(page) -> None:
    names = ("prunecell", "prunecell, Random", "another")
    rows = [{"peer": name, "threads": 1, "times_ours": 0.9} for name in names]
    assert (
        page.losses({"peers": {"rows": rows}}) == "- another with 1 thread is faster than we are."
    )


def test_a_target_without_rows_was_not_measured(page) -> None:
    assert "not measured" in page.target_table({})
