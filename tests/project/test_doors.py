"""Adapters and files use the public names of a `PruneCell`, as those of others have to."""

from __future__ import annotations

import ast
from pathlib import Path

import prunecell
import pytest
from prunecell import PruneCell

PACKAGE = Path(__file__).parents[2] / "python" / "prunecell"
ADAPTERS = ("torch", "n2d2", "formats")
FILES = sorted(path for part in ADAPTERS for path in (PACKAGE / part).rglob("*.py"))


def private_names() -> set[str]:
    """Attributes that a `PruneCell` keeps to itself."""
    cell = PruneCell()
    names = {*vars(cell), *(name for kind in PruneCell.__mro__ for name in vars(kind))}
    return {name for name in names if name.startswith("_") and not name.endswith("__")}


PRIVATE = private_names()


def private_of_others(tree: ast.AST) -> list[tuple[int, str]]:
    """Where a name of a `PruneCell` is asked of an object that is not `self`."""
    return [
        (node.lineno, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in PRIVATE
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_adapters_use_public_names_of_a_cell(path: Path) -> None:
    assert private_of_others(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_private_names_are_found() -> None:
    assert {"_core", "_sources", "_arrays", "_custom"} <= PRIVATE
    assert private_of_others(ast.parse("cell._core.mask(0)\nself._arrays\n")) == [(1, "_core")]


def test_public_names_are_documented() -> None:
    public = {name for name in dir(prunecell.PruneCell) if not name.startswith("_")}
    methods = {name for name in public if callable(getattr(PruneCell, name))}
    properties = {name for name in public if isinstance(getattr(PruneCell, name), property)}
    assert {"add_source", "restore", "changes"} <= methods | properties
    for name in methods | properties:
        assert getattr(PruneCell, name).__doc__, name
