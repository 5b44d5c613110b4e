"""Programs that the tests call."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

BESIDE_PYTHON = str(Path(sys.executable).parent)


def find(*names: str) -> str | None:
    """The path of the first of these programs that exists.

    Programs of the test environment go before those on PATH, where they need not be.
    """
    for name in names:
        if path := shutil.which(name, path=BESIDE_PYTHON) or shutil.which(name):
            return path
    return None


def prerequisite(*names: str) -> str:
    """The path of a program without which nothing can be tested."""
    path = find(*names)
    assert path, f"{' or '.join(names)} is a prerequisite of the tests"
    return path
