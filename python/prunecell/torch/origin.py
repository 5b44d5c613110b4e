"""`Origin`: what a weight was copied from, to tell averages that follow nobody."""

from __future__ import annotations

import weakref

from torch import Tensor

from prunecell.torch.held_weight import HeldWeight


class Origin:
    """What a weight was copied from."""

    def __init__(self, one: HeldWeight) -> None:
        self._one = weakref.ref(one)
        self._changes = one.quantizer.changes
        self._version: int | None = None

    def copied(self, weight: Tensor) -> None:
        """Notes the version of the copy once its values are there."""
        self._version = None if weight.is_inference() else weight._version

    def is_ahead(self, copied: HeldWeight) -> bool:
        """Whether its mask has risen while the copy was written by hand, as an average is."""
        one, weight = self._one(), copied.weight
        if one is None or weight is None or weight.is_inference():
            return False
        untouched = copied.quantizer.changes == self._changes
        asked, reached = one.figures.asked, copied.figures.asked
        return untouched and weight._version != self._version and asked > reached
