"""The data of a training run that a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from prunecell.cli.lab.weights import Histograms


@dataclass(frozen=True)
class CellFigures:
    """One pruned cell at the end of an epoch: the share asked for, and its pruned weights."""

    threshold: float
    zeros: int
    size: int

    @property
    def sparsity(self) -> float:
        """Share of weights that is pruned."""
        return self.zeros / self.size if self.size else 0.0


@dataclass(frozen=True)
class Epoch:
    """One epoch. `accuracy` is the share of right test images."""

    number: int
    loss: float
    accuracy: float
    cells: dict[str, CellFigures]

    @property
    def sparsity(self) -> float:
        """Share of the weights of all pruned cells that is pruned."""
        size = sum(cell.size for cell in self.cells.values())
        return sum(cell.zeros for cell in self.cells.values()) / size if size else 0.0


def best_accuracy(epochs: Sequence[Epoch]) -> float:
    """The best epoch among those with the thresholds of the last: others are pruned less."""

    def thresholds(epoch: Epoch) -> list[float]:
        return [cell.threshold for cell in epoch.cells.values()]

    last = thresholds(epochs[-1])
    return max(epoch.accuracy for epoch in epochs if thresholds(epoch) == last)


@dataclass(frozen=True)
class TensorBytes:
    """One tensor of the final model. `stored` is its number of bytes in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    zeros: int
    dense: int
    stored: int

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size


@dataclass(frozen=True)
class Run:
    """A run, finished or not.

    Attributes:
        title: Name of the run.
        facts: Names and values of its options and versions, in the order in which they are shown.
        planned: Number of epochs asked for.
        epochs: The epochs that are done.
        starts: The first share of each cell whose schedule is Gradual.
        bytes: Tensors of the final model; empty before the end.
        file_bytes: Bytes of the file of the final model, header included.
        histograms: Weights of each pruned cell before and after; empty before the end.
    """

    title: str
    facts: list[tuple[str, str]]
    planned: int
    epochs: list[Epoch]
    starts: dict[str, float] = field(default_factory=dict)
    bytes: list[TensorBytes] = field(default_factory=list)
    file_bytes: int = 0
    histograms: dict[str, Histograms] = field(default_factory=dict)
