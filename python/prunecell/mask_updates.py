"""The calls that build masks, for many cells at once: all cells change, or none."""

from __future__ import annotations

from collections.abc import Sequence

from prunecell import _core
from prunecell.arguments import parse_batch_size
from prunecell.cell_tensors import CellTensors
from prunecell.dying import known_updates, warn_of_dead


def initialize(cells: Sequence[CellTensors], *, reset: bool = False) -> None:
    """`PruneCell.initialize` for many cells: all of them, or none where one raises."""
    warn_of_dead(known_updates(start(cells, reset=reset)))


def start(cells: Sequence[CellTensors], *, reset: bool = False) -> list[CellTensors]:
    """`initialize` without its warnings. Returns the cells with new figures, to be warned of."""
    news = _core.initialize([(cell._core, cell._arrays()) for cell in cells], reset)
    for cell in cells:
        if reset:
            cell._custom.clear()
        cell._changes += 1
        cell._written()
    return [cells[number] for number in news]


def update(cells: Sequence[CellTensors], batch_size: int) -> None:
    """`PruneCell.update` for many cells: all of them, or none where one raises."""
    size = parse_batch_size(batch_size)
    masked, cores = [], []
    for cell in cells:
        masked.append(cell._is_masked())
        cores.append(cell._core)
    news = _core.count(cores, size) if all(masked) else None
    if news is None:
        news = _rebuild(cells, masked, size)
    for cell in cells:
        cell._updates += 1
        cell._changes += 1
    if news:
        warn_of_dead(known_updates(cells[number] for number in news))


def _rebuild(cells: Sequence[CellTensors], masked: Sequence[bool], size: int) -> list[int]:
    """An update that reads weights: of the cells that are due, and of those that are not masked."""
    calls = []
    for cell, is_masked in zip(cells, masked, strict=True):
        idle = is_masked and not cell._core.due(size)
        calls.append((cell._core, [] if idle else cell._arrays()))
    news = _core.update(calls, size)
    for cell, (_, arrays) in zip(cells, calls, strict=True):
        if arrays:
            cell._written()
    return news


def end_epoch(cells: Sequence[CellTensors]) -> None:
    """`PruneCell.end_epoch` for many cells: all of them, or none where one raises."""
    news = _core.end_epoch([(cell._core, cell._arrays()) for cell in cells])
    for cell in cells:
        cell._updates += 1
        cell._changes += 1
        cell._written()
    warn_of_dead(known_updates(cells[number] for number in news))
