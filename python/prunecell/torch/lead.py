"""`Lead`: what a weight of an average follows, its mask and its place in the schedule."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from torch import Tensor

from prunecell.quantizer import PruneCell
from prunecell.torch.hooks import find
from prunecell.torch.slot import Slot
from prunecell.torch.state import merged, values_of

if TYPE_CHECKING:
    from prunecell.torch.pruned_weight import PrunedWeight


class Lead:
    """The cell that is followed, also through a change of its quantizer. It may be no more."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._cell: PruneCell | None = None  # held, since it outlives its model
        self._tensor = 0
        self._seen = -1

    @property
    def ended(self) -> bool:
        """Whether nobody is followed any more."""
        return find(self.slot) is None

    def is_that_of(self, other: Lead) -> bool:
        """Whether both follow one weight."""
        return find(self.slot) is find(other.slot)

    def take(self, one: PrunedWeight) -> bool:
        """Gives the weight what has changed since. Returns whether anything has; masks nothing."""
        leader = find(self.slot)
        if leader is not None:
            leader.followers.add(one)
            if leader.quantizer is not self._cell:
                self._cell, self._tensor, self._seen = leader.quantizer, leader.index, -1
        cell, tensor = self._cell, self._tensor
        if leader is None:
            self._cell = None  # this is the last time
        if cell is None or cell._changes == self._seen:
            return False
        mask = cell._core.mask(tensor)
        if leader is None and mask is None:
            return False  # dropped with its weight
        if cell._parameters != one.quantizer._parameters:
            one.exchange(twin(cell))
        rows = None if mask is None else mask.saved()
        one.quantizer._load(merged(one, values_of(cell, tensor), rows), False)
        self._seen = cell._changes
        return True


class Origin:
    """What a weight was copied from."""

    def __init__(self, one: PrunedWeight) -> None:
        self._one = weakref.ref(one)
        self._changes = one.quantizer._changes
        self._version: int | None = None

    def copied(self, weight: Tensor) -> None:
        """The values of the copy are there."""
        self._version = None if weight.is_inference() else weight._version

    def is_ahead(self, copied: PrunedWeight) -> bool:
        """Whether its mask has risen while the copy was written by hand, as an average is."""
        one, weight = self._one(), copied.weight
        if one is None or copied.lead is not None or weight is None or weight.is_inference():
            return False
        untouched = copied.quantizer._changes == self._changes
        asked, reached = one.figures.asked, copied.figures.asked
        return untouched and weight._version != self._version and asked > reached


def twin(cell: PruneCell) -> PruneCell:
    """One of the same parameters, without tensors."""
    return PruneCell(**cell._parameters.as_dict())
