"""PruneCell's keywords, as type checkers and editors know them."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import prunecell
import pytest
from prunecell import PruneCell
from prunecell.parameters import LEGAL, PARAMETERS, QUANT_MODES, Attributes, Keywords

PROGRAM = """
from prunecell import PruneCell

PruneCell(prune_mode="Static", threshold=0.5, delta=1e-3, seed=3, in_place=False, range=255)
PruneCell.from_zeros(in_place=False, quant_mode="Default")
"""
WRONG = {
    "treshold": "PruneCell(treshold=0.5)",
    "Statik": "PruneCell(prune_mode='Statik')",
    "Itern": "PruneCell(prune_filler='Itern')",
    "Keep": "PruneCell(ties='Keep')",
    "Assymetric": "PruneCell(quant_mode='Assymetric')",
    '"str"': "PruneCell(threshold='half')",
    "in_plase": "PruneCell.from_zeros(in_plase=True)",
}


TYPES = {"share": float, "step": float, "count": int, "seed": int, "flag": bool}


def annotations(thing: type) -> dict[str, str]:
    """Annotations of a class, from its source: some are for type checkers alone."""
    (node,) = ast.parse(inspect.getsource(thing)).body
    return {
        one.target.id: ast.unparse(one.annotation)
        for one in ast.walk(node)
        if isinstance(one, ast.AnnAssign) and not one.target.id.startswith("_")
    }


def test_they_are_the_parameters() -> None:
    hints = get_type_hints(Keywords)
    assert tuple(hints) == LEGAL
    for name, row in PARAMETERS.items():
        if row.kind == "word":
            assert get_args(hints[name]) == row.words
        else:
            assert hints[name] is TYPES[row.kind]
            assert type(row.default) is TYPES[row.kind]
    assert get_args(get_args(hints["quant_mode"])[0]) == QUANT_MODES


def test_so_are_the_attributes() -> None:
    types = {name: TYPES.get(row.kind, str).__name__ for name, row in PARAMETERS.items()}
    assert annotations(Attributes) == types | {"quant_mode": "str | None", "range": "int | None"}
    for name, row in PARAMETERS.items():
        assert getattr(PruneCell, name).__doc__ == row.doc


def test_the_documentation_of_a_cell_has_each() -> None:
    arguments = inspect.cleandoc(PruneCell.__doc__).split("Every parameter")[0]
    documented = re.findall(r"^    (\w+): ", arguments, re.MULTILINE)
    assert documented == list(LEGAL)


@pytest.mark.parametrize("operation", [prunecell.build_mask, prunecell.rebuild_and_apply])
def test_operations_have_the_defaults_of_the_table(operation: Any) -> None:
    names = {"filler": "prune_filler", "threshold": "threshold", "delta": "delta", "seed": "seed"}
    signature = inspect.signature(operation).parameters
    for own, name in names.items():
        assert signature[own].default == PARAMETERS[name].operation_default
    assert [name for name, row in PARAMETERS.items() if row.default != row.operation_default] == [
        "prune_filler"
    ]


def checked(text: str, folder: Path) -> str:
    (folder / "program.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder), "program.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_a_type_checker_knows_them(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    assert "Success" in checked(PROGRAM, tmp_path)
    said = checked(PROGRAM + "\n".join(WRONG.values()), tmp_path)
    assert f"Found {len(WRONG)} errors" in said
    assert all(wrong in said for wrong in WRONG)
