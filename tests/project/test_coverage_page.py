"""docs/coverage.md is what the file of results says; no architecture is half covered in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program that writes the page."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import architectures

    return architectures


def test_the_page_is_the_one_that_the_results_make(program: Any) -> None:
    results = json.loads(program.newest().read_text())
    assert program.PAGE.read_text() == program.page(results), (
        "write it again: python benchmarks/architectures.py --page"
    )


def test_each_architecture_is_covered_or_named(program: Any) -> None:
    rows = json.loads(program.newest().read_text())["rows"]
    names = [*program.TRANSFORMERS, *program.TIMM]
    assert [row["architecture"] for row in rows] == names
    assert len(names) >= 40
    for row in rows:
        assert row["covered"] >= 0.9 or row["uncovered"], row
