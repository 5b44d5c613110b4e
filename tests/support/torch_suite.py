"""Hooks of the suites over PyTorch: equal random numbers for every test, a skip without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

try:
    import torch
except ModuleNotFoundError:
    torch = None


class _Skipped(pytest.Module):
    """A module that cannot be imported. (A conftest that skips would end the whole run.)"""

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip("the adapter needs PyTorch: pip install 'prunecell[torch]'")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> _Skipped | None:
    return _Skipped.from_parent(parent, path=module_path) if torch is None else None


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
