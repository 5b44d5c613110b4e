"""Files with states that earlier versions wrote (tests/data/states), and what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from prunecell import PruneCell

FOLDER = Path(__file__).parents[1] / "data" / "states"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())

# Parameters of format 1: later ones are at their defaults.
PARAMETERS = EXPECTED["gradual.state.npz"]["parameters"]


def names(kind: str) -> list[str]:
    """The files with `kind` in their name."""
    return [name for name in EXPECTED if f".{kind}" in name]


def described(cell: PruneCell) -> dict[str, Any]:
    """Everything that a state of format 1 holds, in the words of expected.json."""
    core = cell._core
    tensors = []
    for number in range(core.tensor_count):
        figures, mask = cell.figures(number), core.mask(number)
        tensors.append(
            {
                "shape": list(core.shape(number)),
                "zeros": figures.zeros,
                "level": figures.level,
                "asked": figures.asked,
                "tied": figures.tied,
                "custom": number in cell._custom,
                "mask": None if mask is None else np.asarray(mask.saved()).tobytes().hex(),
            }
        )
    return {
        "parameters": {name: getattr(cell, name) for name in PARAMETERS},
        "current": core.current,
        "rises": core.rises,
        "counter": core.counter,
        "tensors": tensors,
    }
