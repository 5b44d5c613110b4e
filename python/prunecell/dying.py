"""Warnings about tensors that lost all weights, or would have: one for each tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prunecell._core import Figures
from prunecell.cell_tensors import CellTensors
from prunecell.shown import short_list
from prunecell.warning import warn

MOST_NAMED = 10  # tensors named in a warning

Update = tuple[CellTensors, int, Figures]
"""A mask update: the cell, the number of the tensor in it, and the result."""


def known_updates(cells: Iterable[CellTensors]) -> Iterator[Update]:
    """The last finished update of each tensor; updates under way on a device are not waited for."""
    for cell in cells:
        for tensor in range(cell.tensor_count):
            yield cell, tensor, cell._core.known_figures(tensor)


def warn_of_dead(updates: Iterable[Update]) -> None:
    """Warns once of each tensor that lost all weights, or with `ties="keep"` would have."""
    dead: list[str] = []
    spared: list[str] = []
    for cell, tensor, figures in updates:
        told = (tensor, figures.tied)
        if told in cell._told or not (figures.tied or is_dead(cell, tensor, figures)):
            continue
        cell._told.add(told)
        name = cell.name(tensor)
        text = f"cell {name!r}" if name else f"tensor {tensor}"
        (spared if figures.tied else dead).append(f"{text} ({figures.asked:.4g} asked)")
    if dead:
        warn(
            "all weights were pruned, though less was asked, of "
            f"{short_list(dead, MOST_NAMED)}. Such a layer learns nothing. Weights that are equal, "
            "or below one step of delta, go together: take a smaller delta, or ties='keep', which "
            "leaves the layer alone until its weights differ"
        )
    if spared:
        warn(
            "all weights would have been pruned, though less was asked, of "
            f"{short_list(spared, MOST_NAMED)}: with ties='keep' the mask stays as it was, and is "
            "tried again"
        )


def is_dead(cell: CellTensors, tensor: int, figures: Figures) -> bool:
    """Whether a tensor lost all weights though less was asked."""
    return figures.zeros == figures.size > 0 and decides(cell, tensor, figures)


def decides(cell: CellTensors, tensor: int, figures: Figures) -> bool:
    """Whether the weights and the share that was asked decide the mask, so that it may surprise.

    A mask that was set does not.
    """
    return not cell.is_custom(tensor) and may_surprise(cell.parameters.prune_filler, figures.asked)


def may_surprise(filler: str, asked: float) -> bool:
    """Whether more may be pruned than was asked.

    Random prunes the share exactly, and at 0 only the zeros that were there count as pruned.
    """
    return filler == "IterNonStruct" and 0 < asked < 1
