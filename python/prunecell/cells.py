"""The cells of a model: what a `PruneCell` is attached to.

A model adapter (`prunecell.torch.wrap`) makes them; `isinstance` tells which layer one is.
"""

from __future__ import annotations

from typing import Protocol

from prunecell._core import Figures
from prunecell.quantizer import PruneCell


class Attachment(Protocol):
    """What an adapter offers for one layer."""

    @property
    def name(self) -> str:
        """Name of the layer in its model."""

    @property
    def quantizer(self) -> PruneCell | None:
        """The attached quantizer, if there is one."""

    @property
    def figures(self) -> Figures | None:
        """Sparsity of the layer's weights, where a quantizer is attached."""

    def attach(self, quantizer: PruneCell) -> None:
        """Prunes the layer's weights by `quantizer`, in place of the one that it has."""

    def detach(self) -> None:
        """Takes the quantizer off; weights stay as they are."""


class Cell:
    """One layer with weights that can be pruned."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment

    @property
    def attachment(self) -> Attachment:
        """What the adapter put behind this cell."""
        return self._attachment

    @property
    def name(self) -> str:
        """Name of the layer, e.g. "features.0", in the model that was wrapped last."""
        return self._attachment.name

    @property
    def quantizer(self) -> PruneCell | None:
        """The attached `PruneCell`. Assigning one initializes it; None takes it off, leaving zeros.

        One `PruneCell` may be assigned to several cells: one schedule for all of them.
        """
        return self._attachment.quantizer

    @quantizer.setter
    def quantizer(self, quantizer: PruneCell | None) -> None:
        if quantizer is None:
            self._attachment.detach()
        else:
            self._attachment.attach(quantizer)

    @property
    def figures(self) -> Figures | None:
        """Sparsity of this cell: asked, reached, zeros, level, overshoot; None if not pruned."""
        return self._attachment.figures

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, quantizer={self.quantizer!r})"


class Conv(Cell):
    """A convolution of any dimension, transposed ones included."""


class Fc(Cell):
    """A fully connected layer: a matrix that inputs are multiplied by, or a stack of such."""


class Recurrent(Cell):
    """A matrix of a recurrent layer: of its inputs, of its hidden state, or of its projection."""


class Embedding(Cell):
    """A table of embeddings, and what shares it, offered on request only."""
