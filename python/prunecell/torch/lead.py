"""`Lead`: what a weight of an average follows, its mask and its place in the schedule."""

from __future__ import annotations

from prunecell.quantizer import PruneCell, TensorSource
from prunecell.torch.hooks.cell import find
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.slot import Slot
from prunecell.torch.state import merged, values_of


class Lead:
    """The cell that is followed, also when its quantizer changes. It may be gone."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._cell: PruneCell | None = None  # strong: it outlives its model
        self._tensor = 0
        self._source: TensorSource | None = None  # tells whether the number is still its tensor
        self._seen = -1

    @property
    def ended(self) -> bool:
        """Whether nobody is followed any more."""
        return find(self.slot) is None

    def take(self, one: PrunedWeight) -> bool:
        """Gives the weight what has changed since. Returns whether anything has; masks nothing."""
        leader = find(self.slot)
        if leader is not None:
            leader.add_follower(one)
            source = leader.quantizer.source(leader.index)
            if source is not self._source:
                self._cell, self._tensor = leader.quantizer, leader.index
                self._source, self._seen = source, -1
        cell, tensor = self._cell, self._tensor
        if leader is None:
            self._cell = None  # last update
        if cell is None or cell.changes == self._seen:
            return False
        if cell.source(tensor) is not self._source:
            return False  # the number belongs to another tensor now
        if cell.parameters != one.quantizer.parameters:
            one.exchange(twin(cell))
        mask = cell.mask(tensor)
        rows = None if mask is None else mask.saved()
        one.quantizer.restore(merged(one, values_of(cell, tensor), rows))
        self._seen = cell.changes
        return True


def twin(cell: PruneCell) -> PruneCell:
    """A PruneCell of the same parameters, without tensors."""
    return PruneCell(**cell.parameters.as_dict())
