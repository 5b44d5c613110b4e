"""No module of the adapter needs one that needs it: imports form no circle, for types neither."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python" / "prunecell"


def modules() -> dict[str, Path]:
    """All modules by their names; a package is its `__init__`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(text: str) -> set[str]:
    """The modules of the package that a text imports, wherever in it and for whatever reason."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (whole & MODULES.keys()) or {node.module}
    return found & MODULES.keys()


def refuse_circles(texts: dict[str, str]) -> None:
    graph = {name: imported(text) & texts.keys() for name, text in texts.items()}
    TopologicalSorter(graph).prepare()


def below(part: str) -> dict[str, str]:
    """The texts of a part of the package, without those that gather its public names."""
    names = [name for name in MODULES if name.startswith(f"prunecell.{part}.")]
    return {name: MODULES[name].read_text(encoding="utf-8") for name in names}


def test_the_adapter_has_no_circles() -> None:
    assert "prunecell.torch.pruned_weight" in below("torch")
    refuse_circles(below("torch"))


def test_what_the_adapter_stands_on_has_no_circles() -> None:
    names = ["quantizer", "cell_tensors", "saved_cell", "mask_updates", "dying", "sources", "cells"]
    names = [f"prunecell.{name}" for name in names]
    refuse_circles({name: MODULES[name].read_text(encoding="utf-8") for name in names})


def test_a_circle_for_types_is_found() -> None:
    one, other = "prunecell.torch.slot", "prunecell.torch.form"
    hidden = f"if TYPE_CHECKING:\n    from {other} import fault"
    with pytest.raises(CycleError):
        refuse_circles({one: hidden, other: f"def f():\n    from {one} import Slot"})
