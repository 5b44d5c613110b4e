"""What is said of weights that lose all of a tensor, or would have: once of each tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prunecell._core import Figures
from prunecell.cell_tensors import CellTensors
from prunecell.warning import warn

_NAMED = 10
"""Tensors that one warning names."""

Update = tuple[CellTensors, int, Figures]
"""A mask update: the cell, the number of the tensor in it, and what came of it."""


def known_updates(cells: Iterable[CellTensors]) -> Iterator[Update]:
    """The last ones of all tensors: nobody waits for one that is still under way on a device."""
    for cell in cells:
        for tensor in range(cell.tensor_count):
            yield cell, tensor, cell._core.known_figures(tensor)


def warn_of_dead(updates: Iterable[Update]) -> None:
    """Warns of tensors that lost all weights, or with `ties="keep"` would have: once of each."""
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
            f"all weights were pruned, though less was asked, of {listed(dead)}. Such a layer "
            "learns nothing. Weights that are equal, or below one step of delta, go together: take "
            "a smaller delta, or ties='keep', which leaves the layer alone until its weights differ"
        )
    if spared:
        warn(
            f"all weights would have been pruned, though less was asked, of {listed(spared)}: "
            "with ties='keep' the mask stays as it was, and is tried again"
        )


def listed(names: list[str]) -> str:
    """The names, cut short where they are many."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def is_dead(cell: CellTensors, tensor: int, figures: Figures) -> bool:
    """Whether a tensor lost all weights though less was asked."""
    return figures.zeros == figures.size > 0 and decides(cell, tensor, figures)


def decides(cell: CellTensors, tensor: int, figures: Figures) -> bool:
    """Whether the weights and the share that was asked decide what goes, so that it may surprise.

    A mask that was set is meant.
    """
    return not cell.is_custom(tensor) and may_surprise(cell.parameters.prune_filler, figures.asked)


def may_surprise(filler: str, asked: float) -> bool:
    """Whether more may go than was asked: Random draws that, and at 0 the zeros were there."""
    return filler == "IterNonStruct" and 0 < asked < 1
