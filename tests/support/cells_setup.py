"""Cells for tests, and everything that may change in a cell."""

from __future__ import annotations

from typing import Any

import axes
import pytest
from axes import bits
from prunecell import PruneCell

# Mark of tests whose weights tie: all of them go, with a warning.
all_may_go = pytest.mark.filterwarnings("ignore:all weights were pruned")

GRADUAL: dict[str, Any] = {
    "prune_mode": "Gradual",
    "prune_filler": "IterNonStruct",
    "threshold": 0.6,
    "delta": 0.01,
    "start": 0.2,
    "gamma": 0.2,
    "stepsize": 64,
}


def made(weights: list[Any], **given: Any) -> PruneCell:
    cell = PruneCell(**given)
    for array in weights:
        cell.add_weights(array)
    cell.initialize()
    return cell


def normal(shape: Any = (6, 50), seed: int = 0, dtype: str = "float32") -> Any:
    return axes.weights("normal", dtype, shape, seed=seed)


def snapshot(cell: PruneCell) -> tuple[Any, ...]:
    """Everything that may change: weights, buffers, masks, figures, schedule."""
    arrays = []
    for weights, gradient, pruned in cell._arrays():
        arrays.append([bits(a).tolist() for a in (weights, gradient, pruned) if a is not None])
    state = cell.state_dict()
    masks = [None if t["mask"] is None else t.pop("mask").tolist() for t in state["tensors"]]
    return arrays, masks, state
