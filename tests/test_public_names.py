"""What `import prunecell` offers, though it imports next to nothing itself."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import prunecell
import pytest

SOURCE = ast.parse(Path(prunecell.__file__ or "").read_text())
# As a type checker reads them: (module, name).
TYPED = [
    (node.module, alias.name)
    for node in ast.walk(SOURCE)
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prunecell")
    for alias in node.names
]


@pytest.mark.parametrize(("module", "name"), TYPED, ids=lambda one: one)
def test_a_name_is_what_a_type_checker_takes_it_for(module: str, name: str) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    home = importlib.import_module(module)
    expected = getattr(home, name) if module != "prunecell" else None
    found = getattr(prunecell, name)
    assert found is (expected or importlib.import_module(f"prunecell.{name}"))
    assert name in dir(prunecell)


def test_all_names_are_typed() -> None:
    assert set(prunecell.__all__) <= {name for _, name in TYPED}
    with pytest.raises(AttributeError, match="module 'prunecell' has no attribute 'nosuch'"):
        prunecell.nosuch  # noqa: B018


def test_importing_it_takes_no_numpy_yet() -> None:
    program = "import sys, prunecell, prunecell.cli; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
