"""PruneCell's keywords, as type checkers and editors know them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from prunecell.parameters import FILLERS, LEGAL, MODES, QUANT_MODES, TIES, Keywords, Parameters

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


def test_they_are_the_parameters() -> None:
    hints = get_type_hints(Keywords)
    assert tuple(hints) == LEGAL
    assert get_args(hints["prune_mode"]) == MODES
    assert get_args(hints["prune_filler"]) == FILLERS
    assert get_args(hints["ties"]) == TIES
    assert get_args(get_args(hints["quant_mode"])[0]) == QUANT_MODES
    types = get_type_hints(Parameters)
    words = ("prune_mode", "prune_filler", "ties")
    assert {n: t for n, t in hints.items() if n in types and n not in words} == {
        n: t for n, t in types.items() if n not in words
    }


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
