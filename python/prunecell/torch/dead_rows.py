"""Warns of cells that lost all weights of some outputs when a quantizer was attached."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prunecell.dying import MOST_NAMED, decides
from prunecell.shown import short_list
from prunecell.torch.kinds import is_table, output_rows
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.warning import warn

_RARE = 0.001
"""Expected dead rows by chance in a cell, below which dead rows are worth a warning."""


def warn_of_dead_rows(fresh: Sequence[PrunedWeight]) -> None:
    """Warns of weights with output rows that are pruned whole, once for all of them."""
    counts = [(one, dead) for one in fresh if (dead := _dead_rows(one)) is not None]
    if not counts:
        return
    found = torch.stack([dead.sum() for _, dead in counts]).tolist()  # one transfer from a device
    names = [
        f"cell {one.name!r} ({count} of {len(dead)})"
        for (one, dead), count in zip(counts, found, strict=True)
        if count and _by_chance(one, len(dead)) < _RARE
    ]
    if names:
        warn(
            "all weights of some output rows were pruned: "
            f"{short_list(names, MOST_NAMED)}. Those outputs do not depend on the input any more. "
            "Where the layer was initialized so, train it before"
        )


def _dead_rows(one: PrunedWeight) -> Tensor | None:
    """Which output rows are pruned, bool[rows]; None where that says nothing.

    A weight that is kept is not 0: above threshold 0 exact zeros go first.
    """
    figures = one.quantizer.figures(one.index)
    modules = [module for slot in one._slots if (module := slot.module()) is not None]
    if (
        not decides(one.quantizer, one.index, figures)
        or not 0 < figures.zeros < figures.size
        or one.weight.dim() < 2
        or any(map(is_table, modules))
    ):
        return None
    view, rows = output_rows(modules[0], one.weight.detach())
    columns = tuple(d for d in range(view.dim()) if d not in rows)
    return ~view.any(dim=columns).flatten()


def _by_chance(one: PrunedWeight, rows: int) -> float:
    """How many rows would go whole if chance took the weights: short rows do in any layer."""
    figures = one.quantizer.figures(one.index)
    return float(rows * figures.reached ** (figures.size / rows))
