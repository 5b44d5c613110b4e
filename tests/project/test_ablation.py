"""Each trick that benchmarks/ablation.py switches off is there to be switched off."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ablation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import ablation

    return ablation


def test_passages_of_tricks_stand_in_the_sources_once(ablation: ModuleType) -> None:
    for trick in ablation.TRICKS:
        assert (ROOT / trick.file).read_text().count(trick.with_it) == 1, trick.name


def test_intervals_of_medians_are_order_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from alternate import median_interval

    assert median_interval([float(n) for n in range(15, 0, -1)]) == (4, 12)  # of published tables
    assert median_interval([float(n) for n in range(6)]) == (0, 5)
